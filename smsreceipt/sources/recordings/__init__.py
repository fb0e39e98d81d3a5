"""Recordings of calls: links to them, and their files."""
