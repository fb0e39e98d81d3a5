"""What happened to messages, calls and replies of some days, and what of it is unusual. Reads a store, nothing else."""
