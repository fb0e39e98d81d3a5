"""Exports receipts, sends or figures to a file, to a file for each day, or to standard output."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from smsreceipt import __version__
from smsreceipt.app import App
from smsreceipt.errors import UsageError
from smsreceipt.language import _, listed, n_
from smsreceipt.model import date_of, iso_beijing
from smsreceipt.output.columns import View
from smsreceipt.output.files.formats import ENDINGS, About, Format, Writer, format_of, require
from smsreceipt.output.files.parts import Part, writing
from smsreceipt.output.files.places import Folder, checked
from smsreceipt.output.files.writers import line_writer_of, writer_of
from smsreceipt.output.mask import mask_numbers
from smsreceipt.runs.exported import Rows
from smsreceipt.runs.kinds import say_unknown_kinds
from smsreceipt.store import Store

T = TypeVar("T")

_STDOUT = "-"
_PIECE_ROWS = 1_000  # that are written at once
_PIECE_BYTES = 4 << 20  # of bodies, likewise


@dataclass(frozen=True, slots=True)
class Options:
    """How to export."""

    output: str  #: a path, "-" for standard output
    format: Format | None = None  #: None: the name of the file tells it
    columns: Sequence[str] = ()  #: keys, in the order of the columns; none: all
    by_day: bool = False  #: a file for each Beijing day; *output* is their folder
    excel: bool = False  #: CSV as Excel wants it
    force: bool = False  #: files that exist are replaced
    filters: Mapping[str, str] = field(default_factory=dict)  #: the options that chose the rows, as the user said them


def run(app: App, rows: Rows[T], options: Options) -> None:
    """Export the rows, and print a summary: rows, bytes, files and seconds.

    Files appear under their names when all of them are whole; an export that fails or is interrupted leaves none.
    Raises UsageError for options that do not fit together and for files that exist, FileFull if the disk is full.
    """
    wanted = _format(options)
    require(wanted)
    export = _Export(app, rows, options, wanted)
    with app.open_store(readonly=True) as store, store.snapshot(), app.progress() as export.progress:
        say_unknown_kinds(app, rows.kinds, store)
        if options.output == _STDOUT:
            export.to_stdout(store)
        elif options.by_day:
            export.to_folder(store)
        else:
            export.to_file(store)
    export.sum_up()


def _format(options: Options) -> Format:
    """The format of the export. Raises UsageError where options do not fit together."""
    streamed = options.output == _STDOUT
    if options.by_day and streamed:
        raise UsageError(_("--split-by day writes several files: --output must name a folder"))
    found = options.format or format_of(options.output)
    if found is None and options.excel:
        found = Format.CSV
    if found is None and streamed:
        found = Format.NDJSON
    if found is None:
        raise UsageError(
            _("the name {name} does not tell a format", name=options.output),
            hint=_(
                "Say --format {formats}, or end the name with one of {endings}.",
                formats="|".join(Format),
                endings=" ".join(ENDINGS),
            ),
        )
    if options.excel and found is not Format.CSV:
        raise UsageError(_("--excel is for csv; {format} needs no rules for Excel", format=found))
    if streamed and not found.streams:
        raise UsageError(
            _("{format} cannot be written to a pipe", format=found),
            hint=_("Name a file, or say --format ndjson or csv."),
        )
    return found


class _Export(Generic[T]):
    """One export, with its counts."""

    def __init__(self, app: App, rows: Rows[T], options: Options, wanted: Format) -> None:
        self._app, self._rows, self._options, self._format = app, rows, options, wanted
        self._view = _chosen(rows.view, options.columns)
        self._mask = app.mask_data
        self._about = About(rows.subject, self._facts())
        self._began = time.monotonic()
        self._count = self._bytes = self._files = self._shortened = 0
        self._last: T | None = None
        self.progress = app.progress()

    def _facts(self) -> dict[str, str]:
        """What formats that can tell it tell about this export."""
        filters = " ".join(f"{name} {value}" for name, value in self._options.filters.items())
        return {
            "rows of": self._rows.subject,
            "filter": mask_numbers(filters) if self._mask else filters,
            "masked": "yes" if self._mask else "no",
            "exported at": iso_beijing(self._app.now()),
            "version": f"smsreceipt {__version__}",
        }

    def to_stdout(self, store: Store) -> None:
        """Print the rows."""
        self._app.require_stdout()
        writer = line_writer_of(
            self._format, self._view, self._print, excel=self._options.excel, chinese=self._app.chinese
        )
        for piece in self._pieces(self._rows.all(store)):
            writer.write(piece)
            self._counted(piece, self._bytes)
        self._app.flush()

    def _print(self, data: bytes) -> None:
        self._app.write(data)
        self._bytes += len(data)

    def to_file(self, store: Store) -> None:
        """Write all rows to one file."""
        path = checked(self._options.output, force=self._options.force)
        with contextlib.ExitStack() as parts:
            part = _discarded(parts, Part(path))
            self._fill(part, self._pieces(self._rows.all(store)))
            with writing(path):
                part.publish()

    def to_folder(self, store: Store) -> None:
        """Write the rows of each day to a file of its own."""
        folder = Folder(self._options.output, self._rows.subject, self._format, force=self._options.force)
        days = [(day, date_of(day)) for day in self._rows.days(store)]
        with folder, contextlib.ExitStack() as stack:
            for _day, date in days:
                folder.path(date)  # before anything is written
            parts = []
            for day, date in days:
                pieces = self._pieces(self._rows.of_day(store, day))
                first = next(pieces, None)
                if first is not None:
                    part = _discarded(stack, folder.part(date))
                    self._fill(part, _with_first(first, pieces))
                    part.release()
                    parts.append(part)
            for part in parts:
                with writing(part.path):
                    part.publish()

    def _fill(self, part: Part, pieces: Iterable[list[T]]) -> None:
        """Write the pieces to the part, whole and on the disk."""
        before = self._bytes
        with contextlib.ExitStack() as abandoned:
            with writing(part.path):
                writer: Writer[T] = writer_of(
                    self._format, self._view, part, self._about, excel=self._options.excel, chinese=self._app.chinese
                )
                abandoned.callback(writer.abandon)
            for piece in pieces:
                with writing(part.path):
                    writer.write(piece)
                    self._counted(piece, before + part.stream.tell())
            with writing(part.path):
                writer.close()
                part.finish()
            abandoned.pop_all()
        self._files += 1
        self._bytes = before + part.size
        self._shortened += writer.shortened

    def _pieces(self, rows: Iterator[T]) -> Iterator[list[T]]:
        """The rows, masked if asked, in lists of bounded size."""
        piece: list[T] = []
        held = 0
        for row in map(self._view.masked, rows) if self._mask else rows:
            piece.append(row)
            held += self._rows.size(row)
            if len(piece) == _PIECE_ROWS or held >= _PIECE_BYTES:
                yield piece
                piece, held = [], 0
        if piece:
            yield piece

    def _counted(self, piece: Sequence[T], written: int) -> None:
        self._count += len(piece)
        self._bytes = written
        self._last = piece[-1]
        self.progress.exported(self._count, written)

    def sum_up(self) -> None:
        """Print what there is to say, and the summary."""
        if not self._count:
            self._app.say(_(self._rows.nothing))
        if self._shortened:
            self._app.needs_a_look(
                n_(
                    "{n} cell was cut to 32,767 characters, the most that .xlsx allows: ndjson, csv and parquet have"
                    " no limit",
                    "{n:,} cells were cut to 32,767 characters, the most that .xlsx allows: ndjson, csv and parquet"
                    " have no limit",
                    self._shortened,
                )
            )
        seconds = time.monotonic() - self._began
        figures: dict[str, object] = {"rows": self._count, "bytes": self._bytes, "files": self._files}
        figures["seconds"] = f"{seconds:.1f}"
        figures["rate"] = round(self._count / max(seconds, 0.001))
        if self._last is not None and (position := self._rows.position(self._last)) is not None:
            figures["last_seq"] = position
        self._app.summary(figures)


def _chosen(view: View[T], columns: Sequence[str]) -> View[T]:
    """The view with these columns only. Raises UsageError for one that it does not have."""
    if not columns:
        return view
    for key in columns:
        if key not in view.keys:
            raise UsageError(
                _("--columns: there is no column {key}", key=key),
                hint=_("There are {columns}.", columns=listed(view.keys)),
            )
    return view.only([*dict.fromkeys(columns)])


def _discarded(stack: contextlib.ExitStack, part: Part) -> Part:
    """The part, which is deleted when the stack is closed unless it has its name by then."""
    stack.callback(part.discard)
    return part


def _with_first(first: T, rest: Iterable[T]) -> Iterator[T]:
    yield first
    yield from rest
