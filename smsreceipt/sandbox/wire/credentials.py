"""Credentials that the services accept: the account's access key, and temporary tokens for queues."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass

from smsreceipt.sandbox.clock import Clock

ACCESS_KEY_ID = "sandbox"
ACCESS_KEY_SECRET = "sandbox-secret"  # noqa: S105 - public on purpose: it is accepted by this sandbox only


@dataclass(slots=True)
class Token:
    """Temporary credentials for one queue, or for all queues of one message type."""

    access_key_id: str
    secret: bytes
    security_token: bytes
    kind: str
    queue: str | None  #: None: every queue of the message type
    created: float  #: seconds since 1970
    expires: float  #: seconds since 1970
    revoked: bool = False  #: refused although it has not expired

    def permits(self, queue: str, kind: str | None) -> bool:
        """Whether the token is valid for *queue*, which carries *kind* (None: the queue's name tells no kind)."""
        if self.queue is not None and self.queue != queue:
            return False
        return kind is None or kind == self.kind


class Keyring:
    """The account's access key and every token that was issued."""

    def __init__(self, clock: Clock, token_life: float) -> None:
        self._clock = clock
        self._token_life = token_life
        self._tokens: dict[str, Token] = {}

    def issue(self, kind: str, queue: str | None) -> Token:
        """A new token, valid from now on."""
        now = self._clock.now()
        token = Token(
            access_key_id="STS." + secrets.token_hex(11),
            secret=secrets.token_hex(22).encode(),
            security_token=base64.b64encode(secrets.token_bytes(96)),
            kind=kind,
            queue=queue,
            created=now,
            expires=now + self._token_life,
        )
        self._tokens[token.access_key_id] = token
        return token

    def token(self, access_key_id: str) -> Token | None:
        """The token that has this access key id."""
        return self._tokens.get(access_key_id)

    def secret(self, access_key_id: str) -> bytes | None:
        """The secret of an access key, expired or not; None for an unknown key."""
        if access_key_id == ACCESS_KEY_ID:
            return ACCESS_KEY_SECRET.encode()
        token = self._tokens.get(access_key_id)
        return token.secret if token else None
