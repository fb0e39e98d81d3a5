"""Whether everything that a store derives is what its log of statements says; the same rules for every engine."""
