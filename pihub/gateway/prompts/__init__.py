"""What stands in a prompt that should perhaps not leave the house, and what is done about it."""
