"""Receipts, rejects, counts and settings in columns that fit the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from smsreceipt.codes import Explanation
from smsreceipt.model import Instant, Reason, StoredReceipt, StoredReject
from smsreceipt.records import masked_receipt
from smsreceipt.store import KindFacts, StoreFacts
from smsreceipt.view.look import Look, ago, elapsed, outcome_text, plain_table, size, text, wall_clock, widest, wrapped

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
    keep: int  #: the lowest goes first; from _CUT_BEFORE on, others are cut before this one goes
    right: bool = False
    least: int = 0  #: it may be cut down to this; 0: all or nothing


class _Columns(Generic[T]):
    """Rows in columns. The first rows decide the layout; later ones follow it, so a stream of rows lines up."""

    def __init__(self, look: Look, columns: Sequence[_Column[T]]) -> None:
        self._look, self._columns = look, list(columns)
        self._widths: list[int] = []

    def draw(self, rows: Sequence[T]) -> str:
        """The rows as text; the heads above the first ones."""
        parts: list[RenderableType] = []
        if not self._widths:
            self._settle(rows)
            heads = [Text(column.head, "dim") for column in self._columns]
            parts.append(self._table([heads]))
        if rows:
            parts.append(self._table([[column.cell(row) for column in self._columns] for row in rows]))
        return self._look.draw(*parts)

    def _table(self, rows: Sequence[Sequence[Text]]) -> RenderableType:
        table = plain_table(self._widths, [column.right for column in self._columns])
        for row in rows:
            table.add_row(*row)
        return table

    def _settle(self, rows: Sequence[T]) -> None:
        """Give up the least columns, then cut the wide ones, then give up more, until the rest fits."""
        cells = {column.head: widest([column.cell(row) for row in rows]) for column in self._columns}
        self._columns = [column for column in self._columns if cells[column.head] or column.least or not rows]
        widths = {column.head: max(cells[column.head], len(column.head), column.least) for column in self._columns}
        while len(self._columns) > 1 and not self._cut(widths):
            self._columns.remove(min(self._columns, key=lambda column: column.keep))
        self._widths = [min(widths[column.head], self._look.width) for column in self._columns]

    def _cut(self, widths: dict[str, int]) -> bool:
        """Make them fit if that takes no more than cutting what may be cut; False when it takes more."""
        over = sum(widths[column.head] for column in self._columns) + 2 * (len(self._columns) - 1) - self._look.width
        if over > 0 and min(column.keep for column in self._columns) < _CUT_BEFORE:
            return False
        loose = sorted((column for column in self._columns if column.least), key=lambda column: -widths[column.head])
        spare = {column.head: max(widths[column.head] - max(column.least, len(column.head)), 0) for column in loose}
        if over > sum(spare.values()):
            return False
        for head, room in spare.items():
            taken = min(room, max(over, 0))
            widths[head] -= taken
            over -= taken
        return True


class ReceiptTable:
    """A table of receipts that can be drawn piece by piece: `list`, and what `pull` shows as it comes in."""

    def __init__(self, look: Look) -> None:
        self._mask = look.mask
        self._columns = _Columns(
            look,
            [
                _Column[StoredReceipt]("SEQ", lambda row: text(row.seq, "dim"), 2, right=True),
                _Column("SENT", lambda row: text(wall_clock(_time(row))), 6),
                _Column("KIND", lambda row: text(row.kind), 5, least=9),
                _Column("PHONE", lambda row: text(row.phone), 9, least=11),
                _Column("OUTCOME", lambda row: outcome_text(row.outcome), 8, least=9),
                _Column("CODE", lambda row: text(row.code), 7, least=9),
                _Column("TOOK", lambda row: text(_took(row)), 1, right=True),
                _Column("ID", lambda row: text(_reference(row), "dim"), 3),
            ],
        )

    def draw(self, receipts: Sequence[StoredReceipt]) -> str:
        """These receipts as lines; the heads come with the first."""
        return self._columns.draw([masked_receipt(row) for row in receipts] if self._mask else receipts)


def _time(row: StoredReceipt) -> Instant:
    """What --since and --until look at."""
    return next(at for at in (row.sent_at, row.reported_at, row.received_at) if at is not None)


def _took(row: StoredReceipt) -> str:
    """From sent to reported; nothing where one is not told."""
    return "" if row.sent_at is None or row.reported_at is None else elapsed(row.reported_at - row.sent_at)


def _reference(row: StoredReceipt) -> str:
    """What `show` can be asked for."""
    return row.biz_id or row.call_id or " ".join(part for part in row.identity if part)


def rejects(rows: Sequence[StoredReject], look: Look, now: Instant) -> str:
    """The rejects, and below them what their reasons mean."""
    columns = _Columns(
        look,
        [
            _Column[StoredReject]("ID", lambda row: text(row.id[:12]), 9),
            _Column("REASON", lambda row: text(row.reason, "red"), 8),
            _Column("KIND", lambda row: text(row.kind or "-"), 6),
            _Column("SIZE", lambda row: text(size(row.size)), 4, right=True),
            _Column("SEEN", lambda row: text(f"{row.times_seen}x"), 2, right=True),
            _Column("CAME", lambda row: text(ago(row.received_at, now)), 3, right=True),
            _Column("FROM", lambda row: text(f"{row.source} {row.origin}"), 5, least=16),
        ],
    )
    reasons = sorted({row.reason for row in rows})
    legend = [(reason.value, text(look.say(*REASONS[reason]), "dim")) for reason in reasons]
    return columns.draw(rows) + ("\n" + look.draw(_pairs(legend, look, "red")) if legend else "")


def status(facts: StoreFacts, look: Look, now: Instant) -> str:
    """The store in a few lines, then a line per kind."""
    pairs = [
        ("store", text(facts.path) if facts.exists else Text.assemble(text(facts.path), ("  (not there yet)", "dim"))),
        ("engine", Text(look.dot.join([facts.engine, f"schema {facts.schema}", size(facts.size)]))),
        ("conflicts", _alarm(facts.conflicts, "list --conflicts")),
        ("rejects", _alarm(facts.rejects, "rejects list")),
    ]
    top = _pairs(pairs, look)
    if not facts.kinds:
        return look.draw(top, "", Text("No receipts yet.", "dim"))
    return look.draw(top, "") + _kinds(facts, look, now)


def _alarm(count: int, command: str) -> Text:
    """A count that should be zero, and where to look when it is not."""
    return Text.assemble((f"{count:,}", "red"), (f"  smsreceipt {command}", "dim")) if count else Text("0")


def _kinds(facts: StoreFacts, look: Look, now: Instant) -> str:
    return _Columns(
        look,
        [
            _Column[KindFacts]("KIND", lambda kind: text(kind.kind), 9),
            _Column("RECEIPTS", lambda kind: Text(f"{kind.count:,}"), 8, right=True),
            _Column("STATEMENTS", lambda kind: Text(f"{kind.statements:,}"), 3, right=True),
            _Column("TESTS", lambda kind: Text(f"{kind.tests:,}" if kind.tests else "", "dim"), 2, right=True),
            _Column("FIRST", lambda kind: Text(wall_clock(kind.first_received_at, year=True)), 4),
            _Column("LAST", lambda kind: Text(wall_clock(kind.last_received_at, year=True)), 5),
            _Column("", lambda kind: Text(ago(kind.last_received_at, now)), 7, right=True),
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
            _Column[tuple[str, str, str]]("NAME", lambda row: text(row[0]), 9, least=12),
            _Column("VALUE", lambda row: text(row[1]), 8, least=12),
            _Column("FROM", lambda row: text(row[2], "dim"), 7, least=8),
        ],
    ).draw(rows)


def reject(one: StoredReject, shown: str, look: Look, now: Instant) -> str:
    """One reject, and what its bytes look like."""
    seen = f"seen {one.times_seen}x"
    pairs = [
        ("id", text(one.id)),
        ("reason", Text.assemble((one.reason.value, "red"), "  ", (look.say(*REASONS[one.reason]), "dim"))),
        ("kind", text(one.kind or "-")),
        ("from", text(f"{one.source.value} {one.origin}")),
        (
            "received",
            Text(look.dot.join([wall_clock(one.received_at, year=True), ago(one.received_at, now), seen])),
        ),
        ("size", Text(size(one.size))),
    ]
    return look.draw(_pairs(pairs, look), "", text(shown))


def _pairs(pairs: Sequence[tuple[str, Text]], look: Look, style: str = "dim") -> RenderableType:
    """Names and values, the values wrapped where the terminal is narrow."""
    width = max((len(name) for name, _ in pairs), default=0)
    table = plain_table([width, max(look.width - width - 2, 9)], [False, False])
    table.columns[1].no_wrap, table.columns[1].overflow = False, "fold"
    for name, value in pairs:
        table.add_row(Text(name, style), value)
    return table
