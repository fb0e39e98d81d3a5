"""`smsreceipt replay`: feed saved payloads into the store, or send them to a URL."""

from __future__ import annotations

import gc
import os
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from smsreceipt.app import App
from smsreceipt.cli.filters import complete_kind
from smsreceipt.cli.options import command as make
from smsreceipt.cli.types import Size
from smsreceipt.errors import UsageError
from smsreceipt.exits import worst
from smsreceipt.model import Decoded, Tally
from smsreceipt.runs.inputs import Inputs, decode_piece
from smsreceipt.runs.reporter import Reporter, point_to_rejects, refuse_full_disk, tell_failures
from smsreceipt.runs.stop import Stop

if TYPE_CHECKING:
    from smsreceipt.ingest import Committer
    from smsreceipt.sources.files.reader import Piece

_CLOSE = 3.0  # seconds for the last commit after a stop
_AHEAD = 8_000  # receipts decoded and not yet committed: two commits


@make("replay")
@click.argument("files", nargs=-1, required=True, metavar="FILE|DIR|-...")
@click.option("--kind", metavar="KIND", shell_complete=complete_kind, help="Read all of it as this message type.")
@click.option("--dry-run", is_flag=True, help="Store nothing; tell what would be stored, by kind.")
@click.option("--no-resume", is_flag=True, help="Begin at the beginning, though an earlier run was cut off.")
@click.option("--to", metavar="URL", help="Send it there instead, as the provider does; {kind} is replaced.")
@click.option(
    "--batch", type=click.IntRange(1, 2000), default=100, show_default=True, help="Receipts in a push, with --to."
)
@click.option("--rate", type=click.FloatRange(0, min_open=True), metavar="N", help="Pushes a second, with --to.")
@click.option(
    "--retry-scale",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    metavar="X",
    help="Times the 1, 5, 10 minutes after which a push is tried again.",
)
@click.option(
    "--min-free", type=Size(), default="64MiB", show_default=True, help="Refuse to start with less disk free."
)
def command(app: App, files: tuple[str, ...], **chosen: Any) -> None:
    """Feed saved payloads into the store, or send them to a URL.

    Takes JSON arrays, objects, NDJSON, base64 bodies of queue messages, what `list --json` prints, any mixture of
    them, and all of it packed with gzip. Bad elements become rejects with file and offset. A run that was cut off is
    taken up where it stopped; replaying anything again changes nothing.

    \b
      smsreceipt replay backup/ SmsReport-2026-11-20.ndjson.gz
      smsreceipt list --json --date yesterday | smsreceipt replay - --to http://127.0.0.1:9000/cb
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    _refuse_contradictions(chosen)
    gc.set_threshold(50_000)  # receipts are no cycles: looking at each of them again and again only costs
    inputs = Inputs(app, files, chosen["kind"])
    if chosen["to"]:
        from smsreceipt.runs.replay_to import send

        send(app, inputs, chosen)
    elif chosen["dry_run"]:
        from smsreceipt.runs.replay_dry import look

        look(app, inputs)
    else:
        refuse_full_disk(app.store_path, chosen["min_free"])
        _store(app, inputs, resume=not chosen["no_resume"])


def _refuse_contradictions(chosen: dict[str, Any]) -> None:
    """Sending and storing are not to be mistaken for one another."""
    source = click.get_current_context().get_parameter_source
    if chosen["to"]:
        if chosen["dry_run"]:
            raise UsageError("--dry-run and --to contradict each other", hint="Try --to on a receiver of your own.")
        return
    for option in ("batch", "rate", "retry_scale"):
        if source(option) is ParameterSource.COMMANDLINE:
            name = option.replace("_", "-")
            raise UsageError(f"--{name} says how to send, and --to is not there", hint="Add --to URL, or leave it out.")


def _store(app: App, inputs: Inputs, *, resume: bool) -> None:
    """Keep it all, then say how it went; the exit code tells the worst of it."""
    from smsreceipt.ingest import Committer, LockRetry

    with app.open_store(readonly=False) as store:
        unfinished = store.unfinished() if resume else {}
        reporter = Reporter(app, read=inputs.read)
        lock_retry = LockRetry(reporter.say)

        def stop() -> None:
            lock_retry.stop()
            inputs.halt.set()

        with Stop(app, stop) as stopping:
            committer = Committer[Decoded](
                store, lambda each: each, lock_retry=lock_retry, on_kept=reporter.kept, on_failure=inputs.halt.set
            )
            road = _Road(committer, reporter, inputs.halt)
            for piece in inputs.pieces(unfinished):
                road.put(piece)
            committed = committer.close(_CLOSE if stopping.requested else None)
            printed = reporter.close(lambda: stopping.requested)
            tell_failures(app, [*inputs.failures, *filter(None, [committer.failure])])
            _summarise(app, committer.tally, reporter.seconds)
            if not (committed and printed):  # a thread hangs in the store or in standard output
                os._exit(worst(app.codes))


class _Road:
    """From what is read to the committer: decoded here while it commits there, and never far ahead of it."""

    def __init__(self, committer: Committer[Decoded], reporter: Reporter, halt: threading.Event) -> None:
        self._committer, self._reporter, self._halt = committer, reporter, halt
        self._ahead = 0
        self._settled = threading.Condition()

    def put(self, piece: Piece) -> None:
        """Decode a piece and hand it on, once there is room."""
        decoded = decode_piece(piece)
        last = decoded[-1]
        delivery = replace(last.delivery, ack=partial(self._acked, piece.frames))
        decoded[-1] = replace(last, delivery=delivery)
        with self._settled:
            while (self._ahead > _AHEAD or not self._reporter.room()) and not self._halt.is_set():
                self._settled.wait(0.1)
            self._ahead += piece.frames
        for each in decoded:
            self._committer.put(each)

    def _acked(self, frames: int) -> None:
        with self._settled:
            self._ahead -= frames
            self._settled.notify()


def _summarise(app: App, tally: Tally, seconds: float) -> None:
    point_to_rejects(app, tally)
    app.summary(
        {
            **tally.books(),
            "seconds": f"{seconds:.1f}",
            "rate": round(tally.received / max(seconds, 0.001)),
        }.items()
    )
