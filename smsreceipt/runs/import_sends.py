"""Imports sends into the ledger from the lists that senders keep."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from smsreceipt.app import App
from smsreceipt.errors import UsageError
from smsreceipt.ingest import LockRetry
from smsreceipt.language import _, n_
from smsreceipt.ledger import BadRow, Entry, Form, Repeats, Skipped, entries
from smsreceipt.model import Send
from smsreceipt.runs.unguarded import say_unguarded
from smsreceipt.sources.files.open import find
from smsreceipt.store import Imported, Store

_AT_ONCE = 20_000  #: sends in one commit
_BAD_ROWS = 20  #: bad rows with a message each; the others are counted by reason


@dataclass(frozen=True, slots=True)
class Options:
    """How to import."""

    form: Form
    dry_run: bool = False  #: read and report only; the store is not opened


def run(app: App, words: Sequence[str], options: Options) -> None:
    """Import the sends of files, folders or standard input (-) and print the summary. Bad rows are left out.

    Exit code 3 if there are bad rows, or a list without a row. Raises UsageError if a file cannot be read or is no
    list of sends, after the other files are imported. After a crash, what was committed is in the ledger; to import
    the same list again changes nothing.
    """
    _Import(app, options).run(list(_files(app, words)))


def _files(app: App, words: Sequence[str]) -> Iterator[str]:
    """The files, those in folders in the order of their paths, without hidden ones."""
    for word in words:
        if word == "-" or not Path(word).is_dir():
            yield word
            continue
        found = [each for each in find([word], app.say) if not each.path.name.startswith((".", "~$"))]
        if not found:
            raise UsageError(_("no file in {folder}", folder=word))
        yield from (str(each.path) for each in found)


class _Import:
    """The import of lists, and its counters."""

    def __init__(self, app: App, options: Options) -> None:
        self._app, self._options = app, options
        self._progress = app.progress()
        self._began = time.monotonic()
        self._rows = self._bad = self._declined = self._skipped = 0
        self._done = Imported()
        self._reasons: Counter[str] = Counter()
        self._read: Callable[[], tuple[int, int] | None] = lambda: None
        self._name = ""  # of the list and a colon, where there are several

    def run(self, files: Sequence[str]) -> None:
        """Import the lists and print the summary, also after a failure."""
        failures: list[UsageError] = []
        opened = nullcontext() if self._options.dry_run else self._app.open_store(readonly=False)
        try:
            with opened as store, self._progress:
                for file in files:
                    self._name = f"{file}: " if len(files) > 1 else ""
                    try:
                        self._list(file, store)
                    except UsageError as exc:
                        failures.append(exc)
                        if self._name:
                            self._app.say(f"{self._name}{exc}")
        except BaseException:
            if self._rows:
                self._sum_up()
            raise
        if self._rows or not failures:  # without any row it was no list of sends, and the error says so
            self._sum_up()
        if failures:
            raise failures[0]

    def _list(self, file: str, store: Store | None) -> None:
        """Import one list."""
        lock_retry, repeats, before = LockRetry(self._app.say), Repeats(), self._rows
        with self._app.open_input(file) as stream:
            size = 0 if file == "-" else Path(file).stat().st_size
            self._read = lambda: (stream.tell(), size) if size else None
            form = replace(self._options.form, tell=self._tell if self._app.stderr_is_tty else None)
            sends = self._good(entries(stream, form))
            while batch := list(islice(sends, _AT_ONCE)):
                repeats.add(batch)
                if store is not None:
                    self._done += lock_retry.call(partial(store.add_sends, batch))
                else:
                    self._done += Imported(new=len(batch))
                self._show_progress()
        if self._rows == before:
            self._app.needs_a_look(self._name + _("the list is empty: it has no row of a send"))
        if repeats:
            self._app.say(f"{self._name}{repeats}")

    def _tell(self, said: str) -> None:
        self._app.say(f"{self._name}{said}")

    def _good(self, found: Iterable[Entry]) -> Iterator[Send]:
        """The valid sends; counts and reports the other rows."""
        for entry in found:
            self._rows += 1
            if isinstance(entry, Send):
                yield entry
            elif isinstance(entry, Skipped):
                self._skipped += 1
                self._rows -= 1
            elif isinstance(entry, BadRow):
                self._bad += 1
                self._reasons[entry.reason] += 1
                if self._bad <= _BAD_ROWS:
                    self._app.say(self._name + _("line {line}: {reason}", line=entry.line, reason=entry.reason))
            else:
                self._declined += 1

    def _show_progress(self) -> None:
        words = ("新增", "已知", "有误") if self._app.chinese else ("new", "known", "bad")
        done = self._done
        counts = (done.new, done.known + done.completed + done.forgotten, self._bad + self._declined)
        self._progress.update(self._rows, zip(words, counts, strict=True), read=self._read())

    def _sum_up(self) -> None:
        app, done, seconds = self._app, self._done, time.monotonic() - self._began
        if self._bad > _BAD_ROWS:
            app.say(n_("{n:,} more bad row; in all:", "{n:,} more bad rows; in all:", self._bad - _BAD_ROWS))
            for reason, count in self._reasons.most_common():
                app.say(f"  {count:,} × {reason}")
        if done.contradicting:
            app.say(
                n_(
                    "{n:,} row says otherwise than the ledger, which keeps what it knew first",
                    "{n:,} rows say otherwise than the ledger, which keeps what it knew first",
                    done.contradicting,
                )
            )
        if self._skipped:
            app.say(
                n_(
                    "left out, because they are no sends but totals or the like: {n:,} line",
                    "left out, because they are no sends but totals or the like: {n:,} lines",
                    self._skipped,
                )
            )
        if done.unguarded:
            say_unguarded(app)
        if self._bad:
            app.needs_a_look(
                _("bad rows: {n:,}, which are not imported; mend them and import the list again", n=self._bad)
            )
        sends = {"sends": done.new} if self._options.dry_run else {
            "new": done.new, "known": done.known, "completed": done.completed,
        }  # fmt: skip
        app.summary(
            {
                "rows": done.new + done.known + done.completed + done.forgotten + self._bad + self._declined,
                **sends,
                "bad": self._bad,
                "refused": self._declined,
                **({"forgotten": done.forgotten} if done.forgotten else {}),
                "seconds": f"{seconds:.1f}",
                "rate": round(self._rows / max(seconds, 0.001)),
            }
        )
