"""What people see on a terminal. The only maker of rich objects; it never queries and never prints.

Everything here returns text, drawn for a :class:`Look`. Whatever comes from outside enters as plain Text, its active
characters escaped: no markup, no control code, no link.
"""

from smsreceipt.output.terminal.look import Look, elapsed
from smsreceipt.output.terminal.progress import Progress
from smsreceipt.output.terminal.story import story
from smsreceipt.output.terminal.tables import ReceiptTable, explanations, reject, rejects, settings, status

__all__ = [
    "Look",
    "Progress",
    "ReceiptTable",
    "elapsed",
    "explanations",
    "reject",
    "rejects",
    "settings",
    "status",
    "story",
]
