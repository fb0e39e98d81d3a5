"""Readers of lists of sends: tables, JSON, and logs of API requests with their answers. Readers of lists of numbers.

They yield values; the store keeps them. The text of a message is neither kept nor quoted.
"""

from smsreceipt.ledger.cells import InvalidValue
from smsreceipt.ledger.entries import BadRow, Declined, Entry, Form, Skipped, entries
from smsreceipt.ledger.names import FIELDS
from smsreceipt.ledger.numbers import numbers
from smsreceipt.ledger.repeats import Repeats
from smsreceipt.ledger.values import number_of

__all__ = [
    "FIELDS",
    "BadRow",
    "Declined",
    "Entry",
    "Form",
    "InvalidValue",
    "Repeats",
    "Skipped",
    "entries",
    "number_of",
    "numbers",
]
