"""Reading saved payloads from files: opened, unpacked, split into frames."""
