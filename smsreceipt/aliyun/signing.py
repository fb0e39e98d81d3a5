"""Signed requests to the queue service and the RPC interface.

The official clients sign with the local time. The requests composed here carry the provider's time; tests compare them
with the official ones at one instant, and with the provider's published examples.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from .credentials import Credentials

if TYPE_CHECKING:
    from aliyunsdkcore.request import RpcRequest

    from .mns import Request

MNS_VERSION = "2015-06-06"


@lru_cache(maxsize=64)
def _keyed(secret: str) -> hmac.HMAC:
    """The initial state of every signature with *secret*. It is kept in memory only."""
    return hmac.new(secret.encode(), digestmod="sha1")


def _sign(secret: str, text: str) -> str:
    # hmac.digest() would release the interpreter lock on every call and wait to get it back.
    state = _keyed(secret).copy()
    state.update(text.encode())
    return b64encode(state.digest()).decode()


def mns(request: Request, host: str, credentials: Credentials, date: str) -> bytes:
    """The bytes of the signed HTTP request, with *host* as its Host header and *date* as its Date header.

    The signature covers the method, the type, the date, the x-mns headers, the path and the query, but not the token.
    Content-MD5 is left out: it is optional, and the official clients disagree on its format.
    """
    body = request.body
    kind = "text/xml;charset=UTF-8" if body else ""
    stated = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n" if body else ""
    token = f"security-token: {credentials.security_token}\r\n" if credentials.security_token else ""
    text = f"{request.method}\n\n{kind}\n{date}\nx-mns-version:{MNS_VERSION}\n{request.target}"
    head = (
        f"{request.method} {request.target} HTTP/1.1\r\nHost: {host}\r\nDate: {date}\r\n"
        f"x-mns-version: {MNS_VERSION}\r\n"
        f"Authorization: MNS {credentials.access_key_id}:{_sign(credentials.access_key_secret, text)}\r\n"
        f"{token}{stated}User-Agent: smsreceipt\r\n\r\n"
    )
    return head.encode("ascii") + body


def rpc_signature(method: str, parameters: str, secret: str) -> str:
    """The Signature of all parameters, those of the query and of the form together, as query_string() writes them."""
    # Nothing else is left to escape in what is escaped already.
    again = parameters.replace("%", "%25").replace("&", "%26").replace("=", "%3D")
    return _sign(f"{secret}&", f"{method}&%2F&{again}")


def query_string(parameters: Mapping[str, str]) -> str:
    """Parameters sorted by name, in the encoding that the provider signs."""
    return "&".join(f"{_encode(name)}={_encode(value)}" for name, value in sorted(parameters.items()))


def rpc_request(
    request: RpcRequest, credentials: Credentials, timestamp: str, nonce: str, region: str = "cn-hangzhou"
) -> tuple[str, str]:
    """The query string, signature included, and the form of an official request object."""
    parameters = {
        "RegionId": region,
        **{name: str(value) for name, value in request.get_query_params().items() if value is not None},
        "Action": request.get_action_name(),
        "Version": request.get_version(),
        "Format": "JSON",
        "Timestamp": timestamp,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureType": "",
        "SignatureVersion": "1.0",
        "SignatureNonce": nonce,
        "AccessKeyId": credentials.access_key_id,
    }
    if credentials.security_token:
        parameters["SecurityToken"] = credentials.security_token
    query = query_string(parameters)
    fields = {name: str(value) for name, value in request.get_body_params().items()}
    signed = query_string(parameters | fields) if fields else query
    signature = rpc_signature(request.get_method(), signed, credentials.access_key_secret)
    return f"{query}&Signature={_encode(signature)}", query_string(fields)


@lru_cache(maxsize=512)
def _encode(text: str) -> str:
    """RFC 3986: everything but letters, digits and -._~ is escaped."""
    return quote(text, safe="-._~")
