"""Sends saved receipts to a callback URL in the form of the provider's pushes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import msgspec

from smsreceipt.aliyun.proxies import Proxies
from smsreceipt.app import App
from smsreceipt.decode import decode, kind_of
from smsreceipt.decode.frames import elements, unwrap
from smsreceipt.decode.saved import is_native
from smsreceipt.forward.callback import LIMIT, Callback, Push, Sender
from smsreceipt.forward.payload import as_pushed
from smsreceipt.forward.pushes import PUSHES
from smsreceipt.language import N_, _
from smsreceipt.matching import GLOBE_REPORT, SEND_DETAIL
from smsreceipt.model import Delivery, Kind, Reason
from smsreceipt.output import terminal
from smsreceipt.output.mask import mask_value
from smsreceipt.output.printer import LinePrinter
from smsreceipt.runs.inputs import Inputs
from smsreceipt.runs.receiving import report_failures
from smsreceipt.runs.signals import GracefulStop
from smsreceipt.sources.files.reader import Piece
from smsreceipt.waiting import wait_for

_NEVER_PUSHED = N_("an answer to a question, of which no push can be made")

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Options:
    """How to send."""

    batch: int  #: receipts in a push
    rate: float | None  #: pushes a second
    retry_scale: float  #: times the 1, 5 and 10 minutes after which a push is tried again


def run(app: App, inputs: Inputs, url: str, options: Options) -> None:
    """Send the receipts of the inputs; print the result of each push and the summary.

    Nothing is stored. Exit code 5: the receiver did not accept all of them; 3: some inputs could not be sent.
    """
    callback = Callback(url, insecure_http=app.insecure_http, proxies=Proxies(app.environ))
    counts: Counter[str] = Counter()
    printer = LinePrinter(
        app,
        PUSHES,
        lambda push, display, head: terminal.replay.push_line(push, display, head=head),
        write=app.report,
    )
    began = time.monotonic()

    def settled(push: Push) -> None:
        counts.update(
            receipts=push.receipts,
            accepted=push.receipts * push.accepted,
            refused=push.receipts * (push.attempts > 0 and not push.accepted),
            unsent=push.receipts * (not push.attempts),
            pushes=1,
            attempts=push.attempts,
            over_limit=push.over_limit,
        )
        printer.print(push)

    with GracefulStop(app, inputs.halt.set):
        sender = Sender(
            callback,
            batch=options.batch,
            rate=options.rate,
            scale=options.retry_scale,
            settled=settled,
            tell=app.say,
            wait=partial(wait_for, inputs.halt),
        )
        try:
            for piece in inputs.pieces():
                counts["skipped"] += _send(app, piece, sender, by_kind=callback.by_kind)
            sender.finish()
        finally:
            callback.close()
        report_failures(app, inputs.failures)
        _summarise(app, counts, time.monotonic() - began)


def _send(app: App, piece: Piece, sender: Sender, *, by_kind: bool) -> int:
    """Send the receipts of a piece; return the number of elements that could not be sent."""
    skipped = 0
    frames = [(delivery, frame) for delivery in piece.deliveries for frame in delivery.frames]
    for index, (delivery, frame) in enumerate(frames):
        for kind, body in _bodies(delivery, frame, by_kind=by_kind):
            if isinstance(body, bytes):
                sender.add(kind, _masked(body) if app.mask_data else body)
                continue
            skipped += 1
            place = f"{delivery.origin}:{piece.offsets()[index]}"
            app.say(_("{place}: left out: {reason}", place=place, reason=_(body)), verbosity=1)
    return skipped


def _bodies(delivery: Delivery, frame: bytes, *, by_kind: bool) -> Iterator[tuple[Kind | None, bytes | str]]:
    """The elements of a frame with their kind: the body to send, or the reason why it cannot be sent."""
    for body in _objects(frame):
        if isinstance(body, Reason):
            yield delivery.kind, body
            continue
        kind = delivery.kind or kind_of(_fields(body))
        row = delivery.biz_id and not is_native(body, kind, delivery.biz_id)
        if kind == GLOBE_REPORT and "MessageId" in _fields(body):  # the answer of QueryMessage
            yield kind, _answer(replace(delivery, kind=kind, biz_id=""), body)
        elif row:
            yield kind, _answer(delivery, body)
        elif kind == SEND_DETAIL:
            yield kind, _NEVER_PUSHED
        elif kind or not by_kind:
            yield kind, body
        else:
            yield kind, Reason.KIND_UNKNOWN


def _answer(delivery: Delivery, body: bytes) -> bytes | str:
    """The push with the same content as an answer of the query API, or why there is none."""
    receipts = decode(replace(delivery, frames=(body,))).receipts
    return as_pushed(receipts[0]) or _NEVER_PUSHED if receipts else _NEVER_PUSHED


def _objects(frame: bytes) -> Iterator[bytes | Reason]:
    """The bytes of each JSON object in a frame, or the reason why an element is none."""
    found = elements(unwrap(frame))
    for body in [found] if isinstance(found, Reason) else found:
        if isinstance(body, bytes):
            try:
                _fields(body)
            except (ValueError, RecursionError):
                yield Reason.JSON if body.startswith(b"{") else Reason.NOT_OBJECT
                continue
        yield body


def _masked(body: bytes) -> bytes:
    return msgspec.json.encode(mask_value(msgspec.json.decode(body)))


def _summarise(app: App, counts: Counter[str], seconds: float) -> None:
    names = ("receipts", "accepted", "refused", "unsent", "skipped", "pushes", "attempts", "over_limit")
    if counts["over_limit"]:
        app.say(
            _(
                "{n} of the pushes took longer than the {ms:.0f} ms the provider waits",
                n=counts["over_limit"],
                ms=LIMIT * 1000,
            )
        )
    if counts["skipped"]:
        app.needs_a_look(_("left out, because no push can hold them: {n:,}", n=counts["skipped"]))
    if counts["refused"] or counts["unsent"]:
        app.end_with(5)
    timing = {"seconds": f"{seconds:.1f}", "rate": round(counts["receipts"] / max(seconds, 0.001))}
    app.summary({name: counts[name] for name in names} | timing)
