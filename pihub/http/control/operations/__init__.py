"""The operations of the admin API, a file a noun; table.py lists them all."""
