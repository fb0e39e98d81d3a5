"""What was sent, read from the lists that senders keep: CSV, JSON lines, and logged requests with their answers.

Values only: the rows live in the store. Nothing here keeps or quotes the text of a message.
"""

from smsreceipt.ledger.entries import Bad, Declined, Entry, Form, entries
from smsreceipt.ledger.names import FIELDS
from smsreceipt.ledger.values import number_of

__all__ = ["FIELDS", "Bad", "Declined", "Entry", "Form", "entries", "number_of"]
