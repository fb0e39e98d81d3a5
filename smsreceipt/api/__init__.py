"""What programs in Python use: the names that the package itself exports. See docs/en/python.md."""
