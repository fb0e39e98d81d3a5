"""Querying the provider about sends: one number and one day at a time, within a rate limit."""
