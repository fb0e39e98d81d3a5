"""Pushes of receipts to a callback URL, on the documented schedule."""
