"""The screen of `smsreceipt show`: the timeline of each message and call, with the meaning of its codes."""

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
from smsreceipt.model import BEIJING, SETTLED, Answer, Instant, Outcome, StoredReceipt, contradictory
from smsreceipt.output.display import Display
from smsreceipt.output.formatting import elapsed, wall_clock
from smsreceipt.output.mask import mask_value, on_screen
from smsreceipt.output.objects.common import OUTCOME_STYLE, outcome_cell
from smsreceipt.output.objects.receipts import masked_receipt
from smsreceipt.output.objects.sends import masked_send, state_cell
from smsreceipt.output.safe import safe
from smsreceipt.output.terminal.codes import meaning_lines
from smsreceipt.output.terminal.screen import draw, styled, text, wrapped
from smsreceipt.store import StoredSend

#: The steps of a call in their order: the field with the time, and the title in English and Chinese.
_CALL_STEPS = (
    ("call_out_time", "callee dialled", "呼叫被叫"),
    ("ring_time", "ringing", "振铃"),
    ("start_time", "answered", "接听"),
)
#: Kinds whose identity is that of a send.
_REPORTS = ("SmsReport", "DypnsSmsVerifyReport", "GlobeSmsReport")
#: The provider's answers about a send without a receipt.
_ANSWERS: dict[Answer | None, tuple[str, str]] = {
    Answer.WAITING: ("asked: the provider still waits for the carrier", "已查询：平台仍在等待运营商回执"),
    Answer.NO_RECORD: ("asked: the provider knows of no such send", "已查询：平台没有该条发送记录"),
}
_RELEASED_BY = {"0": ("platform", "平台"), "1": ("caller", "主叫"), "2": ("callee", "被叫")}

#: The titles of statements, by kind.
_TITLES = {
    "SmsReport": ("report", "回执"),
    "DypnsSmsVerifyReport": ("report", "回执"),
    "GlobeSmsReport": ("report", "回执"),
    "ChatAppStatus": ("chat message", "聊天消息"),
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
#: Fields of a body that are not listed, because the heading or the title already shows them.
_SHOWN_ELSEWHERE = re.compile(
    "(phone_number|biz_id|out_id|call_id|sequence_id|err_code|success|pool_key|create_date|release_(cause|dir)"
    "|(send|report|call|release|start|ring|call_out)_time|(sign|template)_status"
    "|To|to|PhoneNumber|Status|SendStatus|MessageId|BizId|SendDate|ReceiveDate|ErrorCode|message_id|(send|receive)_date|error_code|TaskId|Timestamp)"
)


def timeline(
    statements: Sequence[StoredReceipt],
    current: frozenset[int | None],
    display: Display,
    sends: Iterable[StoredSend] = (),
) -> str:
    """The timelines of all messages, calls and reviews that these statements and sends are about.

    *current* holds the seqs of the statements that are the state of their identity.
    """
    screen = _Screen(display, current)
    parts: list[RenderableType] = []
    for subject in sorted(_subjects(statements, sends), key=lambda each: each.first):
        parts += ["", *screen.subject(subject)] if parts else screen.subject(subject)
    return draw(display, *parts)


@dataclass(slots=True)
class _Event:
    at: Instant
    title: Text
    lines: list[Text] = field(default_factory=list)
    style: str = "cyan"
    day_only: bool = False  #: the time of the day is not known


@dataclass(slots=True)
class _Subject:
    """A message, a call or a review: its statements and, if the ledger has one, its send."""

    statements: list[StoredReceipt]
    is_call: bool
    sent: StoredSend | None = None

    @property
    def first(self) -> Instant:
        known = [statement.happened_at for statement in self.statements]
        return min([*known, self.sent.send.sent_from] if self.sent else known)

    def conflicts(self) -> Iterator[set[Outcome]]:
        """The outcomes of each identity whose statements contradict each other."""
        by_identity: dict[tuple[str, ...], list[tuple[Outcome | None, str]]] = {}
        for statement in self.statements:
            receipt = statement.receipt
            by_identity.setdefault((receipt.kind, *receipt.identity), []).append((receipt.outcome, receipt.leg))
        for outcomes in by_identity.values():
            if legs := contradictory(outcomes):
                yield {outcome for outcome, leg in outcomes if outcome in SETTLED and leg in legs}


def _subjects(statements: Iterable[StoredReceipt], sends: Iterable[StoredSend]) -> Iterable[_Subject]:
    """Group by identity; statements of one call belong together whatever their kind."""
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


class _Screen:
    """Draws subjects for one display."""

    def __init__(self, display: Display, current: frozenset[int | None]) -> None:
        self._display, self._current = display, current
        self._localized = display.localized
        self._narrow = display.width < 60

    def subject(self, subject: _Subject) -> list[RenderableType]:
        """The heading of a subject, a rule, and its timeline."""
        heading = self._heading(subject) if subject.statements else self._heading_of_send(subject)
        rule = Rule(style="dim", characters="─" if self._display.unicode else "-")
        return [*heading, rule, self._table(sorted(self._events(subject), key=lambda event: event.at))]

    def _heading(self, subject: _Subject) -> Iterator[RenderableType]:
        """Phone, what it is, outcome; then the ids; then warnings."""
        states = [each for each in subject.statements if each.seq in self._current] or subject.statements
        best = next((state for state in states if state.receipt.outcome), states[0])
        shown = masked_receipt(best) if self._display.mask else best
        title = Text()
        what = Text(self._what(subject, best), "bold" if not shown.receipt.phone else "")
        outcome = styled(outcome_cell(best.receipt.outcome, self._display))
        for piece in (text(shown.receipt.phone, "bold"), what, outcome):
            if piece.plain:
                title.append(self._display.dot if title.plain else "").append(piece)
        title.stylize("bold")
        yield title
        yield self._ids(shown)
        if any(statement.receipt.test for statement in subject.statements):
            words = self._localized("a test push of the console, not a message", "控制台的测试推送，并非真实消息")
            yield Text(words, "dim")
        for outcomes in subject.conflicts():
            mark = "⚠ " if self._display.unicode else "! "
            words = self._localized("The statements contradict each other", "回执相互矛盾")
            yield Text(f"{mark}{words}: {' / '.join(sorted(map(self._display.outcome, outcomes)))}", "bold red")

    def _heading_of_send(self, subject: _Subject) -> Iterator[RenderableType]:
        """The heading of a send without any statement."""
        assert subject.sent is not None  # noqa: S101 - a subject has one or the other
        send = masked_send(subject.sent.send) if self._display.mask else subject.sent.send
        dot, state = self._display.dot, styled(state_cell(subject.sent.state, self._display))
        yield Text.assemble(text(send.phone), dot, self._localized("message", "短信"), dot, state, style="bold")
        yield self._pairs([("biz id", send.biz_id), ("out id", send.out_id)])

    def _what(self, subject: _Subject, best: StoredReceipt) -> str:
        if subject.is_call and best.receipt.kind != "SecretSmsIntercept":
            return self._localized("call", "通话")
        if best.receipt.kind in _REPORTS:
            return self._localized("message", "短信")
        return self._title(best)

    def _title(self, statement: StoredReceipt) -> str:
        """The title of a statement; for a kind without one, the kind, which comes from outside."""
        kind = safe(statement.receipt.kind)
        if kind == "SecretReport" and statement.receipt.outcome is None:
            kind = "SecretSmsIntercept"  # a record of an SMS
        return self._localized(*_TITLES.get(kind, (kind, kind)))

    def _ids(self, shown: StoredReceipt) -> Text:
        receipt = shown.receipt
        pairs = [("biz id", receipt.biz_id), ("out id", receipt.out_id), ("call id", receipt.call_id)]
        if not any(value for _, value in pairs):
            pairs = [(self._localized("id", "标识"), " ".join(part for part in receipt.identity if part))]
        return self._pairs(pairs)

    def _pairs(self, pairs: Iterable[tuple[str, str]]) -> Text:
        line = Text(style="dim")
        for name, value in pairs:
            if value:
                line.append(self._display.dot if line.plain else "").append(f"{name} ").append(text(value))
        return line

    def _events(self, subject: _Subject) -> Iterator[_Event]:
        sent: set[tuple[Instant, str]] = set()
        listed: set[tuple[str, str]] = set()
        if subject.sent:
            sent = {(at, each.receipt.phone) for each in subject.statements if (at := each.receipt.sent_at) is not None}
            yield from self._send(subject.sent, [at for at, _ in sent])
        for statement in sorted(subject.statements, key=lambda each: each.seq or 0):
            receipt, body = statement.receipt, self._body(statement)
            if receipt.kind == "SecretReport":
                yield from self._call_steps(statement, body)
            elif receipt.reported_at is not None and receipt.sent_at is not None:
                key = (receipt.sent_at, receipt.phone)
                if key not in sent:
                    sent.add(key)
                    yield _Event(receipt.sent_at, Text(self._localized("sent", "发送")))
            yield self._statement(statement, body, listed)

    def _send(self, stored: StoredSend, reported: Sequence[Instant]) -> Iterator[_Event]:
        """The events of a row of the ledger, at the provider's own time of sending (*reported*) where it is known."""
        send = stored.send
        parts = "" if send.parts is None else str(send.parts)
        line = self._pairs(
            [
                (self._localized("template", "模板"), send.template_code),
                (self._localized("signature", "签名"), send.sign_name),
                (self._localized("parts", "条数"), parts),
            ]
        )
        day_only = not reported and send.sent_at is None
        lines = [line] if line.plain else []
        yield _Event(
            min(reported, default=send.sent_from), Text(self._localized("sent", "发送")), lines, day_only=day_only
        )
        if stored.asked_at is not None and stored.answer in _ANSWERS:
            yield _Event(stored.asked_at, Text(self._localized(*_ANSWERS[stored.answer])), style="magenta")

    def _body(self, statement: StoredReceipt) -> dict[str, Any]:
        fields: dict[str, Any] = msgspec.json.decode(statement.receipt.body)
        return mask_value(fields, "", statement.receipt.phone or "") if self._display.mask else fields

    def _call_steps(self, statement: StoredReceipt, body: dict[str, Any]) -> Iterator[_Event]:
        """The steps of a call. In the record of a call, a step that never happened repeats the time before it."""
        if statement.receipt.outcome is None:  # the record of an SMS: every step has its one time
            return
        before, unconnected = statement.receipt.sent_at, statement.receipt.outcome is Outcome.UNCONNECTED
        for name, english, chinese in _CALL_STEPS:
            at = _beijing(body.get(name))
            if at is not None and at != before and not (name == "start_time" and unconnected):
                before = at
                yield _Event(at, Text(self._localized(english, chinese)))

    def _statement(self, statement: StoredReceipt, body: dict[str, Any], listed: set[tuple[str, str]]) -> _Event:
        """One statement. *listed*: the fields that earlier statements have shown; this one's are added."""
        receipt = statement.receipt
        title, style = Text(self._title(statement)), "cyan"
        if receipt.outcome is not None:
            style = OUTCOME_STYLE[receipt.outcome]
            outcome = Text.assemble((self._display.outcome(receipt.outcome), f"bold {style}"))
            title = outcome if receipt.kind in _REPORTS else title.append(self._display.dot).append(outcome)
        if receipt.code:
            title.append("  ").append(text(receipt.code, "bold"))
        title.append(self._took(statement, body))
        if statement.seq not in self._current:
            title.append(self._localized("  superseded", "  已被取代"), "dim")
        lines = [
            *self._meaning(statement, body),
            *_fields(body, listed, masked=self._display.mask),
            self._provenance(statement),
        ]
        at = statement.happened_at if receipt.reported_at is None else receipt.reported_at
        return _Event(at, title, lines, style)

    def _took(self, statement: StoredReceipt, body: dict[str, Any]) -> Text:
        """The time from sending to the report; for a call, how long they talked and who hung up."""
        receipt, chinese = statement.receipt, self._display.chinese
        if receipt.sent_at is None or receipt.reported_at is None:
            return Text()
        if receipt.kind != "SecretReport":
            return Text(f"  +{elapsed(receipt.reported_at - receipt.sent_at, chinese=chinese)}", "dim")
        line = Text(style="dim")
        if receipt.talk_seconds is not None:
            talked = elapsed(receipt.talk_seconds * 1000, chinese=chinese)
            line.append(self._localized("  talked ", "  通话 ") + talked)
        who = _RELEASED_BY.get(str(body.get("release_dir")))
        if who:
            line.append(self._localized(f"  ended by the {who[0]}", f"  {who[1]}挂断"))
        return line

    def _meaning(self, statement: StoredReceipt, body: dict[str, Any]) -> list[Text]:
        """What the code means and what to do about it; of a call, first why the platform did not connect it."""
        receipt = statement.receipt
        of_call = receipt.kind in ("SecretReport", "SecretStartReport")
        if of_call and receipt.outcome is not Outcome.CONNECTED and (why := codes.why_unconnected(body)):
            return meaning_lines(why, self._display)
        if not receipt.code:
            return []
        found = codes.release_cause(receipt.code) if of_call else codes.receipt(receipt.code)
        if found is None:
            return [Text(self._localized("no table knows this code", "码表中没有此码"), "dim")]
        return meaning_lines(found, self._display)

    def _provenance(self, statement: StoredReceipt) -> Text:
        """The source of a statement, when it was received, how often, and whether its source is authenticated."""
        shown = masked_receipt(statement) if self._display.mask else statement
        dot, times = self._display.dot, statement.times_seen
        line = Text(f"{self._localized('came by', '来自')} {statement.source.value} ", "dim").append(text(shown.origin))
        line.append(dot + wall_clock(statement.received_at))
        if times > 1:
            line.append(dot + self._localized(f"seen {times} times", f"收到 {times} 次"))
        if not statement.signed:
            line.append(dot + self._localized("unsigned", "未签名"))
        return line

    def _table(self, events: Sequence[_Event]) -> Table:
        """Times on the left, a line, the events on the right. A narrow terminal shows the day once, above."""
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0), collapse_padding=True)
        table.add_column(width=8 if self._narrow else 14, no_wrap=True)
        table.add_column(width=1)
        table.add_column(ratio=1, overflow="fold")
        day = ""
        for index, event in enumerate(events):
            stamp = wall_clock(event.at)
            if self._narrow and stamp[:5] != day:
                table.add_row(Text(stamp[:5], "dim"), "", "")
            day, time = stamp[:5], "" if event.day_only else stamp[6:]
            self._add(table, Text(time if self._narrow else f"{day} {time}"), event, last=index == len(events) - 1)
        return table

    def _add(self, table: Table, stamp: Text, event: _Event, *, last: bool) -> None:
        dot, line = ("●", "│") if self._display.unicode else ("*", "|")
        table.add_row(stamp, Text(dot, event.style), event.title)
        width = max(self._display.width - (8 if self._narrow else 14) - 4, 12)
        for row in (row for each in event.lines for row in wrapped(each, width)):
            table.add_row("", Text("" if last else line, "dim"), row)


def _beijing(value: object) -> Instant | None:
    try:
        moment = datetime.strptime(str(value), "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None
    return Instant(int(moment.timestamp()) * 1000)


def _fields(body: dict[str, Any], listed: set[tuple[str, str]], *, masked: bool) -> list[Text]:
    """The other fields of a body by the provider's names, without those in *listed*, which grows by them."""
    line = Text()
    for name, value in body.items():
        shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        if _SHOWN_ELSEWHERE.fullmatch(name) or value in ("", None) or (name, shown) in listed:
            continue
        listed.add((name, shown))
        line.append("  " if line.plain else "").append(text(name, "dim")).append(" ").append(
            text(on_screen(shown) if masked else shown)
        )
    return [line] if line.plain else []
