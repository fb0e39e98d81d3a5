"""Receipts that go out again: payloads as the provider pushes them, sent to a callback URL."""
