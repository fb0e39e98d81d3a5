"""The columns of the table `statement` that hold the fields of a Receipt. A new one needs a line here and no SQL.

COLUMNS is their only spelling: the columns of an INSERT, its placeholders, the values that are bound, the columns of a
SELECT and the receipt that is made of a row are derived from it. The functions are compiled once from one expression a
column, because a loop over the columns takes longer for each receipt than SQLite takes to store it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from smsreceipt.model import Outcome, Receipt
from smsreceipt.store.sqlite.rows import Members


class Form(NamedTuple):
    """How one kind of value is bound and read; {} stands for the field or the column."""

    bound: str
    placeholder: str
    read: str
    type: str = "TEXT"
    unread: str = "'-2'"  #: the marker of an added column, in SQL. A body that has this very value is read again too


_SAME = Form("{}", "?", "{}")
#: Text that most receipts do not have. Binding NULL and having SQLite replace it costs less than binding "".
_RARE = Form("{} or None", "ifnull(?,'')", "{}")
_NUMBER = Form("-1 if {0} is None else {0}", "?", "None if {0} < 0 else {0}", "INTEGER", "-2")
_BOOLEAN = Form("{}", "?", "bool({})", "INTEGER", "-2")
#: Names, which have no spaces.
_NAMES = Form("' '.join({0}) if {0} else None", "ifnull(?,'')", "tuple({0}.split()) if {0} else ()")
_OUTCOME = Form("{} or ''", "?", "outcomes[{0}] if {0} else None")


class Column(NamedTuple):
    """One column and the field of Receipt that it holds."""

    field: str
    name: str
    form: Form
    key: bool = False  #: a part of the unique key, so that two statements differ in it
    since: int = 1  #: the schema that added it; rows of older stores have the marker until their body is read for it


COLUMNS = (
    Column("outcome", "outcome", _OUTCOME, key=True),
    Column("code", "code", _SAME, key=True),
    Column("reported_at", "reported_at", _NUMBER, key=True),
    Column("detail", "detail", _RARE, key=True),
    Column("sent_at", "sent_at", _NUMBER),
    Column("phone", "phone", _SAME),
    Column("biz_id", "biz_id", _SAME),
    Column("out_id", "out_id", _SAME),
    Column("call_id", "call_id", _RARE),
    Column("test", "test", _BOOLEAN),
    Column("body", "body", _SAME),
    Column("digest", "digest", _SAME),
    Column("parts", "billed_parts", _NUMBER, since=5),
    Column("talk_seconds", "talk_seconds", _NUMBER, since=5),
    Column("numbers", "numbers", _RARE, since=6),
    Column("unread", "unread", _NAMES, since=6),
)
#: What a batch works out for itself: see InsertBatch. The identity starts with its part at position `lead`.
_WORKED_OUT = ("seq", "kind", "lead", "parts", "id1", "id2", "id3", "id4", "received_at", "day", "road", "signed",
               "native")  # fmt: skip
_RARE_PARTS = {"id2", "id3", "id4"}

INSERTED = (*_WORKED_OUT, *(column.name for column in COLUMNS))  #: in the order in which a batch binds them
#: What an INSERT writes of a row that it is given, whose values SQLite calls column1, column2 and so on. It is spelled
#: once a statement, not once a row, so that one statement takes twice as many rows.
WRITTEN = ", ".join(
    placeholder.replace("?", f"column{place}")
    for place, placeholder in enumerate(
        [
            *(_RARE.placeholder if name in _RARE_PARTS else "?" for name in _WORKED_OUT),
            *(column.form.placeholder for column in COLUMNS),
        ],
        1,
    )
)
ADDED = tuple(column for column in COLUMNS if column.since > 1)
#: Whether a body was not read for an added column yet, in SQL.
UNREAD = " OR ".join(f"statement.{column.name} = {column.form.unread}" for column in ADDED) or "0"
#: The numbers of a statement's call beside its phone, as a JSON array, in SQL.
NUMBERS = """json('["' || replace(statement.numbers, ' ', '","') || '"]')"""
#: The rows of the table `phone` for some statements, in SQL; {} is a condition on `statement`. A marker is no number.
NUMBERED = (
    "SELECT phone, seq FROM statement WHERE phone <> '' AND {0} UNION"
    f" SELECT value, seq FROM statement, json_each({NUMBERS}) WHERE numbers <> '' AND value NOT LIKE '-%' AND {{0}}"
)
#: Columns whose values come with the body that a statement shows: those of the first schema, and the added ones.
SHOWN = (
    ("day", "native", *(column.name for column in COLUMNS if not column.key and column.since == 1)),
    tuple(column.name for column in ADDED),
)

_SELECTED = ("lead", "parts", "id1", "id2", "id3", "id4", *(column.name for column in COLUMNS))
#: What receipt_from() takes; `kind` must be joined.
SELECTED = ", ".join(["kind.name", *(f"statement.{name}" for name in _SELECTED)])


def _compiled(source: str) -> Any:
    return eval(source, {"Receipt": Receipt, "outcomes": Members(Outcome)})  # noqa: S307 - made of the constants above


def _binder(columns: Iterable[Column]) -> Callable[[Receipt], tuple[Any, ...]]:
    values = "".join(column.form.bound.format(f"receipt.{column.field}") + ", " for column in columns)
    bind: Callable[[Receipt], tuple[Any, ...]] = _compiled(f"lambda receipt: ({values})")
    return bind


values_of = _binder(COLUMNS)  #: the values of COLUMNS as they are bound
added_values_of = _binder(ADDED)

_read = {
    "kind": "kind",
    "identity": "((id2, id1, id3, id4) if lead else (id1, id2, id3, id4))[:parts]",
    **{column.field: column.form.read.format(column.name) for column in COLUMNS},
}
#: The receipt of the values that SELECTED names. Raises ValueError for a value that is never written.
receipt_from: Callable[..., Receipt] = _compiled(
    f"lambda kind, {', '.join(_SELECTED)}: Receipt({', '.join(_read[field] for field in Receipt.__struct_fields__)})"
)
