"""Generated messages, unreadable messages, and messages loaded from files."""
