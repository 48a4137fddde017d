"""For the edge, in C: nothing of it is called from Python."""
