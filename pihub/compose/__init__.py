"""Bills of materials, one file a capability, for the composition roots beside this package."""
