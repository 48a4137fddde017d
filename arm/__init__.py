"""Everything about the machines that the hub is made for: flags, wheels, packages, proofs."""
