"""Signs what is sent, so that the receiver knows who sent it and that nobody changed it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from pathlib import Path

from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.permissions import read_secret_file

VARIABLE = "SMSRECEIPT_FORWARD_SECRET"
HEADER = "X-Smsreceipt-Signature"
_MAKE = "openssl rand -hex 32"
_SHORTEST = 16  # characters of a secret


def secrets_of(environ: Mapping[str, str], file: Path | None) -> tuple[bytes, ...]:
    """The secrets of the file, a line each, else that of the environment; () where there is none.

    Raises UsageError for a file that others can read, and for a secret that is too short.
    """
    if file is not None:
        lines = [line.strip() for line in read_secret_file(file).splitlines()]
        found, where = [line for line in lines if line and not line.startswith(b"#")], str(file)
        if not found:
            raise UsageError(_("the secret file {path} holds no secret", path=file), hint=f"{_MAKE} >{file}")
    else:
        found, where = [environ[VARIABLE].strip().encode()] if environ.get(VARIABLE) else [], VARIABLE
    if any(len(secret) < _SHORTEST for secret in found):
        said = _("a secret in {where} has fewer than {n} characters", where=where, n=_SHORTEST)
        raise UsageError(said, hint=_MAKE)
    return tuple(found)


def signature(secrets: tuple[bytes, ...], body: bytes, at: int) -> str:
    """The header: `t=SECONDS,v1=HEX`, a v1 for each secret, of the HMAC-SHA256 of `SECONDS.BODY`."""
    signed = b"%d." % at + body
    return ",".join([f"t={at}", *(f"v1={hmac.digest(secret, signed, 'sha256').hex()}" for secret in secrets)])
