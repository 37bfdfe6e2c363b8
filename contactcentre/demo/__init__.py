"""The demonstration: the example site on the lab's Asterisk, with simulated agents and callers, and its accounts."""
