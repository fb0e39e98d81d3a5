"""The provider on loopback, in this process: queues, tokens, sending SMS, queries, pushes.

It shares no code with the clients that are tested against it.
"""

from smsreceipt.sandbox.options import FAULTS, KINDS, ROUTES, Options
from smsreceipt.sandbox.sandbox import Sandbox
from smsreceipt.sandbox.sends import PastSend
from smsreceipt.sandbox.traffic.generator import Message, generate

__all__ = ["FAULTS", "KINDS", "ROUTES", "Message", "Options", "PastSend", "Sandbox", "generate"]
