"""`smsreceipt sends`: the ledger of what was sent, against which receipts are held."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from smsreceipt.app import App
from smsreceipt.cli.filters import bounds, read_dash, refuse_empty
from smsreceipt.cli.options import Group
from smsreceipt.cli.options import command as make
from smsreceipt.cli.types import When, span
from smsreceipt.errors import UsageError
from smsreceipt.model import Send, beijing_day
from smsreceipt.output.records import SEND_KEYS, csv_lines, json_line, send_record
from smsreceipt.store import Imported, SendQuery, SendState, StoredSend

if TYPE_CHECKING:
    from smsreceipt.ledger import Entry, Form

_AT_ONCE = 20_000  #: sends entered in one commit
_TOLD = 20  #: bad rows told one by one
_PIECE = 500
NEWEST = 50  #: what a person can look at
_COUNTED = 100_000  #: beyond this many, "more than" is exact enough for a person

command = Group("sends", help="Tell what was sent, so that what has no receipt can be found.")


# --- import -----------------------------------------------------------------------------------------------------------


@make("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True), metavar="FILE|-")
@click.option(
    "--map",
    multiple=True,
    metavar="FIELD=NAME,…",
    help="What the list calls a field: phone=mobile,biz_id=Bid.",
)
@click.option("--date", type=When(), metavar="DAY", help="Beijing day of the rows that tell no time.")
@click.option("--encoding", default="utf-8", show_default=True, metavar="NAME", help="Of the list: gb18030, utf-16.")
def import_command(app: App, file: str, **chosen: Any) -> None:
    """Enter what was sent, from a CSV with a header, JSON lines, or a log of SendSms calls.

    Needs the number, the BizId, and the time or day of each send; keeps OutId, template, signature and billed parts
    where they are told, never the text. Importing again changes nothing, or completes what is known. Bad rows are
    told and left out, and the exit code is 3.

    \b
      smsreceipt sends import sent-2026-11-20.csv
      smsreceipt sends import --map phone=mobile,sent_at=created app.log.gz
      psql -qc "COPY sms TO STDOUT CSV HEADER" | smsreceipt sends import -
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.ledger import Form

    day = beijing_day(span(chosen["date"], app.now())[0]) if chosen["date"] else None
    form = Form(_names(chosen["map"]), day, chosen["encoding"])
    with _opened(app, file) as stream:
        size = 0 if file == "-" else Path(file).stat().st_size
        _Import(app, form, lambda: (stream.tell(), size) if size else None).run(stream)


def _names(words: Iterable[str]) -> dict[str, str]:
    """Field -> what the list calls it. Raises UsageError."""
    from smsreceipt.ledger import FIELDS

    found: dict[str, str] = {}
    for word in ",".join(words).split(",") if words else ():
        field, equals, name = (part.strip() for part in word.partition("="))
        if field not in FIELDS or not equals or not name:
            raise UsageError(f"--map {word!r}: say FIELD=NAME", hint=f"FIELD is one of {', '.join(FIELDS)}.")
        found[field] = name
    return found


def _opened(app: App, file: str) -> AbstractContextManager[BinaryIO]:
    if file != "-":
        try:
            return Path(file).open("rb")
        except OSError as exc:
            raise UsageError(f"{file} cannot be read: {exc.strerror}") from exc
    if app.stdin is None:
        raise UsageError("standard input is closed: there is nothing for - to read")
    return nullcontext(app.stdin)


class _Import:
    """One list on its way into the ledger, and the books of it."""

    def __init__(self, app: App, form: Form, read: Callable[[], tuple[int, int] | None]) -> None:
        """*read* tells how many bytes of how many are read, where that is known."""
        self._app, self._form, self._read = app, form, read
        self._progress = app.progress()
        self._began = time.monotonic()
        self._rows = self._bad = self._declined = 0
        self._done = Imported()
        self._reasons: Counter[str] = Counter()

    def run(self, stream: BinaryIO) -> None:
        """Enter it, tell what was bad, sum up; what was committed stays, whatever stops it."""
        from smsreceipt.ingest import LockRetry
        from smsreceipt.ledger import entries

        lock_retry = LockRetry(self._say)
        sends = self._good(entries(stream, self._form))
        try:
            with self._app.open_store(readonly=False) as store, self._progress:
                while batch := list(islice(sends, _AT_ONCE)):
                    self._done += lock_retry.call(partial(store.add_sends, batch))
                    self._draw()
        except BaseException:
            if self._rows:  # else it was no list at all, and the error says all there is to say
                self._sum_up()
            raise
        self._sum_up()

    def _good(self, found: Iterable[Entry]) -> Iterator[Send]:
        """The sends; on the way, everything else is counted and told."""
        from smsreceipt.ledger import Bad

        for entry in found:
            self._rows += 1
            if isinstance(entry, Send):
                yield entry
            elif isinstance(entry, Bad):
                self._bad += 1
                self._reasons[entry.reason] += 1
                if self._bad <= _TOLD:
                    self._say(f"line {entry.line}: {entry.reason}")
            else:
                self._declined += 1

    def _say(self, text: str) -> None:
        self._progress.clear()
        self._app.say(text)

    def _draw(self) -> None:
        self._progress.update(
            received=self._rows,
            new=self._done.new,
            duplicate=self._done.known + self._done.completed,
            rejected=self._bad + self._declined,
            rate=self._rows / max(time.monotonic() - self._began, 0.001),
            read=self._read(),
        )

    def _sum_up(self) -> None:
        done, seconds = self._done, time.monotonic() - self._began
        if self._bad:
            self._app.attention()
        if self._bad > _TOLD:
            self._say(f"{self._bad - _TOLD:,} more bad rows; in all:")
            for reason, count in self._reasons.most_common():
                self._say(f"  {count:,} × {reason}")
        if done.contradicting:
            self._say(f"{done.contradicting:,} rows say otherwise than the ledger, which keeps what it knew first")
        self._app.summary(
            {
                "rows": done.new + done.known + done.completed + self._bad + self._declined,
                "new": done.new,
                "known": done.known,
                "completed": done.completed,
                "bad": self._bad,
                "refused": self._declined,
                "seconds": f"{seconds:.1f}",
                "rate": round(self._rows / max(seconds, 0.001)),
            }.items()
        )


# --- list -------------------------------------------------------------------------------------------------------------


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which sends: for list and forget."""
    for option in (
        click.option("--biz-id", multiple=True, metavar="ID", help="Only this BizId."),
        click.option("--phone", multiple=True, metavar="NUMBER|-", help="Only this number; - reads it from stdin."),
        click.option("--date", type=When(), metavar="DAY", help="Only what was sent on this Beijing day."),
    ):
        function = option(function)
    return function


@make("list", data=True)
@_filters
@click.option("--since", type=When(), metavar="TIME", help="From here on: a day, 3h, 2d, 2026-11-20T08:00.")
@click.option("--until", type=When(), metavar="TIME", help="Up to here; a day still counts.")
@click.option("--out-id", multiple=True, metavar="ID", help="Only this OutId.")
@click.option(
    "--state",
    multiple=True,
    type=click.Choice([str(state) for state in SendState]),
    metavar="STATE",
    help="Only open (no final receipt), with_receipt, waiting or no_record (as the provider said).",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    help="At most N: in a table the newest (50 unless told), else the first.",
)
def list_command(app: App, *, limit: int | None, **chosen: Any) -> None:
    """List what was sent, by day and BizId, each with what is known of its receipt.

    \b
      smsreceipt sends list --date yesterday --state open
      smsreceipt sends list --since 2d --state no_record --json | jq -r .phone
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    table = app.output == "table"
    asked = _query(app, chosen, limit=limit or (NEWEST if table else None), newest=table)
    printed = 0
    with app.open_store(readonly=True) as store:
        printer = _Printer(app)
        printed = printer.print(store.sends(asked))
        if not printed:
            printer.print_head()
            app.say("no sends")
        elif table and printed == asked.limit:
            rest = _query(app, chosen, limit=_COUNTED + printed)
            more = sum(1 for _ in store.sends(rest)) - printed
            if more > 0:
                app.flush()
                count = f"more than {more:,}" if more >= _COUNTED else f"{more:,}"
                app.say(f"{count} more: --limit N shows more of them, --json all")


def _query(app: App, chosen: dict[str, Any], **more: Any) -> SendQuery:
    """The SendQuery that the options ask for; raises UsageError when they contradict each other."""
    for name in ("phone", "biz_id", "out_id"):
        refuse_empty(chosen.get(name, ()), f"--{name.replace('_', '-')}")
    begin, end = bounds(app.now(), chosen.get("date"), chosen.get("since"), chosen.get("until"))
    if isinstance(chosen.get("phone"), tuple):  # read once: standard input is not there twice
        chosen["phone"] = _phones(app, chosen["phone"])
    return SendQuery(
        phones=chosen.get("phone", ()),
        biz_ids=chosen.get("biz_id", ()),
        out_ids=chosen.get("out_id", ()),
        states=[SendState(state) for state in chosen.get("state", ())],
        since=begin,
        until=end,
        **more,
    )


def _phones(app: App, words: tuple[str, ...]) -> list[str]:
    """Numbers as the ledger spells them. Raises UsageError, without the word, for one that is none."""
    if not words:
        return []
    from smsreceipt.ledger import number_of
    from smsreceipt.ledger.values import Refused

    try:
        return [number_of(word) for word in read_dash(app, words)]
    except Refused as exc:
        raise UsageError(f"--phone: {exc}") from exc


class _Printer:
    """Prints sends in the output asked for, in pieces of bounded size."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._draw: Callable[..., str] | None = None

    def print(self, sends: Iterable[StoredSend]) -> int:
        """Print them; return how many there were."""
        printed = 0
        rest = iter(sends)
        while piece := list(islice(rest, _PIECE)):
            self._app.write(self._piece(piece, first=not printed))
            printed += len(piece)
        return printed

    def print_head(self) -> None:
        """The head of a CSV that has no rows."""
        if self._app.output == "csv":
            self._app.write(csv_lines([SEND_KEYS]))

    def _piece(self, sends: list[StoredSend], *, first: bool) -> bytes:
        app = self._app
        if app.output == "table":
            if self._draw is None:
                from smsreceipt.output.terminal.sends import SendTable

                self._draw = SendTable(app.look()).draw
            return app.encode(self._draw(sends, more=len(sends) == _PIECE))
        records = [send_record(send, app.mask) for send in sends]
        if app.output == "json":
            return b"".join(map(json_line, records))
        rows = [[getattr(record, key) for key in SEND_KEYS] for record in records]
        return csv_lines([SEND_KEYS, *rows] if first else rows)


# --- forget -----------------------------------------------------------------------------------------------------------


@make("forget")
@click.option("--before", type=When(), metavar="DAY", help="What was sent before this Beijing day.")
@_filters
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget_command(app: App, *, before: str | None, yes: bool, **chosen: Any) -> None:
    """Forget what was sent: by day, number or BizId. Receipts stay.

    \b
      smsreceipt sends forget --before 2026-08-01 --yes
      echo 13800000001 | smsreceipt sends forget --phone - --yes
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    if before is None and not (chosen["date"] or chosen["phone"] or chosen["biz_id"]):
        raise UsageError("name the sends to forget", hint="With --before, --date, --phone or --biz-id.")
    if before is not None and chosen["date"]:
        raise UsageError("--date is one day; it cannot go with --before")
    if "-" in chosen["phone"] and not yes:
        raise UsageError("nobody can be asked whether to forget while - reads the numbers", hint="Say --yes.")
    query = _query(app, chosen)
    if before is not None:
        from dataclasses import replace

        query = replace(query, until=span(before, app.now())[0])
    with app.open_store(readonly=False) as store:
        if not yes:
            _ask(app, sum(1 for _ in islice(store.sends(query), _COUNTED)))
        forgotten = store.forget_sends(query)
    app.summary([("forgotten", forgotten)])


def _ask(app: App, count: int) -> None:
    if not app.stdin_is_tty:
        raise UsageError("nobody is there to be asked whether to forget", hint="Say --yes.")
    many = f"{count:,}{' or more' if count == _COUNTED else ''} send{'' if count == 1 else 's'}"
    click.confirm(f"Forget {many} for good? Receipts stay.", abort=True, err=True)


for _command in (import_command, list_command, forget_command):
    command.add_command(_command)
