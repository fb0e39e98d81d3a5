"""From which statement on a store has grown, found without reading it."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.model import DAY_MS, Instant, Kind
from smsreceipt.store import KindFacts, StoreFacts
from smsreceipt.store.sums import first_since, growth


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), max_size=40), st.integers(0, 130), st.integers(0, 9))
def test_the_first_statement_since_a_time_whatever_gaps_the_seqs_have(
    steps: list[tuple[int, int]], at: int, rest: int
) -> None:
    rows, seq, time = [], 0, 0
    for gap, later in steps:
        seq, time = seq + gap, time + later
        rows.append((seq, time))
    last, asked = seq + rest, 0

    def probe(first: int) -> Iterator[tuple[int, int]]:
        nonlocal asked
        asked += 1
        return iter([row for row in rows if row[0] >= first][:1])

    found = first_since(last, Instant(at), probe)
    after = [number for number, received in rows if received >= at]
    assert [number for number, _ in rows if number >= found] == after
    assert asked <= last.bit_length() + 1


def test_statements_that_were_undone_do_not_count_as_growth() -> None:
    now = Instant(100 * DAY_MS)
    kinds = (KindFacts(Kind("SmsReport"), 5_000, 5_000, 0, Instant(0), now),)
    facts = StoreFacts("s", True, "PostgreSQL", 1, 5_000_000, 10_000, 0, 0, kinds)  # every second seq is a gap
    grown = growth(facts, 10_001 - 1_400, Instant(93 * DAY_MS), now, 1_000_000)
    assert (grown.receipts_per_day, grown.bytes_per_receipt, grown.bytes_per_day) == (100, 1_000, 100_000)
    assert grown.days_left == 10
