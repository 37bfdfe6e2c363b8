"""What each process tells of itself: health, numbers, and signs of life to whoever started it (docs/admin.rst)."""
