"""How far a file is replayed is noted with what was read of it, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from smsreceipt.ingest import take
from smsreceipt.model import Decoded, Reached, Tally
from smsreceipt.store import Store
from smsreceipt.store.sqlite.store import open_reader, open_store
from tests.store.contract import Cutting, PowerCut
from tests.store.engines import Engine
from tests.store.statements import decoded, report


@pytest.fixture
def store(engine: Engine) -> Iterator[Store]:
    with closing(engine.empty()) as opened:
        yield opened


def at(file: str, offset: int, *, done: bool = False) -> Decoded:
    item = decoded(report(f"{offset}^0"))
    return replace(item, delivery=replace(item.delivery, reached=Reached(file, offset, f"mark {offset}", done)))


def test_the_last_place_of_each_file_counts(store: Store) -> None:
    store.keep([at("a", 10), at("b", 5), at("a", 20)])
    store.keep([decoded(report("other^0"))])
    expected = {
        "a": Reached("a", 20, "mark 20", done=False),
        "b": Reached("b", 5, "mark 5", done=False),
    }
    assert store.unfinished() == expected


def test_the_place_outlives_the_store(tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "receipts.db")) as store:
        store.keep([at("a", 10)])
    with closing(open_reader(tmp_path / "receipts.db")) as reader:
        assert list(reader.unfinished()) == ["a"]


def test_a_file_that_is_done_leaves_no_note(store: Store) -> None:
    store.keep([at("a", 10)])
    store.keep([at("a", 20), at("a", 30, done=True), at("never seen", 1, done=True)])
    assert store.unfinished() == {}


def test_a_place_is_noted_only_with_its_receipts(store: Store) -> None:
    store.keep([at("a", 10)])
    with pytest.raises(PowerCut):
        store.keep(Cutting(at("a", 20), at("a", 30)))
    assert {file: reached.offset for file, reached in store.unfinished().items()} == {"a": 10}


def test_what_is_decoded_already_is_kept_as_it_is_and_acked(store: Store) -> None:
    acked: list[str] = []
    item = at("a", 10)
    item = replace(item, delivery=replace(item.delivery, frames=(b"nothing of this is looked at",)))
    item = replace(item, delivery=replace(item.delivery, ack=lambda: acked.append("a")))
    kept = take([item, decoded(report("plain^0"))], store)
    assert kept.tally == Tally(2, 2, 0, 0, 0)
    assert acked == ["a"]
