"""The SMS service: its actions, the tokens it issues, and its record of sends."""
