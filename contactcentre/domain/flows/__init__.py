"""IVR flows as data: `model` (what can be written), `check` (what is wrong with it), `walk` (what happens to
a caller), `actions` (the seam to whoever carries it out), `drawing` (a picture of it)."""
