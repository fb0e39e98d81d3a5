"""What a receiving run says while it runs, where several threads share one terminal."""

from __future__ import annotations

import io
import json
from pathlib import Path

from smsreceipt.app import App
from smsreceipt.decode import decode
from smsreceipt.model import Decoded, Delivery, Instant, Kind, Source, StoredReceipt, Tally
from smsreceipt.runs.reporter import Reporter
from smsreceipt.store import Kept
from tests.cli.program import report


def _kept(count: int = 0) -> Kept:
    bodies = [report(biz_id=f"{number}^0") for number in range(count)]
    delivery = Delivery((json.dumps(bodies).encode(),), Kind("SmsReport"), Source.REPLAY, "file", Instant(0))
    decoded: Decoded = decode(delivery)
    new = [StoredReceipt.of(each, delivery, seq) for seq, each in enumerate(decoded.receipts, 1)]
    return Kept(Tally(count, count, 0, 0, 0), new)


class _Terminal(io.BytesIO):
    """While a row is written, the next commit is done."""

    reporter: Reporter
    live: io.StringIO
    seen: str = ""

    def write(self, data: object) -> int:
        before = len(self.live.getvalue())
        self.reporter.kept(_kept())
        self.seen += self.live.getvalue()[before:]
        return super().write(data)  # type: ignore[arg-type]  # a buffer


def _run(*, terminal: bool) -> tuple[str, bytes]:
    """What was drawn while a row was printed, and what was printed."""
    out = _Terminal()
    out.live = io.StringIO()
    app = App(
        environ={}, home=Path("/"), stdin=None, stdout=out, stderr=out.live, stdout_is_tty=terminal, stderr_is_tty=True,
        columns=120,
    )  # fmt: skip
    out.reporter = Reporter(app)
    out.reporter.kept(_kept(1))
    assert out.reporter.close(lambda: False)
    return out.seen, out.getvalue()


def test_the_live_line_never_runs_into_a_row() -> None:
    drawn, printed = _run(terminal=True)
    assert drawn == ""
    assert b"138" in printed


def test_it_lives_on_where_the_rows_go_somewhere_else() -> None:
    drawn, printed = _run(terminal=False)
    assert "received 1" in drawn
    assert b"138" in printed
