"""Receipts, rejects, counts and settings in columns that fit the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.cells import cell_len
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from smsreceipt.codes import Explanation
from smsreceipt.model import Instant, Reason, StoredReceipt, StoredReject
from smsreceipt.output.records import masked_receipt
from smsreceipt.output.terminal.look import (
    Look,
    ago,
    elapsed,
    outcome_text,
    plain_table,
    size,
    text,
    wall_clock,
    widest,
    wrapped,
)
from smsreceipt.store import KindFacts, StoreFacts

T = TypeVar("T")

_CUT_BEFORE = 5

#: Why bytes are a reject, for the legend below the table.
REASONS = {
    Reason.BASE64: ("neither JSON nor strict base64", "既不是JSON，也不是严格的base64"),
    Reason.MD5: ("does not fit the checksum it came with", "与随附的校验和不符"),
    Reason.UTF8: ("not UTF-8", "不是UTF-8"),
    Reason.JSON: ("not JSON: cut short, or something after its end", "不是JSON：被截断，或结尾后有多余内容"),
    Reason.NUMBER: ("a number too large to hold", "数字过大"),
    Reason.DEPTH: ("nested too deeply", "嵌套过深"),
    Reason.DUP_KEY: ("one name twice in one object", "同一对象中有重复的字段名"),
    Reason.SURROGATE: ("half a character", "残缺的字符（孤立的代理码元）"),
    Reason.NOT_OBJECT: ("JSON, but no object where a receipt should be", "是JSON，但该处应为对象"),
    Reason.EMPTY: ("a message without a receipt in it", "消息中没有回执"),
    Reason.SIZE: ("larger than 128 KiB", "超过128 KiB"),
    Reason.MISSING: ("lacks a field it cannot do without", "缺少必需的字段"),
    Reason.TYPE: ("a field is spelled as no table accepts it", "字段的写法无法识别"),
    Reason.TIME: ("a time that is spelled as no dialect does", "时间的写法无法识别"),
    Reason.KIND_UNKNOWN: ("nothing tells its message type: retry with --kind", "无法判断消息类型：请用--kind重试"),
}


@dataclass(frozen=True)
class _Column(Generic[T]):
    """A column: its head, what it shows of a row, and which to give up first on a narrow terminal."""

    head: str
    cell: Callable[[T], Text]
    keep: float  #: the lowest goes first; from _CUT_BEFORE on, others are cut before this one goes
    right: bool = False
    least: int = 0  #: it may be cut down to this; 0: all or nothing
    roomy: int = 0  #: while rows are yet to come, as wide as this, for they may hold more than the first ones
    wrap: bool = False  #: it goes on in the next line instead of being cut
    narrow: _Column[T] | None = None  #: what it becomes where there is less room, before it goes


class _Columns(Generic[T]):
    """Rows in columns. The first rows decide the layout; later ones follow it, so a stream of rows lines up."""

    def __init__(self, look: Look, columns: Sequence[_Column[T]]) -> None:
        self._look, self._columns = look, list(columns)
        self._widths: list[int] = []

    def draw(self, rows: Sequence[T], *, more: bool = False) -> str:
        """The rows as text; the heads above the first ones. *more*: other rows may follow."""
        parts: list[RenderableType] = []
        if not self._widths:
            self._settle(rows, more=more)
            heads = [Text(column.head, "dim") for column in self._columns]
            parts.append(self._table([heads]))
        if rows:
            parts.append(self._table([[column.cell(row) for column in self._columns] for row in rows]))
        return self._look.draw(*parts)

    def _table(self, rows: Sequence[Sequence[Text]]) -> RenderableType:
        columns = self._columns
        table = plain_table(self._widths, [column.right for column in columns], [column.wrap for column in columns])
        for row in rows:
            table.add_row(*row)
        return table

    def _settle(self, rows: Sequence[T], *, more: bool) -> None:
        """Shorten or give up the least columns, then cut the wide ones, then give up more, until the rest fits."""

        def width(column: _Column[T]) -> int:
            seen = widest([column.cell(row) for row in rows])
            return max(seen, column.least, column.roomy) if more else seen

        self._columns = [column for column in self._columns if column.least or not rows or width(column)]
        widths = [max(width(column), cell_len(column.head)) for column in self._columns]
        while not self._cut(widths) and len(self._columns) > 1:
            at = min(range(len(widths)), key=lambda index: self._columns[index].keep)
            narrow = self._columns[at].narrow
            if narrow is None:
                del self._columns[at], widths[at]
            else:
                self._columns[at] = narrow
                widths[at] = max(width(narrow), cell_len(narrow.head))
        self._widths = [min(each, self._look.width) for each in widths]

    def _cut(self, widths: list[int]) -> bool:
        """Make them fit if that takes no more than cutting what may be cut; False when it takes more."""
        over = sum(widths) + 2 * (len(widths) - 1) - self._look.width
        if over > 0 and min(column.keep for column in self._columns) < _CUT_BEFORE:
            return False
        spare = {
            index: max(widths[index] - max(column.least, cell_len(column.head)), 0)
            for index, column in enumerate(self._columns)
            if column.least
        }
        if over > sum(spare.values()):
            return False
        for index in sorted(spare, key=lambda index: -widths[index]):
            taken = min(spare[index], max(over, 0))
            widths[index] -= taken
            over -= taken
        return True


class ReceiptTable:
    """A table of receipts that can be drawn piece by piece: `list`, and what `pull` shows as it comes in."""

    def __init__(self, look: Look) -> None:
        self._mask = look.mask
        self._columns = _Columns(look, _receipt_columns(look))

    def draw(self, receipts: Sequence[StoredReceipt], *, more: bool = False) -> str:
        """These receipts as lines; the heads come with the first. *more*: others may follow, in the same columns."""
        return self._columns.draw([masked_receipt(row) for row in receipts] if self._mask else receipts, more=more)


def _receipt_columns(look: Look) -> list[_Column[StoredReceipt]]:
    """What can be given to `show` stays down to 80 columns, the time down to 40."""
    say = look.say
    outcome, code, sent = say("OUTCOME", "结果"), say("CODE", "代码"), say("SENT", "时间")

    def outcome_cell(row: StoredReceipt) -> Text:
        return outcome_text(row.receipt.outcome, look)

    def code_cell(row: StoredReceipt) -> Text:
        return text(row.receipt.code)

    return [
        _Column("SEQ", lambda row: text(row.seq, "dim"), 2, right=True),
        _Column(
            f"{sent} +08:00",
            lambda row: text(wall_clock(_time(row))),
            4,
            narrow=_Column(
                f"{sent} +08:00",
                lambda row: text(wall_clock(_time(row))[:-3]),
                7.5,
                narrow=_Column(sent, lambda row: text(wall_clock(_time(row))[6:-3]), 9.5),
            ),
        ),
        _Column(
            say("KIND", "类型"),
            lambda row: text(row.receipt.kind),
            3,
            roomy=12,
            narrow=_Column(say("KIND", "类型"), lambda row: text(_short_kind(row.receipt.kind)), 5.5, least=5),
        ),
        _Column(say("PHONE", "号码"), lambda row: text(row.receipt.phone), 10, least=11),
        _Column(
            outcome,
            outcome_cell,
            7.8,
            least=11,
            narrow=_Column(outcome, outcome_cell, 9, least=9),
        ),
        _Column(
            code,
            code_cell,
            6,
            least=18,
            roomy=22,
            narrow=_Column(code, code_cell, 8, least=7, roomy=22),
        ),
        _Column(say("TOOK", "用时"), lambda row: text(_took(row, look)), 1, right=True),
        _Column("ID", lambda row: text(_reference(row), "dim"), 7, roomy=20),
    ]


def _short_kind(kind: str) -> str:
    """SecretStartReport as Start: enough where there is no room for more. What is short enough stays whole."""
    short = kind.removesuffix("Report") if len(kind) > len("SmsReport") else kind
    return short.removeprefix("Secret") or short


def _time(row: StoredReceipt) -> Instant:
    """What --since and --until look at."""
    return next(at for at in (row.receipt.sent_at, row.receipt.reported_at, row.received_at) if at is not None)


def _took(row: StoredReceipt, look: Look) -> str:
    """From sent to reported; nothing where one is not told."""
    if row.receipt.sent_at is None or row.receipt.reported_at is None:
        return ""
    return elapsed(row.receipt.reported_at - row.receipt.sent_at, chinese=look.chinese)


def _reference(row: StoredReceipt) -> str:
    """The shortest of the ids that `show` can be asked for; what else tells apart what has none."""
    receipt = row.receipt
    ids = [each for each in (receipt.biz_id, receipt.out_id, receipt.call_id) if each]
    return (
        min(ids, key=cell_len)
        if ids
        else " ".join(part for part in receipt.identity if part not in ("", receipt.phone))
    )


def rejects(rows: Sequence[StoredReject], look: Look, now: Instant) -> str:
    """The rejects, and below them what their reasons mean."""
    say = look.say
    columns = _Columns(
        look,
        [
            _Column[StoredReject]("ID", lambda row: text(row.id[:12]), 9),
            _Column(say("REASON", "原因"), lambda row: text(row.reason, "red"), 8),
            _Column(say("KIND", "类型"), lambda row: text(row.kind or "-"), 6),
            _Column(say("SIZE", "大小"), lambda row: text(size(row.size)), 3, right=True),
            _Column(say("SEEN", "次数"), lambda row: text(f"{row.times_seen}x"), 2, right=True),
            _Column(
                say("CAME", "收到"), lambda row: text(ago(row.received_at, now, chinese=look.chinese)), 4, right=True
            ),
            _Column(say("FROM", "来自"), lambda row: text(_origin(row)), 5, least=16, wrap=True),
        ],
    )
    reasons = sorted({row.reason for row in rows})
    legend = [(reason.value, text(say(*REASONS[reason]), "dim")) for reason in reasons]
    if not legend:
        return columns.draw(rows)
    return (
        columns.draw(rows)
        + "\n"
        + look.draw(Text(say("What the reasons mean:", "原因说明：")), _pairs(legend, look, "red"))
    )


def _origin(row: StoredReject) -> str:
    """Which way it came and from where, without the message type that its own column tells."""
    return f"{row.source} {row.origin.removesuffix(f'-{row.kind}') if row.kind else row.origin}"


def status(facts: StoreFacts, look: Look, now: Instant) -> str:
    """The store in a few lines, then a line per kind."""
    say = look.say
    absent = Text("" if facts.exists else say("  (not there yet)", "  （尚不存在）"), "dim")
    pairs = [
        (say("store", "数据库"), text(facts.location).append(absent)),
        (say("engine", "引擎"), Text(look.dot.join([facts.engine, f"schema {facts.schema}", size(facts.size)]))),
        *([(say("sends", "发送"), _sends(facts, look))] if facts.sends else []),
        (say("conflicts", "矛盾"), _alarm(facts.conflicts, "list --conflicts")),
        (say("rejects", "拒收"), _alarm(facts.rejects, "rejects list")),
    ]
    top = _pairs(pairs, look)
    if not facts.kinds:
        return look.draw(top, "", Text(say("No receipts yet.", "还没有回执。"), "dim"))
    return look.draw(top, "") + _kinds(facts, look, now)


def _sends(facts: StoreFacts, look: Look) -> Text:
    """How much was sent, and how much of it has no final receipt."""
    said = Text(f"{facts.sends:,}")
    if facts.open_sends:
        said.append(look.dot).append(look.say(f"{facts.open_sends:,} open", f"{facts.open_sends:,} 待回执"), "magenta")
        said.append("  smsreceipt reconcile", "dim")
    return said


def _alarm(count: int, command: str) -> Text:
    """A count that should be zero, and where to look when it is not."""
    return Text.assemble((f"{count:,}", "red"), (f"  smsreceipt {command}", "dim")) if count else Text("0")


def _kinds(facts: StoreFacts, look: Look, now: Instant) -> str:
    """A message, a call or a review may have several statements, and a statement may be received more than once."""
    say = look.say
    return _Columns(
        look,
        [
            _Column[KindFacts](say("KIND", "类型"), lambda kind: text(kind.kind), 9, least=9),
            _Column(say("MESSAGES", "消息数"), lambda kind: Text(f"{kind.count:,}"), 8, right=True),
            _Column(say("STATEMENTS", "回执数"), lambda kind: Text(f"{kind.statements:,}"), 7, right=True),
            _Column(
                say("TESTS", "测试"), lambda kind: Text(f"{kind.tests:,}" if kind.tests else "", "dim"), 2, right=True
            ),
            _Column(
                say("FIRST, BEIJING TIME", "首次（北京时间）"),
                lambda kind: Text(wall_clock(kind.first_received_at, year=True)),
                3,
            ),
            _Column(
                say("LAST, BEIJING TIME", "最近（北京时间）"),
                lambda kind: Text(wall_clock(kind.last_received_at, year=True)),
                4,
            ),
            _Column(
                say("LAST CAME", "最近"),
                lambda kind: Text(ago(kind.last_received_at, now, chinese=look.chinese)),
                7.5,
                right=True,
            ),
        ],
    ).draw(facts.kinds)


def explanations(found: Sequence[Explanation], look: Look) -> str:
    """A paragraph per table that knows the code."""
    tables = {
        "receipt": ("SMS receipt code", "短信回执码"),
        "release-cause": ("release cause of a call", "通话释放原因"),
        "api": ("API error code", "API错误码"),
    }
    parts: list[RenderableType] = []
    for one in found:
        table = text(look.say(*tables.get(one.table, (one.table, one.table))))
        head = Text.assemble(text(one.code, "bold"), look.dot, table, look.dot, text(one.category, "cyan"))
        parts.extend(["", head] if parts else [head])
        for line in meaning_lines(one, look):
            parts.extend(Padding(row, (0, 0, 0, 2)) for row in wrapped(line, look.width - 2))
    return look.draw(*parts)


def meaning_lines(one: Explanation, look: Look) -> list[Text]:
    """What a code means and what to do, in the user's language; the Chinese meaning always, for the carrier."""
    meaning = text(one.meaning_zh if look.chinese else one.meaning_en)
    if not look.chinese and one.meaning_zh:
        meaning.append(text(f"  {one.meaning_zh}", "dim"))
    arrow = "→ " if look.unicode else "> "
    return [meaning, Text.assemble((arrow, "cyan"), text(look.say(one.advice_en, one.advice_zh)))]


def settings(rows: Sequence[tuple[str, str, str]], look: Look) -> str:
    """Names, values, and where each came from."""
    return _Columns(
        look,
        [
            _Column[tuple[str, str, str]](look.say("NAME", "名称"), lambda row: text(row[0]), 9, least=12, wrap=True),
            _Column(look.say("VALUE", "值"), lambda row: text(row[1]), 8, least=12, wrap=True),
            _Column(look.say("FROM", "来源"), lambda row: text(row[2], "dim"), 7, least=8, wrap=True),
        ],
    ).draw(rows)


def reject(one: StoredReject, shown: str, look: Look, now: Instant) -> str:
    """One reject, and what its bytes look like."""
    say = look.say
    seen = say(f"seen {one.times_seen}x", f"收到 {one.times_seen} 次")
    came = ago(one.received_at, now, chinese=look.chinese)
    zoned = f"{wall_clock(one.received_at, year=True)} {say('Beijing time', '北京时间')}"
    pairs = [
        ("id", text(one.id)),
        (
            say("reason", "原因"),
            Text.assemble((one.reason.value, "red"), "  ", (look.say(*REASONS[one.reason]), "dim")),
        ),
        (say("kind", "类型"), text(one.kind or "-")),
        (say("from", "来自"), text(f"{one.source.value} {one.origin}")),
        (say("received", "收到"), Text(look.dot.join([zoned, came, seen]))),
        (say("size", "大小"), Text(size(one.size))),
    ]
    return look.draw(_pairs(pairs, look), "", text(shown))


def _pairs(pairs: Sequence[tuple[str, Text]], look: Look, style: str = "dim") -> RenderableType:
    """Names and values, the values wrapped where the terminal is narrow."""
    width = max((cell_len(name) for name, _ in pairs), default=0)
    table = plain_table([width, max(look.width - width - 2, 9)], [False, False])
    table.columns[1].no_wrap, table.columns[1].overflow = False, "fold"
    for name, value in pairs:
        table.add_row(Text(name, style), value)
    return table
