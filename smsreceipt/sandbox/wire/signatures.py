"""Who may do what: access keys, tokens for queues, and the three signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from smsreceipt.sandbox.clock import Clock
from smsreceipt.sandbox.wire.http import Request

ACCESS_KEY_ID = "sandbox"
ACCESS_KEY_SECRET = "sandbox-secret"  # noqa: S105 - a published one: it opens nothing but this sandbox
ACS3 = "ACS3-HMAC-SHA256"


@dataclass(slots=True)
class Token:
    """Temporary credentials for one queue, or for the queues of one message type."""

    access_key_id: str
    secret: bytes
    security_token: bytes
    kind: str
    queue: str | None
    created: float  #: seconds
    expires: float  #: seconds
    dead: bool = False  #: revoked before its time

    def fits(self, queue: str, kind: str | None) -> bool:
        """Whether it opens *queue*, which carries *kind* (None: a free name that tells nothing)."""
        if self.queue is not None and self.queue != queue:
            return False
        return kind is None or kind == self.kind


class Keyring:
    """The account's own key, and every token handed out."""

    def __init__(self, clock: Clock, life: float) -> None:
        self._clock = clock
        self._life = life
        self._tokens: dict[str, Token] = {}

    def issue(self, kind: str, queue: str | None) -> Token:
        """A new token, good from now on."""
        now = self._clock.now()
        token = Token(
            access_key_id="STS." + secrets.token_hex(11),
            secret=secrets.token_hex(22).encode(),
            security_token=base64.b64encode(secrets.token_bytes(96)),
            kind=kind,
            queue=queue,
            created=now,
            expires=now + self._life,
        )
        self._tokens[token.access_key_id] = token
        return token

    def token(self, access_key_id: str) -> Token | None:
        """The token behind a temporary key."""
        return self._tokens.get(access_key_id)

    def secret(self, access_key_id: str) -> bytes | None:
        """The secret of a key, expired or not; None when nobody was ever given such a key."""
        if access_key_id == ACCESS_KEY_ID:
            return ACCESS_KEY_SECRET.encode()
        token = self._tokens.get(access_key_id)
        return token.secret if token else None


def mns_string(request: Request, date: bytes) -> bytes:
    """What the MNS signature covers; *date* is the Date header, empty when x-mns-date stands in for it."""
    headers = request.headers
    ours = sorted(name for name in headers if name.startswith(b"x-mns-"))
    return b"%b\n%b\n%b\n%b\n%b%b" % (
        request.method.encode(),
        headers.get(b"content-md5", b""),
        headers.get(b"content-type", b""),
        date,
        b"".join(b"%b:%b\n" % (name, headers[name]) for name in ours),
        request.target.encode(),
    )


def mns_signature(secret: bytes, string: bytes) -> bytes:
    """HMAC-SHA1 in base64."""
    return base64.b64encode(hmac.digest(secret, string, "sha1"))


def encode(text: str) -> str:
    """RFC 3986 encoding, as the RPC signatures want it."""
    return quote(text, safe="~")


def rpc_string(method: str, parameters: Mapping[str, str]) -> str:
    """What the RPC signature (HMAC-SHA1, version 1.0) covers: every parameter but the signature."""
    pairs = sorted((encode(name), encode(value)) for name, value in parameters.items() if name != "Signature")
    canonical = "&".join(f"{name}={value}" for name, value in pairs)
    return f"{method}&%2F&{encode(canonical)}"


def rpc_signature(secret: bytes, string: str) -> str:
    """HMAC-SHA1 in base64, under the secret and an ampersand."""
    return base64.b64encode(hmac.digest(secret + b"&", string.encode(), "sha1")).decode()


def acs3_signature(request: Request, query: Mapping[str, str], secret: bytes, signed_headers: str) -> str:
    """The signature of the newer SDKs, in hexadecimal, over the headers that they say they signed."""
    digest = request.headers.get(b"x-acs-content-sha256", b"").decode("latin-1")
    headers = "".join(
        f"{name}:{request.headers.get(name.encode(), b'').decode('latin-1').strip()}\n"
        for name in signed_headers.split(";")
    )
    canonical = "&".join(f"{encode(name)}={encode(value)}" for name, value in sorted(query.items()))
    whole = f"{request.method}\n{request.path}\n{canonical}\n{headers}\n{signed_headers}\n{digest}"
    string = f"{ACS3}\n{hashlib.sha256(whole.encode()).hexdigest()}"
    return hmac.digest(secret, string.encode(), "sha256").hex()


def content_md5_fits(declared: bytes, body: bytes) -> bool:
    """Whether a Content-MD5 header fits. The SDKs disagree about its form: all that are in use pass."""
    raw = hashlib.md5(body, usedforsecurity=False)
    hexadecimal = raw.hexdigest().encode()
    return declared in {base64.b64encode(hexadecimal), base64.b64encode(raw.digest()), hexadecimal}
