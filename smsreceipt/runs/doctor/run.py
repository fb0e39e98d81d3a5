"""Runs the checks side by side, each with its own deadline, and prints what they found."""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from smsreceipt.app import App
from smsreceipt.errors import QueueNotFound, SmsReceiptError, UsageError
from smsreceipt.exits import worst
from smsreceipt.language import ENGLISH, _, chosen, using
from smsreceipt.output import terminal
from smsreceipt.output.objects.doctor import FINDINGS, Finding, State
from smsreceipt.output.printer import print_rows, tabular
from smsreceipt.runs.doctor.checks import check_of, checks
from smsreceipt.runs.doctor.finding import Check, Result, fail, failed, skipped
from smsreceipt.runs.pull import named_queues
from smsreceipt.runs.queues import configured_queues
from smsreceipt.sources.queue.absent import passed_over
from smsreceipt.sources.queue.client import Queue

_SLOW = ("Run it again; if it stays so, look at the network and its DNS", "请再次运行；若仍如此，请检查网络和 DNS")


def run(
    app: App,
    named: Sequence[str],
    uid: str | None,
    kinds: Sequence[str],
    *,
    push: str | None,
    offline: bool,
    known: Mapping[str, Callable[[str], str | None]],
) -> None:
    """Run all checks; print a row for each, and the verdict. Sets the exit code of the worst failure, else 3 to warn.

    The queues are those of the arguments, which are those of named_queues(), else those that `pull` drains. *push*: a
    callback URL to check. *offline*: call nobody. *known*: the environment variables of all options,
    and what tells what is wrong with the text of each.
    """
    fault: UsageError | None = None
    queues: Sequence[Queue] = ()
    with using(chosen() if tabular(app) else ENGLISH):  # errors that become findings
        try:
            queues = named_queues(app, named, uid, kinds) if named or uid or kinds else configured_queues(app)
        except UsageError as exc:
            fault = exc
        findings = look(app, checks(app, queues, fault, push, offline=offline, known=known), offline=offline)
    names = {check_of(queue): queue.name for queue in queues}
    absent = {each.check for each in findings if each.code == QueueNotFound.exit_code}
    over = passed_over(queues, {name for check, name in names.items() if check in absent})
    findings = [each for each in findings if names.get(each.check) not in over]
    height = None if app.verbosity > 0 else shutil.get_terminal_size().lines
    print_rows(app, FINDINGS, findings, lambda display: terminal.doctor.doctor(findings, display, height))
    states = Counter(each.state for each in findings)
    for each in findings:
        if each.state is State.FAIL:
            app.end_with(each.code)
    if not worst(app.exit_codes) and states[State.WARN]:
        app.needs_a_look(_("things that a person should look at: {count}", count=states[State.WARN]))
    app.summary({state.value: states[state] for state in State}, _verdict(states, chinese=app.chinese))


def _verdict(states: Counter[State], *, chinese: bool) -> str:
    """The result in one sentence."""
    fails, warns = states[State.FAIL], states[State.WARN]
    if not fails and not warns:
        return "一切正常" if chinese else "all is well"
    if chinese:
        return "，".join([f"失败 {fails} 项"] * bool(fails) + [f"需要留意 {warns} 项"] * bool(warns))
    return ", ".join([f"{fails} failed"] * bool(fails) + [f"{warns} to look at"] * bool(warns))


def look(app: App, table: Sequence[Check], *, offline: bool) -> list[Finding]:
    """What the checks found, in their order. A check that passes its deadline has failed; nobody waits for it."""
    done: queue.SimpleQueue[tuple[int, Finding]] = queue.SimpleQueue()
    began = time.monotonic()

    def perform(number: int, check: Check) -> None:
        result = _result(check) if not (offline and check.remote) else skipped("--offline", "--offline")
        done.put((number, result.of(check.name, time.monotonic() - began)))

    for number, check in enumerate(table):
        threading.Thread(target=perform, args=(number, check), daemon=True).start()
    found: dict[int, Finding] = {}
    with app.progress() as progress:
        while len(found) < len(table):
            waiting = [check.deadline for number, check in enumerate(table) if number not in found]
            try:
                number, finding = done.get(timeout=max(began + min(waiting) - time.monotonic(), 0.001))
                found.setdefault(number, finding)
            except queue.Empty:
                now = time.monotonic() - began
                late = [n for n, check in enumerate(table) if n not in found and check.deadline <= now]
                found |= {n: _late(table[n]).of(table[n].name, now) for n in late}
            progress.counted(len(found), len(table), ("checks", "项检查"))
    return [found[number] for number in range(len(table))]


def _result(check: Check) -> Result:
    try:
        return check.look()
    except SmsReceiptError as exc:
        return failed(exc)
    except Exception as exc:  # noqa: BLE001 - a bug in one check must not cost the others
        said = (f"internal error: {type(exc).__name__}", f"内部错误：{type(exc).__name__}")
        return fail(said, ("Report it as a bug", "请报告此缺陷"), 1)


def _late(check: Check) -> Result:
    said = (f"no answer within {check.deadline:.0f} s", f"{check.deadline:.0f} 秒内没有应答")
    return fail(said, _SLOW, check.late) if check.late else skipped(*said)
