"""One file a screen: services in, parts out (../parts.py)."""
