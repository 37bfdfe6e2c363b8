"""Measurements: ours and the alternative in one run. The last line that each prints is one JSON object."""
