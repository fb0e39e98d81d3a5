"""How the reading commands put objects on standard output: a table, JSON lines or CSV, in pieces of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from smsreceipt.model import StoredReceipt
from smsreceipt.output.records import RECEIPT_KEYS, csv_lines, json_line, receipt_lines, receipt_row

if TYPE_CHECKING:
    from smsreceipt.output.terminal import Look

_PIECE = 500


class Screen(Protocol):
    """Where a command prints, and in which form."""

    @property
    def output(self) -> str:
        """table, json or csv."""

    @property
    def mask(self) -> bool:
        """Whether numbers and texts of people are masked."""

    def look(self) -> Look:
        """For whom tables are drawn."""

    def write(self, data: bytes) -> None:
        """Print lines. Raises ReaderGone or OutputError."""

    def encode(self, text: str) -> bytes:
        """A drawn table in the terminal's encoding."""


class ReceiptPrinter:
    """Prints receipts as they come, in the output asked for; heads come once. ``write`` is app.write or app.report.

    With *live*, as with app.report, the first receipts are not all there are: columns leave room for others.
    """

    def __init__(
        self, app: Screen, write: Callable[[bytes], None] | None = None, *, raw_csv: bool = False, live: bool = False
    ) -> None:
        self._app, self._raw, self._live = app, raw_csv, live or write is not None
        self._write = write or app.write
        self._form, self._mask = app.output, app.mask
        self._headed = False
        self.last_seq = 0  #: of what was printed so far
        self._draw: Callable[[Sequence[StoredReceipt]], str] | None = None

    def print(self, receipts: Iterable[StoredReceipt]) -> int:
        """Print them; return how many there were."""
        printed = 0
        for piece in _pieces(receipts):
            printed += len(piece)
            self.last_seq = piece[-1].seq or self.last_seq
            self._write(self._piece(piece))
        return printed

    def head(self) -> None:
        """Print the head of a CSV that has no rows, or none yet."""
        if self._form == "csv" and not self._headed:
            self._write(self._piece([]))

    def _piece(self, receipts: Sequence[StoredReceipt]) -> bytes:
        if self._form == "json":
            return receipt_lines(receipts, self._mask)
        if self._form == "csv":
            heads = [] if self._headed else [RECEIPT_KEYS]
            self._headed = True
            return csv_lines(heads, guard=False) + csv_lines(
                (receipt_row(receipt, self._mask) for receipt in receipts), guard=not self._raw
            )
        if self._draw is None:
            from smsreceipt.output.terminal import ReceiptTable

            more = self._live or len(receipts) == _PIECE
            self._draw = partial(ReceiptTable(self._app.look()).draw, more=more)
        return self._app.encode(self._draw(receipts))


def _pieces(receipts: Iterable[StoredReceipt]) -> Iterator[Sequence[StoredReceipt]]:
    rest = iter(receipts)
    while piece := list(islice(rest, _PIECE)):
        yield piece


def print_objects(app: Screen, objects: Sequence[dict[str, object]], draw: Callable[[], str]) -> None:
    """Print objects that share their keys; *draw* makes the table of them where one is wanted."""
    if app.output == "table":
        app.write(app.encode(draw()))
    elif app.output == "json":
        app.write(b"".join(map(json_line, objects)))
    elif objects:
        app.write(csv_lines([objects[0].keys(), *(each.values() for each in objects)]))
