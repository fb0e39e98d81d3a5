"""The demonstration: the whole story on loopback, told by the program's own commands."""
