"""The demonstration: the example site on the lab's PBX, with simulated agents and callers, and its accounts."""
