"""Finds what is set up wrong. Nothing is written; queues are peeked at, and no message is received or deleted.

`checks` has the table of checks; `local`, `provider` and `callback` have the checks themselves; `run` runs them side by
side, each with a deadline of its own, and prints what they found.
"""
