"""Damages everything that a store derives, one thing at a time and in mixtures: `check` finds each, and nothing else.

A repair must leave exactly what the store held before. Damage is written past the triggers, as a failing disk does.
"""

# ruff: noqa: S608 - damage is written in SQL

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import apsw

from smsreceipt.insight.answer import readers_of
from smsreceipt.model.facts import Place
from smsreceipt.runs.check import read_again
from smsreceipt.store import Store
from smsreceipt.store.checking.faults import Fault, Finding
from smsreceipt.store.sqlite import keep
from smsreceipt.store.sqlite.store import SqliteStore
from tests.store import statements
from tests.store.engines import ENGINES
from tests.store.statements import decoded, report
from tests.store.test_attribution import DAY, POOL, give, send

Rows = Mapping[str, list[tuple[Any, ...]]]


class Ranges:
    """A table of places, as `stats` has one."""

    version = "1"

    def __call__(self, phone: str) -> tuple[str, str]:
        """By the third digit."""
        return ("mobile", "zhejiang") if phone[2:3] in "89" else ("telecom", "unknown")


PLACE: Place = Ranges()


class Damage(NamedTuple):
    """One way to damage a store: SQL by engine, and what a check must find of it."""

    name: str
    finding: Finding
    sqlite: str
    postgres: str = ""  #: "": the same, with the schema's name


_SHOWN = "(SELECT min(seq) FROM {s}statement JOIN {s}kind ON kind.id = statement.kind WHERE name = 'SmsReport' AND {0})"
_SINGLE = "biz_id = '300^0'"


def _some(condition: str) -> str:
    return _SHOWN.replace("{0}", condition)


DAMAGES = (
    Damage("no state", Finding.STATE, f"UPDATE {{s}}statement SET current = {{f}} WHERE seq = {_some(_SINGLE)}"),
    Damage(
        "the state of several is another",
        Finding.STATE,
        "UPDATE {s}statement SET current = {f} WHERE seq = "
        + _some("biz_id = '310^0' AND outcome = 'delivered'")
        + "; UPDATE {s}statement SET current = {t} WHERE seq = "
        + _some("biz_id = '310^0' AND outcome = 'unknown'"),
    ),
    Damage(
        "a conflict of one",
        Finding.CONFLICT,
        f"UPDATE {{s}}statement SET conflict = {{t}} WHERE seq = {_some(_SINGLE)}",
    ),
    Damage(
        "a conflict is not marked",
        Finding.CONFLICT,
        "UPDATE {s}statement SET conflict = {f} WHERE seq = " + _some("biz_id = '320^0' AND outcome = 'failed'"),
    ),
    Damage(
        "a counter of identities",
        Finding.COUNTER,
        "UPDATE kind SET identities = identities + 1 WHERE name = 'SmsReport'",
        "UPDATE smsreceipt.tally SET identities = identities + 1 WHERE (kind, slot) IN (SELECT kind, max(slot) FROM"
        " smsreceipt.tally JOIN smsreceipt.kind ON id = kind WHERE name = 'SmsReport' GROUP BY kind)",
    ),
    Damage(
        "a counter of statements",
        Finding.COUNTER,
        "UPDATE kind SET statements = statements - 2 WHERE name = 'SmsUp'",
        "UPDATE smsreceipt.tally SET statements = statements - 2 WHERE (kind, slot) IN (SELECT kind, max(slot) FROM"
        " smsreceipt.tally JOIN smsreceipt.kind ON id = kind WHERE name = 'SmsUp' GROUP BY kind)",
    ),
    Damage(
        "a counter of tests",
        Finding.COUNTER,
        "UPDATE kind SET tests = 0 WHERE name = 'SmsReport'",
        "UPDATE smsreceipt.tally SET tests = 0 WHERE kind = (SELECT id FROM smsreceipt.kind WHERE name = 'SmsReport')",
    ),
    Damage(
        "the counter of sends",
        Finding.SENDS,
        "UPDATE counter SET sends = sends + 3",
        "UPDATE smsreceipt.ledger SET sends = sends + 3 WHERE slot = (SELECT min(slot) FROM smsreceipt.ledger)",
    ),
    Damage("a number is not in the index", Finding.PHONE, "DELETE FROM phone WHERE phone = '13900000042'", "-"),
    Damage(
        "a number is in the index of another",
        Finding.PHONE,
        "INSERT INTO phone SELECT '13911112222', min(seq) FROM phone",
        "-",
    ),
    Damage(
        "the index has what is no statement", Finding.PHONE, "INSERT INTO phone VALUES ('13911112222', 999999)", "-"
    ),
    Damage(
        "a tally is too large",
        Finding.TALLY,
        "UPDATE {s}day_tally SET messages = messages + 1 WHERE view = 1 AND outcome = 'delivered' AND hour = 3",
    ),
    Damage("a tally is missing", Finding.TALLY, "DELETE FROM {s}day_tally WHERE view = 3 AND outcome = 'delivered'"),
    Damage(
        "a tally of nothing",
        Finding.TALLY,
        "INSERT INTO {s}day_tally SELECT view, day, kind, hour, outcome, 'NOSUCH', carrier, province, seconds, 1, 1, 0"
        " FROM {s}day_tally WHERE view = 1 LIMIT 1",
    ),
    Damage(
        "a tally has other parts",
        Finding.TALLY,
        "UPDATE {s}day_tally SET parts = parts + 1 WHERE view = 4 AND province = 'zhejiang' AND outcome = 'failed'",
    ),
    Damage(
        "a tally tells other seconds",
        Finding.TALLY,
        "UPDATE {s}day_tally SET seconds = -1 WHERE view = 4 AND seconds = -2 AND outcome = 'delivered'"
        " AND province = 'zhejiang'",
    ),
    Damage(
        "a tally of a kind that has none",
        Finding.TALLY,
        "INSERT INTO {s}call_tally SELECT 'SmsUpx', day, counts FROM {s}call_tally WHERE kind = 'SmsUp'",
    ),
    Damage(
        "a tally of calls is too large",
        Finding.TALLY,
        "UPDATE {s}call_tally SET counts = replace(counts, ',5]', ',6]') WHERE kind = 'SecretReport'",
    ),
    Damage("a tally of replies is missing", Finding.TALLY, "DELETE FROM {s}call_tally WHERE kind = 'SmsUp'"),
    Damage(
        "a tally of no call",
        Finding.TALLY,
        "INSERT INTO {s}call_tally SELECT kind, 1, counts FROM {s}call_tally WHERE kind = 'SecretReport'",
    ),
    Damage("a digest", Finding.DIGEST, f"UPDATE {{s}}statement SET digest = {{x}} WHERE seq = {_some(_SINGLE)}"),
    Damage(
        "the digest of a further body",
        Finding.DIGEST,
        "UPDATE {s}body SET digest = {x} WHERE seq = (SELECT min(seq) FROM {s}body)",
    ),
    Damage("a day", Finding.DAY, f"UPDATE {{s}}statement SET day = day + 1 WHERE seq = {_some(_SINGLE)}"),
    Damage(
        "a tie is missing",
        Finding.ATTRIBUTION,
        "DELETE FROM {s}tie WHERE detail = (SELECT min(detail) FROM {s}tie WHERE made)",
    ),
    Damage(
        "a tie of what was said anyway is missing",
        Finding.ATTRIBUTION,
        "DELETE FROM {s}tie WHERE detail = (SELECT min(detail) FROM {s}tie WHERE NOT made AND NOT signed)",
    ),
    Damage(
        "a tie to another",
        Finding.ATTRIBUTION,
        f"UPDATE {{s}}tie SET report = {_some(_SINGLE)}"
        " WHERE detail = (SELECT min(detail) FROM {s}tie WHERE NOT made AND NOT signed)",
    ),
    Damage(
        "who made it",
        Finding.ATTRIBUTION,
        "UPDATE {s}tie SET made = {t} WHERE detail = (SELECT min(detail) FROM {s}tie WHERE NOT made AND NOT signed)",
    ),
    Damage(
        "an attributed answer is a state again",
        Finding.STATE,
        "UPDATE {s}statement SET current = {t} WHERE seq = (SELECT min(detail) FROM {s}tie WHERE made)",
    ),
    Damage(
        "a tie of nothing",
        Finding.ORPHAN,
        "INSERT INTO tie VALUES (888888, 1, '13800008000', 0, 0)",
        "INSERT INTO smsreceipt.tie SELECT place, 888888, 1, false, false FROM smsreceipt.tie LIMIT 1",
    ),
    Damage(
        "a body of nothing",
        Finding.ORPHAN,
        "INSERT INTO body VALUES (777777, X'00', 1, X'00')",
        "INSERT INTO smsreceipt.body VALUES (5, 777777, '\\x00', true, '\\x00')",
    ),
    Damage("settled without a receipt", Finding.SETTLED, "UPDATE {s}send SET settled = {t} WHERE biz_id = 'open^0'"),
    Damage(
        "a key",
        Finding.KEY,
        "-",
        "UPDATE smsreceipt.statement SET said = gen_random_uuid() WHERE seq = "
        + _some(_SINGLE).replace("{s}", "smsreceipt."),
    ),
    Damage(
        "the key of a send",
        Finding.KEY,
        "-",
        "UPDATE smsreceipt.send SET ident = gen_random_uuid() WHERE biz_id = 'open^0'",
    ),
)


def filled(store: Store) -> Store:
    """The store with what may meet: states, conflicts, tests, further bodies, attributions, replies, calls, sends."""
    with patch.object(keep, "_PHONES", 40):
        give(store, POOL)
        store.keep([decoded(*(report(f"{n}^0", f"139000{n % 97:05}", send_time=f"2026-11-2{n % 3} 0{n % 7}:00:0{n % 9}")
                              for n in range(1000, 1400)))])  # fmt: skip
        store.keep([decoded(report("300^0"), report("310^0"), report("320^0"), report("330^0", extra=1))])
        store.keep([decoded(report("310^0", **statements.WAITING), report("320^0", **statements.FAILED))])
        store.keep([decoded(report("330^0", extra=2), report("340^0", "13900000004"))])
        store.keep([decoded(*(statements.reply(str(n)) for n in range(5)))])
        store.keep([decoded(*(statements.call(f"call-{n}", peer_no="13711110000") for n in range(5)))])
        store.keep([decoded(report("932702304080415357^0", "18612345678"))])
        store.keep([decoded(statements.bad())])
        store.add_sends([send(f"{n}^0", f"{DAY} 10:00:00", phone=f"139000{n % 97:05}") for n in range(1000, 1100)])
        store.add_sends([send("open^0", f"{DAY} 10:00:00")])
        store.keep([decoded(*(report(f"{n}^0", f"137000{n % 97:05}") for n in range(2000, 2100)))])
    store.fold(readers_of(PLACE))
    store.keep(
        [decoded(report("350^0"), report("310^0", err_code="X", success=False, report_time="2026-11-20 15:49:57"))]
    )
    return store


def faults(store: Store) -> list[Fault]:
    """What a check finds."""
    return list(store.verify(read_again, readers_of(PLACE)))


def damage(store: Store, what: Damage) -> bool:
    """Damage the store; False where the engine has no such thing, or an earlier damage has left nothing of it."""
    if isinstance(store, SqliteStore):
        text = what.sqlite.format(s="", t="1", f="0", x="zeroblob(32)")
        if text == "-":
            return False
        store._db.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        store._db.execute("PRAGMA foreign_keys = OFF")
        before = store._db.total_changes()
        store._db.execute(text)
        changed = store._db.total_changes() > before
        store._db.execute("PRAGMA foreign_keys = ON")
        store._db.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 1)
        return changed
    text = what.postgres or what.sqlite.format(
        s="smsreceipt.", t="true", f="false", x="decode(repeat('00', 32), 'hex')"
    )
    if text == "-":
        return False
    with store._connections.lend() as db:  # type: ignore[attr-defined]
        return all(db.execute(statement).rowcount > 0 for statement in text.split("; "))


_LEFT_OUT = {"counter", "tally_state", "call_state", "writer", "lease", "run", "backfill", "meta", "tally_change"}


def content(store: Store) -> Rows:
    """All rows of all tables that hold receipts, or what is derived of them. Changes of tallies are added to them."""
    store.fold(readers_of(PLACE))
    if isinstance(store, SqliteStore):
        db = store._db
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        tables = {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in names if name not in _LEFT_OUT}
        tables["counter"] = db.execute("SELECT last_seq, phones_to, sends FROM counter").fetchall()
        return {name: sorted(rows, key=repr) for name, rows in tables.items()}
    with store._connections.lend() as db:  # type: ignore[attr-defined]
        names = [name for (name,) in db.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'smsreceipt'")]
        tables = {
            name: db.execute(f"SELECT * FROM smsreceipt.{name}").fetchall() for name in names if name not in _LEFT_OUT
        }
        tables["tally"] = db.execute("SELECT kind, sum(identities), sum(tests), sum(statements), min(first_received),"
                                     " max(last_received) FROM smsreceipt.tally GROUP BY kind").fetchall()  # fmt: skip
        tables["ledger"] = db.execute("SELECT sum(sends) FROM smsreceipt.ledger").fetchall()
    return {name: sorted(rows, key=repr) for name, rows in tables.items()}


def differences(before: Rows, after: Rows) -> list[str]:
    """Rows that are not in both."""
    return [
        f"{name}: {row!r:.150}"
        for name in before
        for row, count in (Counter(map(repr, before[name])) - Counter(map(repr, after[name]))).items()
    ] + [
        f"{name}: more: {row!r:.150}"
        for name in after
        for row, count in (Counter(map(repr, after[name])) - Counter(map(repr, before[name]))).items()
    ]


@contextmanager
def a_store(engine: str) -> Iterator[Store]:
    """A filled store of an engine."""
    store = filled(ENGINES[engine].empty())
    try:
        yield store
    finally:
        store.close()


def _absent(engine: str, what: Damage) -> bool:
    """Whether an engine has no such thing."""
    return (what.postgres if engine == "postgres" else what.sqlite) == "-"


def trial(engine: str, damages: Sequence[Damage]) -> list[str]:
    """Damage a filled store in these ways; what was not found, was found too much, or was not repaired."""
    with a_store(engine) as store:
        return trial_on(store, engine, damages)


def trial_on(store: Store, engine: str, damages: Sequence[Damage]) -> list[str]:
    """The same with a store that is filled already; it is left as it was if nothing is wrong."""
    before = content(store)
    wrong = [f"before: {each}" for each in faults(store)]
    done = [each for each in damages if damage(store, each)]
    wrong += ["nothing was damaged"] * (len(damages) == 1 and not done and not _absent(engine, damages[0]))
    found = faults(store)
    expected = {each.finding for each in done}
    wrong += [f"not found: {each}" for each in expected - {fault.finding for fault in found}]
    wrong += [f"found too much: {fault}" for fault in found if fault.finding not in expected]
    store.repair(found)
    wrong += [f"left: {fault}" for fault in faults(store)]
    return wrong + differences(before, content(store))


def mixtures(count: int, seed: int = 1) -> Iterator[Sequence[Damage]]:
    """Several damages at once."""
    dice = random.Random(seed)
    for _ in range(count):
        yield dice.sample(DAMAGES, dice.randrange(2, 6))


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    sound = True
    for engine in ENGINES:
        runs: list[Sequence[Damage]] = [[each] for each in DAMAGES]
        runs += mixtures(300 if full else 20)
        wrong = {", ".join(each.name for each in run): found for run in runs if (found := trial(engine, run))}
        print(
            f"derived, {engine}: runs={len(runs)} wrong={len(wrong)} {dict(list(wrong.items())[:3]) or ''}", flush=True
        )
        sound = sound and not wrong
    return sound
