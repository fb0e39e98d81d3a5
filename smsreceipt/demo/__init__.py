"""The demo: runs the commands of the program in turn, against a sandbox on loopback."""
