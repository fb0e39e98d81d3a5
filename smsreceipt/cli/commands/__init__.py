"""One module a command: its options, then one call of a run."""
