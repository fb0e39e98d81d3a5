"""`verify` finds everything that is damaged and nothing else, in both engines; `repair` leaves what the log says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import apsw
import pytest

from smsreceipt.decode.saved import decode_saved
from smsreceipt.insight.answer import readers_of
from smsreceipt.model import Delivery, Instant, Kind, Source
from smsreceipt.runs.check import read_again
from smsreceipt.store import Store
from smsreceipt.store.checking import run
from smsreceipt.store.checking.faults import DAMAGE, Finding
from smsreceipt.store.sqlite.store import open_reader, open_store
from tests.store.engines import Engine
from tests.store.statements import decoded, frame, report
from tests.store.test_attribution import POOL, give
from tests.torture import derived


class Repaired:
    """A filled store of each engine, which each trial leaves as it was; after one that does not, another."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._stores: dict[str, Store] = {}

    def trial(self, engine: str, damages: Sequence[derived.Damage]) -> list[str]:
        store = self._stores.pop(engine, None) or self._stack.enter_context(derived.a_store(engine))
        wrong = derived.trial_on(store, engine, damages)
        if not wrong:
            self._stores[engine] = store
        return wrong


@pytest.fixture(scope="module")
def repaired() -> Iterator[Repaired]:
    with ExitStack() as stack:
        yield Repaired(stack)


def test_a_mixture_of_damages_is_found_and_repaired(engine: Engine) -> None:
    assert not derived.trial(engine.name, derived.DAMAGES[:4] + derived.DAMAGES[8:20:3])


@pytest.mark.slow
@pytest.mark.parametrize("damage", derived.DAMAGES, ids=lambda damage: damage.name)
def test_each_damage_is_found_and_nothing_else(engine: Engine, damage: derived.Damage, repaired: Repaired) -> None:
    assert not repaired.trial(engine.name, [damage])


@pytest.mark.slow
def test_mixtures_are_found_and_repaired(engine: Engine, repaired: Repaired) -> None:
    for damages in derived.mixtures(10, seed=4):
        assert not repaired.trial(engine.name, damages), [each.name for each in damages]


def test_slices_of_any_size_find_the_same(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with derived.a_store(engine.name) as store:
        assert all(derived.damage(store, each) for each in derived.DAMAGES[:2])
        whole = {(each.finding, each.identity) for each in derived.faults(store)}
        for size in (7, 100):
            monkeypatch.setattr(run, "SLICE", size)
            monkeypatch.setattr("smsreceipt.store.sqlite.checking.BUCKET", size)
            assert {(each.finding, each.identity) for each in derived.faults(store)} == whole


def test_what_others_write_meanwhile_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SLICE", 50)
    monkeypatch.setattr("smsreceipt.store.sqlite.checking.BUCKET", 50)
    path = tmp_path / "receipts.db"
    writer = derived.filled(open_store(path))
    reader = open_reader(path)
    serial = iter(range(10_000, 20_000))

    def write(_done: int, _total: int) -> None:
        one = next(serial)
        writer.keep([decoded(report(f"{one}^0"), report("310^0", err_code=f"E{one}", success=False))])
        give(writer, POOL[:3])
        writer.fold(readers_of(derived.PLACE))

    assert not list(reader.verify(read_again, readers_of(derived.PLACE), on_progress=write))
    assert next(serial) > 10_005
    reader.close()
    writer.close()


def test_a_changed_body_is_damage_that_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "receipts.db"
    store = open_store(path)
    derived.filled(store)
    changed = "CAST(replace(CAST(body AS TEXT), 'order-1', 'order-2') AS BLOB)"
    store._db.execute(f"UPDATE statement SET body = {changed} WHERE biz_id = '300^0'")  # noqa: S608 - a constant
    (fault,) = derived.faults(store)
    assert fault.finding is Finding.BODY
    assert fault.finding in DAMAGE
    assert store.repair([fault]) == 0
    assert [each.finding for each in derived.faults(store)] == [Finding.BODY]
    store.close()


def test_a_further_body_of_another_message_is_found(engine: Engine) -> None:
    with derived.a_store(engine.name) as store:
        moved = derived.Damage(
            "a body of another", Finding.READS_DIFFERENTLY,
            "UPDATE {s}body SET seq = seq + 1 WHERE seq = (SELECT min(seq) FROM {s}body)",
        )  # fmt: skip
        assert derived.damage(store, moved)
        found = derived.faults(store)
        assert {each.finding for each in found} in ({Finding.READS_DIFFERENTLY}, {Finding.ORPHAN})


def test_a_damaged_page_is_found_by_the_engine(tmp_path: Path) -> None:
    path = tmp_path / "receipts.db"
    derived.filled(open_store(path)).close()
    db = apsw.Connection(str(path))
    ((root,),) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'statement_out_id'")
    db.close()
    content = bytearray(path.read_bytes())
    content[(root - 1) * 4096 + 8 : (root - 1) * 4096 + 12] = bytes(4)
    path.write_bytes(content)
    store = open_reader(path)
    assert {each.finding for each in derived.faults(store)} == {Finding.ENGINE}
    store.close()


def test_a_receipt_with_other_spellings_of_its_fields_reads_as_it_is_stored(engine: Engine) -> None:
    body = frame({"phoneNumber": "13800008000", "sendTime": "2026-11-20 15:49:55", "reportTime": "2026-11-20 15:49:58",
                  "success": True, "errCode": "DELIVERED", "bizId": "900^0"})  # fmt: skip
    store = engine.empty()
    store.keep([decode_saved(Delivery((body,), Kind("SmsReport"), Source.REPLAY, "file", Instant(1)))])
    assert not derived.faults(store)
    store.close()
