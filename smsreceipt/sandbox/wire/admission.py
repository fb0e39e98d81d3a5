"""Checks of every MNS request before its action: headers, clock, body, access key, signature, token."""

from __future__ import annotations

import re
from collections.abc import Mapping

from smsreceipt.sandbox.clock import Clock, instant_of
from smsreceipt.sandbox.wire.credentials import Keyring, Token
from smsreceipt.sandbox.wire.faults import Faults
from smsreceipt.sandbox.wire.http import Request
from smsreceipt.sandbox.wire.mns import VERSION, Refusal
from smsreceipt.sandbox.wire.signatures import content_md5_matches, mns_signature, mns_string

_AUTHORIZATION = re.compile(rb"MNS ([^:\s]+):(\S+)")


class Admission:
    """Checks requests in the order of the real service."""

    def __init__(self, clock: Clock, keys: Keyring, faults: Faults) -> None:
        self._clock = clock
        self._keys = keys
        self._faults = faults

    def check(self, request: Request) -> Token | None:
        """Return the token that signed the request; None: the account's own key did. Raises Refusal."""
        headers = request.headers
        match = _AUTHORIZATION.fullmatch(headers.get(b"authorization", b""))
        if match is None:
            missing = b"authorization" not in headers
            code = "MissingAuthorizationHeader" if missing else "InvalidAuthorizationHeader"
            raise Refusal(400, code, "Authorization header is missing or badly formed.")
        if headers.get(b"x-mns-version") != VERSION:
            raise Refusal(400, "InvalidArgument", f"Header x-mns-version must be {VERSION.decode()}.")
        self._check_date(headers)
        self._check_body(request)
        key = match[1].decode("latin-1")
        secret = self._keys.secret(key)
        if secret is None:
            raise Refusal(403, "InvalidAccessKeyId", "The AccessKey Id you provided is not exist.")
        date = headers.get(b"date", b"")
        if match[2] != mns_signature(secret, mns_string(request, date)) and (
            # Without Date, the documentation does not say whether the signed date is empty or that of x-mns-date.
            date or match[2] != mns_signature(secret, mns_string(request, headers[b"x-mns-date"]))
        ):
            raise Refusal(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided."
                " Check your key and signing method.",
            )
        return self._check_token(self._keys.token(key), headers.get(b"security-token"))

    def _check_date(self, headers: Mapping[bytes, bytes]) -> None:
        text = headers.get(b"x-mns-date") or headers.get(b"date")
        if not text:
            raise Refusal(400, "MissingDateHeader", "Date header is required.")
        instant = instant_of(text)
        if instant is None:
            raise Refusal(400, "InvalidDateHeader", "Date header must be an RFC 1123 date in GMT.")
        if self._clock.skewed(instant):
            raise Refusal(408, "TimeExpired", "The http request you sent is expired.")

    @staticmethod
    def _check_body(request: Request) -> None:
        declared = request.headers.get(b"content-md5")
        if declared and not content_md5_matches(declared, request.body):
            # The provider spells the code so.
            raise Refusal(400, "InvalidDegist", "The Content-MD5 you specified did not match what we received.")
        if request.body and not request.headers.get(b"content-type"):
            raise Refusal(400, "InvalidArgument", "Content-Type is required with a body.")

    def _check_token(self, token: Token | None, security_token: bytes | None) -> Token | None:
        if token is None:
            return None
        if security_token is None:
            raise Refusal(403, "InvalidAccessKeyId", "The AccessKey Id you provided is not exist.")
        if security_token != token.security_token:
            raise Refusal(403, "InvalidSecurityToken", "The security token you provided is invalid.")
        if self._faults.hit("token"):
            token.revoked = True
        if token.revoked or self._clock.now() >= token.expires:
            raise Refusal(403, "SecurityTokenExpired", "The security token you provided has expired.")
        return token
