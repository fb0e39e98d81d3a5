"""Any receiver of HTTPS: one JSON object a line, signed with HMAC-SHA256 if there is a secret."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from smsreceipt.notify.chat import raise_status
from smsreceipt.notify.message import Message
from smsreceipt.notify.post import Way

SIGNATURE = "X-Smsreceipt-Signature"  #: the header: sha256= and the HMAC of the body in hexadecimal


def sign(secret: str, body: bytes) -> str:
    """The value of the header."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


@dataclass(frozen=True)
class Webhook:
    """A receiver that confirms with any status 2xx."""

    way: Way
    secret: str = field(repr=False)

    def send(self, message: Message) -> None:
        """Send once. Raises NotTold unless the receiver confirms."""
        body = message.json_lines
        headers = {"Content-Type": "application/json" if len(message.items) == 1 else "application/x-ndjson"}
        if self.secret:
            headers[SIGNATURE] = sign(self.secret, body)
        raise_status(self.way.endpoint.netloc, self.way.post(body, headers).status)
