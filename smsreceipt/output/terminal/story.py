"""The screen of `smsreceipt show`: what happened to a message or a call, in time order, and what it means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from rich.console import RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from smsreceipt import codes
from smsreceipt.codes import Explanation
from smsreceipt.model import BEIJING, DAY_MS, Answer, Instant, Outcome, StoredReceipt, contradictory
from smsreceipt.output.look import Look
from smsreceipt.output.mask import mask_value
from smsreceipt.output.objects.common import OUTCOME_STYLE, outcome_cell
from smsreceipt.output.objects.receipts import masked_receipt
from smsreceipt.output.objects.sends import masked_send, state_cell
from smsreceipt.output.safe import safe
from smsreceipt.output.terminal.codes import meaning_lines
from smsreceipt.output.terminal.screen import draw, styled, text, wrapped
from smsreceipt.output.words import elapsed, wall_clock
from smsreceipt.store import StoredSend

#: Steps of a call in the order in which they happen: the field that tells when, and what to call it.
_CALL_STEPS = (
    ("call_out_time", "callee dialled", "呼叫被叫"),
    ("ring_time", "ringing", "振铃"),
    ("start_time", "answered", "接听"),
)
#: Kinds whose identity is that of a send.
_REPORTS = ("SmsReport", "DypnsSmsVerifyReport")
#: What the provider said of a send when there was no receipt to be had.
_ANSWERS: dict[Answer | None, tuple[str, str]] = {
    Answer.WAITING: ("asked: the provider still waits for the carrier", "已查询：服务商仍在等待运营商回执"),
    Answer.NO_RECORD: ("asked: the provider knows of no such send", "已查询：服务商没有该条发送记录"),
}
_RELEASED_BY = {"0": ("platform", "平台"), "1": ("caller", "主叫"), "2": ("callee", "被叫")}

#: What a statement of a kind is called on the time line.
_TITLES = {
    "SmsReport": ("report", "回执"),
    "DypnsSmsVerifyReport": ("report", "回执"),
    "SmsUp": ("reply", "上行回复"),
    "SignSmsReport": ("signature review", "签名审核"),
    "TemplateSmsReport": ("template review", "模板审核"),
    "SecretStartReport": ("call set up", "发起呼叫"),
    "SecretReport": ("call ended", "通话结束"),
    "SecretRecording": ("recording made", "生成录音"),
    "SecretSmsIntercept": ("SMS through the privacy number", "隐私号短信"),
    "SecretRingReport": ("ringing", "振铃"),
    "SecretPickUpReport": ("picked up", "摘机"),
    "SecretAsrReport": ("transcript", "语音转写"),
    "SecretExceptionPhoneReport": ("number out of order", "号码异常"),
    "NumberManagementReport": ("number changed", "号码变更"),
}
#: Fields of a body that the screen already tells in words of its own.
_TOLD = re.compile(
    "(phone_number|biz_id|out_id|call_id|sequence_id|err_code|success|pool_key|create_date|release_(cause|dir)"
    "|(send|report|call|release|start|ring|call_out)_time|(sign|template)_status"
    "|To|PhoneNumber|Status|SendStatus|MessageId|BizId|SendDate|ReceiveDate|ErrorCode)"
)


@dataclass(slots=True)
class _Event:
    at: Instant
    title: Text
    lines: list[Text] = field(default_factory=list)
    style: str = "cyan"
    day_only: bool = False  #: nobody knows the time


@dataclass(slots=True)
class _Subject:
    """A message, a call, a review: the statements that belong together, and what the ledger says of it."""

    statements: list[StoredReceipt]
    is_call: bool
    sent: StoredSend | None = None

    @property
    def first(self) -> Instant:
        known = [_happened(statement) for statement in self.statements]
        return min([*known, _sent_at(self.sent)] if self.sent else known)


def story(
    statements: Sequence[StoredReceipt],
    current: frozenset[int | None],
    look: Look,
    sends: Iterable[StoredSend] = (),
) -> str:
    """Everything these statements and sends tell, one subject after the other.

    *current* holds the seqs of the statements that are states.
    """
    parts: list[RenderableType] = []
    for subject in sorted(_subjects(statements, sends), key=lambda each: each.first):
        if parts:
            parts.append("")
        parts.extend(_heading(subject, current, look))
        parts.append(_time_line(sorted(_events(subject, current, look), key=lambda event: event.at), look))
    return draw(look, *parts)


def _subjects(statements: Iterable[StoredReceipt], sends: Iterable[StoredSend]) -> Iterable[_Subject]:
    """Statements about one identity belong together; those about one call do too, whatever their kind."""
    found: dict[tuple[str, ...], _Subject] = {}
    for statement in statements:
        call = statement.receipt.call_id
        key = ("call", call) if call else (statement.receipt.kind, *statement.receipt.identity)
        found.setdefault(key, _Subject([], bool(call))).statements.append(statement)
    for stored in sends:
        identity = (stored.send.biz_id, stored.send.phone)
        kind = next((kind for kind in _REPORTS if (kind, *identity) in found), _REPORTS[0])
        found.setdefault((kind, *identity), _Subject([], is_call=False)).sent = stored
    return found.values()


def _sent_at(stored: StoredSend) -> Instant:
    """When it was sent; where only the day is known, when that began in Beijing."""
    send = stored.send
    return Instant(send.day * DAY_MS - 8 * 3_600_000) if send.sent_at is None else send.sent_at


def _happened(statement: StoredReceipt) -> Instant:
    """When the first thing that a statement tells of happened."""
    receipt = statement.receipt
    return next(at for at in (receipt.sent_at, receipt.reported_at, statement.received_at) if at is not None)


def _heading(subject: _Subject, current: frozenset[int | None], look: Look) -> Iterator[RenderableType]:
    """Who, what, how it ended; then the ids; then whatever is wrong with it."""
    if not subject.statements:
        yield from _heading_of_send(subject, look)
        return
    states = [statement for statement in subject.statements if statement.seq in current] or subject.statements
    best = next((state for state in states if state.receipt.outcome), states[0])
    shown = masked_receipt(best) if look.mask else best
    title = Text()
    what = Text(_what(subject, best, look), "bold" if not shown.receipt.phone else "")
    for piece in (text(shown.receipt.phone, "bold"), what, styled(outcome_cell(best.receipt.outcome, look))):
        if piece.plain:
            title.append(look.dot if title.plain else "").append(piece)
    title.stylize("bold")
    yield title
    yield from _ids(shown, look)
    if any(statement.receipt.test for statement in subject.statements):
        yield Text(look.say("a test push of the console, not a message", "控制台的测试推送，并非真实消息"), "dim")
    yield from _conflict(subject, look)
    yield _rule(look)


def _heading_of_send(subject: _Subject, look: Look) -> Iterator[RenderableType]:
    """Of what was sent and never heard of again."""
    assert subject.sent is not None  # noqa: S101 - a subject has one or the other
    send = masked_send(subject.sent.send) if look.mask else subject.sent.send
    message = look.say("message", "短信")
    yield Text.assemble(
        text(send.phone), look.dot, message, look.dot, styled(state_cell(subject.sent.state, look)), style="bold"
    )
    yield _named([("biz id", send.biz_id), ("out id", send.out_id)], look)
    yield _rule(look)


def _rule(look: Look) -> Rule:
    return Rule(style="dim", characters="─" if look.unicode else "-")


def _what(subject: _Subject, best: StoredReceipt, look: Look) -> str:
    if subject.is_call and best.receipt.kind != "SecretSmsIntercept":
        return look.say("call", "通话")
    if best.receipt.kind in _REPORTS:
        return look.say("message", "短信")
    return _kind_word(best, look)


def _kind_word(statement: StoredReceipt, look: Look) -> str:
    """What the statement is called; a kind we have no word for by its own name, which comes from outside."""
    kind = safe(statement.receipt.kind)
    return look.say(*_TITLES.get(kind, (kind, kind)))


def _ids(shown: StoredReceipt, look: Look) -> Iterator[Text]:
    pairs = [("biz id", shown.receipt.biz_id), ("out id", shown.receipt.out_id), ("call id", shown.receipt.call_id)]
    if not any(value for _, value in pairs):
        pairs = [(look.say("id", "标识"), " ".join(part for part in shown.receipt.identity if part))]
    yield _named(pairs, look)


def _named(pairs: Iterable[tuple[str, str | None]], look: Look) -> Text:
    line = Text(style="dim")
    for name, value in pairs:
        if value:
            line.append(look.dot if line.plain else "").append(f"{name} ").append(text(value))
    return line


def _conflict(subject: _Subject, look: Look) -> Iterator[Text]:
    by_identity: dict[tuple[str, ...], set[Outcome | None]] = {}
    for statement in subject.statements:
        receipt = statement.receipt
        by_identity.setdefault((receipt.kind, *receipt.identity), set()).add(receipt.outcome)
    for outcomes in by_identity.values():
        if contradictory(outcomes):
            words = sorted(look.outcome(outcome) for outcome in outcomes if outcome)
            said = look.say("The statements contradict each other", "回执相互矛盾")
            mark = "⚠ " if look.unicode else "! "
            yield Text(f"{mark}{said}: {' / '.join(words)}", "bold red")


def _events(subject: _Subject, current: frozenset[int | None], look: Look) -> Iterator[_Event]:
    sent: set[tuple[Instant, str]] = set()
    told: set[tuple[str, str]] = set()
    if subject.sent:
        yield from _ledger(subject.sent, [at for each in subject.statements if (at := each.receipt.sent_at)], look)
        sent |= {(at, each.receipt.phone) for each in subject.statements if (at := each.receipt.sent_at) is not None}
    for statement in sorted(subject.statements, key=lambda each: each.seq or 0):
        body = _body(statement, look)
        if statement.receipt.kind == "SecretReport":
            yield from _call_steps(statement, body, look)
        elif statement.receipt.reported_at is not None and statement.receipt.sent_at is not None:
            key = (statement.receipt.sent_at, statement.receipt.phone)
            if key not in sent:
                sent.add(key)
                yield _Event(statement.receipt.sent_at, Text(look.say("sent", "发送")))
        yield _statement(statement, body, told, statement.seq in current, look)


def _ledger(stored: StoredSend, told: Sequence[Instant], look: Look) -> Iterator[_Event]:
    """What the ledger says of a message; the provider's own time of sending, where it told one, is the better one."""
    send = stored.send
    at = min(told) if told else _sent_at(stored)
    parts = "" if send.parts is None else str(send.parts)
    pairs = [(look.say("template", "模板"), send.template_code), (look.say("signature", "签名"), send.sign_name)]
    line = _named([*pairs, (look.say("parts", "条数"), parts)], look)
    day_only = not told and send.sent_at is None
    yield _Event(at, Text(look.say("sent", "发送")), [line] if line.plain else [], day_only=day_only)
    if stored.asked_at is not None and stored.answer in _ANSWERS:
        yield _Event(stored.asked_at, Text(look.say(*_ANSWERS[stored.answer])), style="magenta")


def _body(statement: StoredReceipt, look: Look) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.json.decode(statement.receipt.body)
    return mask_value(fields, "", statement.receipt.phone or "") if look.mask else fields


def _call_steps(statement: StoredReceipt, body: dict[str, Any], look: Look) -> Iterator[_Event]:
    """The steps that the record of a call tells of. A step that never happened repeats the time of the one before."""
    before = statement.receipt.sent_at
    for name, english, chinese in _CALL_STEPS:
        at = _beijing(body.get(name))
        if at is None or at == before or (name == "start_time" and statement.receipt.outcome is Outcome.UNCONNECTED):
            continue
        before = at
        yield _Event(at, Text(look.say(english, chinese)))


def _beijing(value: object) -> Instant | None:
    try:
        moment = datetime.strptime(str(value), "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None
    return Instant(int(moment.timestamp()) * 1000)


def _statement(
    statement: StoredReceipt, body: dict[str, Any], told: set[tuple[str, str]], current: bool, look: Look
) -> _Event:
    """One statement: its word, how long it took, what its code means, and how it came. *told* grows with its fields."""
    at = _happened(statement) if statement.receipt.reported_at is None else statement.receipt.reported_at
    title = Text(_kind_word(statement, look))
    style = "cyan"
    if statement.receipt.outcome is not None:
        style = OUTCOME_STYLE[statement.receipt.outcome]
        title = Text.assemble((look.outcome(statement.receipt.outcome), f"bold {style}"))
        if statement.receipt.kind not in _REPORTS:
            title = Text(_kind_word(statement, look)).append(look.dot).append(title)
    if statement.receipt.code:
        title.append("  ").append(text(statement.receipt.code, "bold"))
    title.append(_took(statement, body, look))
    if not current:
        title.append(look.say("  superseded", "  已被取代"), "dim")
    return _Event(at, title, [*_meaning(statement, look), *_fields(body, told), _provenance(statement, look)], style)


def _took(statement: StoredReceipt, body: dict[str, Any], look: Look) -> Text:
    """Sent to reported; for a call, how long they talked and who hung up."""
    receipt = statement.receipt
    if receipt.sent_at is None or receipt.reported_at is None:
        return Text()
    if receipt.kind != "SecretReport":
        return Text(f"  +{elapsed(receipt.reported_at - receipt.sent_at, chinese=look.chinese)}", "dim")
    said = Text(style="dim")
    answered = _beijing(body.get("start_time"))
    if receipt.outcome is Outcome.CONNECTED and answered is not None:
        talked = elapsed(receipt.reported_at - answered, chinese=look.chinese)
        said.append(look.say("  talked ", "  通话 ") + talked)
    who = _RELEASED_BY.get(str(body.get("release_dir")))
    if who:
        said.append(look.say(f"  ended by the {who[0]}", f"  {who[1]}挂断"))
    return said


def _meaning(statement: StoredReceipt, look: Look) -> list[Text]:
    """What the code says and what to do: the reason why people look at this screen."""
    receipt = statement.receipt
    if not receipt.code:
        return []
    found: Explanation | None = (
        codes.release_cause(receipt.code) if receipt.kind == "SecretReport" else codes.receipt(receipt.code)
    )
    if found is None:
        return [Text(look.say("no table knows this code", "码表中没有此码"), "dim")]
    return meaning_lines(found, look)


def _fields(body: dict[str, Any], told: set[tuple[str, str]]) -> list[Text]:
    """What else the provider wrote, by its own names, and what no earlier statement about the subject did."""
    line = Text()
    for name, value in body.items():
        shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        if _TOLD.fullmatch(name) or value in ("", None) or (name, shown) in told:
            continue
        told.add((name, shown))
        line.append("  " if line.plain else "").append(text(name, "dim")).append(" ").append(text(shown))
    return [line] if line.plain else []


def _provenance(statement: StoredReceipt, look: Look) -> Text:
    """Which way it came, when, how often, and whether the provider proved who it was."""
    shown = masked_receipt(statement) if look.mask else statement
    words = look.say("came by", "来自")
    line = Text(f"{words} {statement.source.value} ", "dim").append(text(shown.origin))
    line.append(look.dot + wall_clock(statement.received_at))
    if statement.times_seen > 1:
        line.append(look.dot + look.say(f"seen {statement.times_seen} times", f"收到 {statement.times_seen} 次"))
    if not statement.signed:
        line.append(look.dot + look.say("unsigned", "未签名"))
    return line


def _time_line(events: Sequence[_Event], look: Look) -> Table:
    """Times on the left, a rail, what happened on the right. A narrow terminal shows the day once, above."""
    narrow = look.width < 60
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0), collapse_padding=True)
    table.add_column(width=8 if narrow else 14, no_wrap=True)
    table.add_column(width=1)
    table.add_column(ratio=1, overflow="fold")
    day = ""
    for index, event in enumerate(events):
        stamp = wall_clock(event.at)
        if narrow and stamp[:5] != day:
            table.add_row(Text(stamp[:5], "dim"), "", "")
        day = stamp[:5]
        last = index == len(events) - 1
        time = "" if event.day_only else stamp[6:]
        _add(table, Text(time if narrow else f"{day} {time}"), event, last, look)
    return table


def _add(table: Table, stamp: Text, event: _Event, last: bool, look: Look) -> None:
    dot, rail = ("●", "│") if look.unicode else ("*", "|")
    table.add_row(stamp, Text(dot, event.style), event.title)
    width = max(look.width - (8 if look.width < 60 else 14) - 4, 12)
    for line in event.lines:
        for row in wrapped(line, width):
            table.add_row("", Text("" if last else rail, "dim"), row)
