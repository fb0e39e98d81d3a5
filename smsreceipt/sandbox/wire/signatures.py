"""Request signatures: MNS, the RPC signature version 1.0, and ACS3 of the newer SDKs."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote

from smsreceipt.sandbox.wire.http import Request

ACS3 = "ACS3-HMAC-SHA256"


def mns_string(request: Request, date: bytes) -> bytes:
    """The string that the MNS signature covers; *date* is the Date header, empty when x-mns-date replaces it."""
    headers = request.headers
    mns_headers = sorted(name for name in headers if name.startswith(b"x-mns-"))
    return b"%b\n%b\n%b\n%b\n%b%b" % (
        request.method.encode(),
        headers.get(b"content-md5", b""),
        headers.get(b"content-type", b""),
        date,
        b"".join(b"%b:%b\n" % (name, headers[name]) for name in mns_headers),
        request.target.encode(),
    )


def mns_signature(secret: bytes, string: bytes) -> bytes:
    """HMAC-SHA1 in base64."""
    return base64.b64encode(hmac.digest(secret, string, "sha1"))


def percent_encoded(text: str) -> str:
    """*text* encoded by RFC 3986, as the RPC signatures require."""
    return quote(text, safe="~")


def rpc_string(method: str, parameters: Mapping[str, str]) -> str:
    """The string that the RPC signature (HMAC-SHA1, version 1.0) covers: every parameter except Signature."""
    pairs = sorted(
        (percent_encoded(name), percent_encoded(value)) for name, value in parameters.items() if name != "Signature"
    )
    canonical = "&".join(f"{name}={value}" for name, value in pairs)
    return f"{method}&%2F&{percent_encoded(canonical)}"


def rpc_signature(secret: bytes, string: str) -> str:
    """HMAC-SHA1 in base64; the key is the secret and an ampersand."""
    return base64.b64encode(hmac.digest(secret + b"&", string.encode(), "sha1")).decode()


def acs3_signature(request: Request, query: Mapping[str, str], secret: bytes, signed_headers: str) -> str:
    """The ACS3 signature in hexadecimal; *signed_headers* is the list that the request declares as signed."""
    digest = request.headers.get(b"x-acs-content-sha256", b"").decode("latin-1")
    headers = "".join(
        f"{name}:{request.headers.get(name.encode(), b'').decode('latin-1').strip()}\n"
        for name in signed_headers.split(";")
    )
    canonical = "&".join(f"{percent_encoded(name)}={percent_encoded(value)}" for name, value in sorted(query.items()))
    canonical_request = f"{request.method}\n{request.path}\n{canonical}\n{headers}\n{signed_headers}\n{digest}"
    string = f"{ACS3}\n{hashlib.sha256(canonical_request.encode()).hexdigest()}"
    return hmac.digest(secret, string.encode(), "sha256").hex()


def content_md5_matches(declared: bytes, body: bytes) -> bool:
    """Whether a Content-MD5 header matches the body. The SDKs write it in three forms; all of them are accepted."""
    raw = hashlib.md5(body, usedforsecurity=False)
    hexadecimal = raw.hexdigest().encode()
    return declared in {base64.b64encode(hexadecimal), base64.b64encode(raw.digest()), hexadecimal}
