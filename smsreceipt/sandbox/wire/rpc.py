"""The RPC envelope: checks of a request, dispatch by its Action, errors and JSON responses."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from smsreceipt.sandbox.clock import LEEWAY, Clock
from smsreceipt.sandbox.wire.credentials import ACCESS_KEY_ID, Keyring
from smsreceipt.sandbox.wire.http import Request, Response, request_uuid
from smsreceipt.sandbox.wire.signatures import ACS3, acs3_signature, rpc_signature, rpc_string

VERSION = "2017-05-25"
#: Of the international actions, which say ResponseCode and ResponseDescription for Code and Message.
INTERNATIONAL = "2018-05-01"
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

Parameters = Mapping[str, str]


class RpcError(Exception):
    """The gateway refuses a request before its action."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message or _MESSAGES[code]


class BusinessError(Exception):
    """An action refuses a request; the response has status 200 and this code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Action:
    """One action. *run* returns the fields of its response; it raises BusinessError."""

    required: tuple[str, ...]
    run: Callable[[Parameters], Mapping[str, object]]
    version: str = VERSION


class Rpc:
    """Checks requests and dispatches them by Action; the product's host does not matter."""

    def __init__(self, clock: Clock, keys: Keyring, actions: Mapping[str, Action]) -> None:
        self.calls: Counter[str] = Counter()
        self._clock = clock
        self._keys = keys
        self._actions = actions
        self._nonces: dict[str, float] = {}  # in the order of arrival

    def respond(self, request: Request) -> Response:
        """The response in JSON: a gateway error has its own status, a business error has status 200 and a Code."""
        try:
            parameters = self._check(request)
            result = self._act(parameters)
        except RpcError as error:
            return refused(error, request)
        return json_response(200, {"RequestId": request_uuid(), **result})

    def _act(self, parameters: Parameters) -> Mapping[str, object]:
        name = parameters["Action"]
        action = self._actions.get(name)
        if action is None:
            raise RpcError(404, "InvalidAction.NotFound")
        if parameters.get("Version") != action.version:
            raise RpcError(404, "InvalidVersion")
        self.calls[name] += 1
        _require(parameters, action.required)
        names = ("Code", "Message") if action.version == VERSION else ("ResponseCode", "ResponseDescription")
        try:
            return {**dict(zip(names, ("OK", "OK"), strict=True)), **action.run(parameters)}
        except BusinessError as error:
            return dict(zip(names, (error.code, error.message), strict=True))

    def _check(self, request: Request) -> Parameters:
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        if request.headers.get(b"authorization", b"").startswith(ACS3.encode()):
            return self._check_acs3(request, query, form)
        parameters = {**query, **form}
        _require(parameters, ("Action", "AccessKeyId", "Signature", "SignatureNonce", "Timestamp"))
        if parameters.get("SignatureMethod") != "HMAC-SHA1" or parameters.get("SignatureVersion") != "1.0":
            raise RpcError(400, "UnsupportedSignatureMethod")
        self._check_time(parameters["Timestamp"])
        string = rpc_string(request.method, parameters)
        expected = rpc_signature(self._secret(parameters["AccessKeyId"]), string)
        if parameters["Signature"] != expected:
            message = f"Specified signature is not matched with our calculation. server string to sign is:{string}"
            raise RpcError(400, "SignatureDoesNotMatch", message)
        self._use_nonce(parameters["SignatureNonce"])
        return parameters

    def _check_acs3(self, request: Request, query: dict[str, str], form: dict[str, str]) -> Parameters:
        header = {name.decode(): value.decode("latin-1") for name, value in request.headers.items()}
        parts = dict(part.strip().partition("=")[::2] for part in header["authorization"].removeprefix(ACS3).split(","))
        secret = self._secret(parts.get("Credential", ""))
        self._check_time(header.get("x-acs-date", ""))
        expected = acs3_signature(request, query, secret, parts.get("SignedHeaders", ""))
        digest = hashlib.sha256(request.body).hexdigest()
        if parts.get("Signature") != expected or header.get("x-acs-content-sha256", "").lower() != digest:
            raise RpcError(400, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation.")
        self._use_nonce(header.get("x-acs-signature-nonce", ""))
        return {**query, **form, "Action": header.get("x-acs-action", ""), "Version": header.get("x-acs-version", "")}

    def _secret(self, access_key_id: str) -> bytes:
        secret = self._keys.secret(access_key_id)
        if secret is None:
            raise RpcError(404, "InvalidAccessKeyId.NotFound")
        if access_key_id != ACCESS_KEY_ID:  # the RPC services accept no token for a queue
            raise RpcError(403, "InvalidSecurityToken")
        return secret

    def _check_time(self, text: str) -> None:
        try:
            instant = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise RpcError(400, "InvalidTimeStamp.Format") from None
        if self._clock.skewed(instant.timestamp()):
            raise RpcError(400, "InvalidTimeStamp.Expired")

    def _use_nonce(self, nonce: str) -> None:
        now = self._clock.now()
        if nonce in self._nonces:
            raise RpcError(400, "SignatureNonceUsed")
        self._nonces[nonce] = now
        while now - (oldest := next(iter(self._nonces.items())))[1] > 2 * LEEWAY:
            del self._nonces[oldest[0]]


def _require(parameters: Parameters, names: tuple[str, ...]) -> None:
    for name in names:
        if not parameters.get(name):
            raise RpcError(400, f"Missing{name}", f"{name} is mandatory for this action.")


def refused(error: RpcError, request: Request) -> Response:
    """The response that reports *error*."""
    host = request.headers.get(b"host", b"").decode("latin-1")
    fields = {"RequestId": request_uuid(), "HostId": host, "Code": error.code, "Message": error.message}
    return json_response(error.status, fields)


def limited() -> Response:
    """Too many requests, reported by the SMS service itself with status 200."""
    fields = {"RequestId": request_uuid(), "Code": "isv.BUSINESS_LIMIT_CONTROL", "Message": "触发流控"}
    return json_response(200, fields)


def json_response(status: int, fields: Mapping[str, object]) -> Response:
    """*fields* as JSON in UTF-8, not escaped to ASCII."""
    return Response(status, json.dumps(fields, ensure_ascii=False).encode(), b"application/json;charset=utf-8")
