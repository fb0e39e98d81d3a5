"""Writes the figures of some days as one HTML page."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from smsreceipt.app import App
from smsreceipt.insight.answer import readers_of
from smsreceipt.insight.question import Question
from smsreceipt.insight.stats import Stats
from smsreceipt.language import _
from smsreceipt.notify.message import Attachment
from smsreceipt.output import html
from smsreceipt.output.formatting import size
from smsreceipt.permissions import unusable
from smsreceipt.runs.figure_settings import day_of_interest, question_of_day
from smsreceipt.runs.folding import fold
from smsreceipt.runs.places import places
from smsreceipt.runs.private_file import write_private
from smsreceipt.runs.stats import is_empty, load, next_step
from smsreceipt.store import Store

STDOUT = "-"


@dataclass(frozen=True, slots=True)
class Options:
    """How the page looks, and where it goes."""

    file: str | None = None  #: a path, a folder, or STDOUT; None: report-DAY.html in the current folder
    title: str = ""
    data: bool = True  #: the object of `stats --json` is in the page
    show: bool = False  #: open it in a browser
    prefixes: str | None = None  #: a phone.dat


def run(app: App, question: Question, options: Options, browse: Callable[[str], bool] = webbrowser.open) -> None:
    """Write the page, and tell where. Raises UsageError if the file cannot be written.

    A page without figures is written too: a line tells the next step.
    """
    found = _figures(app, question, options.prefixes)
    made = html.page(found, chinese=app.chinese, made_at=app.now(), title=options.title, data=options.data)
    if options.file == STDOUT:
        app.require_stdout()
        app.write(made)
        app.flush()
    else:
        path = _path(options.file, found)
        _write(path, made)
        app.say(_("written: {path} ({size})", path=path, size=size(len(made))))
        if options.show and not browse(path.absolute().as_uri()):
            app.warn(_("no browser was found to open it with"))
    if options.data and not html.has_data(made):
        app.warn(
            _(
                "the object is left out, as the page would be larger than {size} with it: smsreceipt stats --json",
                size=size(html.LARGEST),
            )
        )
    if is_empty(found):
        app.say(next_step(found, question))


def _figures(app: App, question: Question, prefixes: str | None) -> Stats:
    place = places(app, prefixes)
    fold(app, place)
    with app.open_store(readonly=True) as store, store.snapshot():
        return load(app, store, question, place)


def attachment(app: App, store: Store) -> Attachment:
    """The page of today for a mail, or of yesterday in the first hour of a day, by the settings of `stats`.

    Raises StoreUnavailable, and UsageError if the file of `[stats] prefixes` cannot be used.
    """
    place, now = places(app), app.now()
    store.fold(readers_of(place))
    with store.snapshot():
        found = load(app, store, question_of_day(app, day_of_interest(now)), place)
    return Attachment(_name(found), "html", html.page(found, chinese=app.chinese, made_at=now))


def _name(found: Stats) -> str:
    days = found.first if found.first == found.last else f"{found.first}_{found.last}"
    return f"report-{days}.html"


def _path(file: str | None, found: Stats) -> Path:
    """Where the page goes; a folder gets the default name."""
    path = Path(file or _name(found)).expanduser()
    return path / _name(found) if path.is_dir() else path


def _write(path: Path, made: bytes) -> None:
    try:
        write_private(path, made, replace=True)
    except OSError as exc:
        raise unusable(_("{name} cannot be written", name=path), exc, path, write=True) from exc
