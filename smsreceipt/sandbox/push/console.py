"""The console's test push: fixed data, sent once to the callback URL when somebody asks for it."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from smsreceipt.sandbox.clock import Clock, beijing
from smsreceipt.sandbox.push.bodies import body_of
from smsreceipt.sandbox.push.client import Callback, CallbackConnection
from smsreceipt.sandbox.wire.http import Request, Response
from smsreceipt.sandbox.wire.receipts import TEST_KINDS, console_receipt
from smsreceipt.sandbox.wire.rpc import json_response

PATH = "/_sandbox/test-push"


def respond(request: Request, callback_url: str, clock: Clock) -> Response | asyncio.Future[Response]:
    """Push the fixed data of the message type `kind` (default: SmsReport), and answer what the receiver made of it.

    A test push is neither counted among the pushes nor repeated.
    """
    kind = parse_qs(request.query).get("kind", ["SmsReport"])[0]
    if request.method != "POST":
        return json_response(405, {"error": "a test push is asked for with POST"})
    if not callback_url:
        return json_response(409, {"error": "there is no callback URL: start the sandbox with --push URL"})
    if kind not in TEST_KINDS:
        return json_response(404, {"error": f"the console has test pushes of {' and '.join(TEST_KINDS)} only"})
    callback = Callback.of(callback_url.replace("{kind}", kind))
    return asyncio.ensure_future(_push(callback, kind, body_of(kind, [console_receipt(kind, beijing(clock.now()))])))


async def _push(callback: Callback, kind: str, body: bytes) -> Response:
    connection = CallbackConnection(callback)
    try:
        reply = await connection.request("POST", body)
    finally:
        connection.close()
    fields = {"kind": kind, "accepted": not reply.fault, "fault": reply.fault or None}
    return json_response(200, {**fields, "milliseconds": round(reply.seconds * 1000, 1)})
