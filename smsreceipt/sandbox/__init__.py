"""The provider's side of the wire, in-process, on loopback: queues, tokens, sending and looking up.

It is the other side: it shares no code with the clients it is there to prove.
"""

from smsreceipt.sandbox.options import FAULTS, KINDS, ROUTES, Options
from smsreceipt.sandbox.sandbox import Sandbox, serve
from smsreceipt.sandbox.sms.sends import PastSend
from smsreceipt.sandbox.traffic.generator import Message, generate

__all__ = ["FAULTS", "KINDS", "ROUTES", "Message", "Options", "PastSend", "Sandbox", "generate", "serve"]
