"""Signs what is sent, so that the receiver knows who sent it and that nobody changed it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from pathlib import Path

from smsreceipt.errors import UsageError
from smsreceipt.permissions import read_secret_file

VARIABLE = "SMSRECEIPT_FORWARD_SECRET"
HEADER = "X-Smsreceipt-Signature"
_SHORTEST = 16  # characters of a secret


def secrets_of(environ: Mapping[str, str], file: Path | None) -> tuple[bytes, ...]:
    """The secrets of the file, a line each, else that of the environment; () where there is none.

    Raises UsageError for a file that others can read, and for a secret that is too short.
    """
    if file is not None:
        lines = [line.strip() for line in read_secret_file(file).splitlines()]
        found, where = [line for line in lines if line and not line.startswith(b"#")], f"the secret file {file}"
        if not found:
            raise UsageError(f"{where} holds no secret", hint=f"openssl rand -hex 32 >{file}")
    else:
        found, where = [environ[VARIABLE].strip().encode()] if environ.get(VARIABLE) else [], VARIABLE
    if any(len(secret) < _SHORTEST for secret in found):
        raise UsageError(f"a secret in {where} has fewer than {_SHORTEST} characters", hint="openssl rand -hex 32")
    return tuple(found)


def signature(secrets: tuple[bytes, ...], body: bytes, at: int) -> str:
    """The header: `t=SECONDS,v1=HEX`, a v1 for each secret, of the HMAC-SHA256 of `SECONDS.BODY`."""
    signed = b"%d." % at + body
    return ",".join([f"t={at}", *(f"v1={hmac.digest(secret, signed, 'sha256').hex()}" for secret in secrets)])
