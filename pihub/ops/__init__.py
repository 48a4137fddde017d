"""What keeps the hub well and within its means: use-cases of the control process."""
