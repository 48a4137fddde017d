"""The input scanner's policy: what is done about what the core finds."""
