"""The RPC services: what they check before an action, and how they say no."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from smsreceipt.sandbox.clock import LEEWAY, Clock
from smsreceipt.sandbox.sms.actions import Business, Sms
from smsreceipt.sandbox.wire import signatures as auth
from smsreceipt.sandbox.wire.http import Answer, Request, request_uuid
from smsreceipt.sandbox.wire.signatures import Keyring

VERSION = "2017-05-25"
_MESSAGES = {
    "SignatureNonceUsed": "Specified signature nonce was used already.",
    "InvalidTimeStamp.Format": "Specified time stamp or date value is not well formatted.",
    "InvalidTimeStamp.Expired": "Specified time stamp or date value is expired.",
    "InvalidAccessKeyId.NotFound": "Specified access key is not found.",
    "InvalidAction.NotFound": "Specified api is not found, please check your url and method.",
    "InvalidVersion": "Specified parameter Version is not valid.",
    "InvalidSecurityToken": "The specified SecurityToken is not valid.",
    "UnsupportedSignatureMethod": "Specified signature method or version is not supported.",
    "Throttling.User": "Request was denied due to user flow control.",
    "InternalError": "The request processing has failed due to some unknown error, exception or failure.",
}


class RpcError(Exception):
    """The gateway says no, before any action."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message or _MESSAGES[code]


class Rpc:
    """Dispatch by Action, whatever the product's host."""

    def __init__(self, clock: Clock, keys: Keyring, sms: Sms) -> None:
        self.calls: Counter[str] = Counter()
        self._clock = clock
        self._keys = keys
        self._sms = sms
        self._nonces: dict[str, float] = {}  # in the order they came

    def respond(self, request: Request) -> Answer:
        """The answer as JSON: a gateway error by its status, a business error as 200 with a Code."""
        try:
            parameters = self._admit(request)
            result = self._act(parameters)
        except RpcError as error:
            return refused(error, request)
        return answer(200, {"RequestId": request_uuid(), **result})

    def _act(self, parameters: Mapping[str, str]) -> Mapping[str, object]:
        action = parameters["Action"]
        act = self._sms.actions.get(action)
        if act is None:
            raise RpcError(404, "InvalidAction.NotFound")
        if parameters.get("Version") != VERSION:
            raise RpcError(404, "InvalidVersion")
        self.calls[action] += 1
        for name in act.required:
            if not parameters.get(name):
                raise RpcError(400, f"Missing{name}", f"{name} is mandatory for this action.")
        try:
            return {"Code": "OK", "Message": "OK", **act.run(parameters)}
        except Business as refusal:
            return {"Code": refusal.code, "Message": refusal.message}

    def _admit(self, request: Request) -> Mapping[str, str]:
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        if request.headers.get(b"authorization", b"").startswith(auth.ACS3.encode()):
            return self._admit_acs3(request, query, form)
        parameters = {**query, **form}
        for name in ("Action", "AccessKeyId", "Signature", "SignatureNonce", "Timestamp"):
            if not parameters.get(name):
                raise RpcError(400, f"Missing{name}", f"{name} is mandatory for this action.")
        if parameters.get("SignatureMethod") != "HMAC-SHA1" or parameters.get("SignatureVersion") != "1.0":
            raise RpcError(400, "UnsupportedSignatureMethod")
        self._check_time(parameters["Timestamp"])
        string = auth.rpc_string(request.method, parameters)
        expected = auth.rpc_signature(self._secret(parameters["AccessKeyId"]), string)
        if parameters["Signature"] != expected:
            message = f"Specified signature is not matched with our calculation. server string to sign is:{string}"
            raise RpcError(400, "SignatureDoesNotMatch", message)
        self._spend(parameters["SignatureNonce"])
        return parameters

    def _admit_acs3(self, request: Request, query: dict[str, str], form: dict[str, str]) -> Mapping[str, str]:
        header = {name.decode(): value.decode("latin-1") for name, value in request.headers.items()}
        parts = dict(
            part.strip().partition("=")[::2] for part in header["authorization"].removeprefix(auth.ACS3).split(",")
        )
        secret = self._secret(parts.get("Credential", ""))
        self._check_time(header.get("x-acs-date", ""))
        expected = auth.acs3_signature(request, query, secret, parts.get("SignedHeaders", ""))
        hashed = hashlib.sha256(request.body).hexdigest()
        if parts.get("Signature") != expected or header.get("x-acs-content-sha256", "").lower() != hashed:
            raise RpcError(400, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation.")
        self._spend(header.get("x-acs-signature-nonce", ""))
        own = {"Action": header.get("x-acs-action", ""), "Version": header.get("x-acs-version", "")}
        return {**query, **form, **own}

    def _secret(self, access_key_id: str) -> bytes:
        secret = self._keys.secret(access_key_id)
        if secret is None:
            raise RpcError(404, "InvalidAccessKeyId.NotFound")
        if access_key_id != auth.ACCESS_KEY_ID:  # a token for a queue opens nothing here
            raise RpcError(403, "InvalidSecurityToken")
        return secret

    def _check_time(self, text: str) -> None:
        try:
            instant = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise RpcError(400, "InvalidTimeStamp.Format") from None
        if self._clock.far(instant.timestamp()):
            raise RpcError(400, "InvalidTimeStamp.Expired")

    def _spend(self, nonce: str) -> None:
        now = self._clock.now()
        if nonce in self._nonces:
            raise RpcError(400, "SignatureNonceUsed")
        self._nonces[nonce] = now
        while now - (oldest := next(iter(self._nonces.items())))[1] > 2 * LEEWAY:
            del self._nonces[oldest[0]]


def refused(error: RpcError, request: Request) -> Answer:
    """The answer that an error is."""
    host = request.headers.get(b"host", b"").decode("latin-1")
    fields = {"RequestId": request_uuid(), "HostId": host, "Code": error.code, "Message": error.message}
    return answer(error.status, fields)


def limited() -> Answer:
    """Too often, as the SMS service itself says it: with a status of success."""
    fields = {"RequestId": request_uuid(), "Code": "isv.BUSINESS_LIMIT_CONTROL", "Message": "触发流控"}
    return answer(200, fields)


def answer(status: int, fields: Mapping[str, object]) -> Answer:
    """JSON, in UTF-8 as it is."""
    return Answer(status, json.dumps(fields, ensure_ascii=False).encode(), b"application/json;charset=utf-8")
