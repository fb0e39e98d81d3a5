"""Checks whether the store is whole: what is derived is what the log of receipts says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from smsreceipt.app import App
from smsreceipt.decode import of_send, reread
from smsreceipt.decode.saved import decode_saved
from smsreceipt.errors import StoreDamaged
from smsreceipt.insight.answer import readers_of
from smsreceipt.language import _, n_
from smsreceipt.matching import SEND_DETAIL, SMS_REPORT
from smsreceipt.model import Delivery, Instant, Kind, Receipt, Source
from smsreceipt.output import terminal
from smsreceipt.output.objects.check import FAULTS
from smsreceipt.output.printer import Printer, tabular
from smsreceipt.runs.existing import open_existing, say_absent
from smsreceipt.runs.places import places
from smsreceipt.runs.removing import Remover
from smsreceipt.store import Store
from smsreceipt.store.checking.faults import DAMAGE, DERIVED, Fault, Finding
from smsreceipt.store.removal import UNATTRIBUTED

_SHOWN = 1_000  # findings on a screen; more are the same again


def run(app: App, *, deep: bool, fix: bool) -> None:
    """Print a row for each finding, and the summary. Exit code 3 if there is any, 7 if receipts are damaged.

    *deep*: also for each receipt that this version reads differently. *fix*: derive again what is wrong, and finish
    what a killed prune or forget has left; exit code 0 if nothing is left.
    """
    counts: Counter[str] = Counter()
    kept: list[Fault] = []
    place = places(app)
    if not fix:
        say_absent(app)
    opened = open_existing(app, backfill=False) if fix else app.open_store(readonly=True)
    with opened as store, app.progress() as progress:
        _see_to_removals(app, store, fix=fix)

        def show(done: int, total: int) -> None:
            progress.counted(done, total, ("receipts checked", "已检查回执"))

        def counted() -> Iterator[Fault]:
            for fault in store.verify(read_again, readers_of(place), on_progress=show):
                counts[fault.finding] += 1
                if fix and fault.fixable:
                    kept.append(fault)
                if deep or fault.finding is not Finding.READS_DIFFERENTLY:
                    yield fault

        _print(app, counted())
        fixed = store.repair(kept) if kept else 0
        checked = store.facts().statements
    differently = 0 if deep else counts.pop(Finding.READS_DIFFERENTLY, 0)
    _tell(app, counts, fixed, fix=fix)
    if differently:
        app.say(
            n_(
                "this version would read {n} receipt differently: smsreceipt check --deep lists it",
                "this version would read {n} receipts differently: smsreceipt check --deep lists them",
                differently,
            )
        )
    app.summary({"checked": checked, "findings": counts.total(), **({"fixed": fixed} if fix else {})})


def _see_to_removals(app: App, store: Store, *, fix: bool) -> None:
    """Attribute what a removal that was killed has left; without *fix*, say that it is to be done."""
    left = len(store.notes(UNATTRIBUTED))
    if left and fix:
        Remover(app, store.removals()).attribute()
    elif left:
        app.say(
            n_(
                "answers about {n} number wait to be attributed anew: a prune or forget is running, or was cut off;"
                " if none runs: smsreceipt check --fix",
                "answers about {n} numbers wait to be attributed anew: a prune or forget is running, or was cut off;"
                " if none runs: smsreceipt check --fix",
                left,
            )
        )


def _print(app: App, faults: Iterator[Fault]) -> None:
    if not tabular(app):
        printer = Printer(app, FAULTS)
        for fault in faults:
            printer.print([fault])
        printer.end()
        return
    shown: list[Fault] = []
    counts: Counter[str] = Counter()
    for fault in faults:
        counts[fault.finding] += 1
        if len(shown) < _SHOWN:
            shown.append(fault)
    app.write(app.encode(terminal.check.check(shown, counts, app.display())))


def _tell(app: App, counts: Counter[str], fixed: int, *, fix: bool) -> None:
    """Say what follows from the findings, and set the exit code."""
    if damaged := sum(counts[each] for each in DAMAGE):
        said = n_(
            "the store {store} is damaged: {n} finding that nothing can derive again",
            "the store {store} is damaged: {n} findings that nothing can derive again",
            damaged,
            store=app.store_location,
        )
        app.error(StoreDamaged(said))
        app.say("hint: " + _("restore a backup, or copy what can be read: smsreceipt store copy FROM TO"))
        app.end_with(StoreDamaged.exit_code)
    elif left := counts.total() - fixed:
        derived = not fix and any(counts[each] for each in DERIVED)
        if derived:
            app.needs_a_look(_("findings: {n}; what is derived is made again by: smsreceipt check --fix", n=left))
        else:
            app.needs_a_look(_("findings: {n}", n=left))


def read_again(kind: Kind, body: bytes, biz_id: str) -> Receipt | None:
    """What today's tables read in the body of a stored receipt, whose BizId is given; None where they refuse it."""
    found = reread(kind, body)
    if found is None:
        about = biz_id if kind == SMS_REPORT else ""
        saved = decode_saved(Delivery((body,), kind, Source.REPLAY, "", Instant(0), biz_id=about)).receipts
        found = saved[0] if len(saved) == 1 else None
    if found is not None and found.kind == SEND_DETAIL != kind:
        return of_send(found, biz_id)
    return found
