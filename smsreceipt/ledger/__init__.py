"""Readers of lists of sends: CSV, JSON lines, and logs of API requests with their answers.

They yield values; the store keeps them. The text of a message is neither kept nor quoted.
"""

from smsreceipt.ledger.entries import BadRow, Declined, Entry, Form, entries
from smsreceipt.ledger.names import FIELDS
from smsreceipt.ledger.values import number_of

__all__ = ["FIELDS", "BadRow", "Declined", "Entry", "Form", "entries", "number_of"]
