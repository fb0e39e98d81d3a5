"""Receiving HTTP pushes: an ASGI app, the server under it, its secrets and its latencies."""
