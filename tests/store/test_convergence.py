"""Any order, any repeats, any batches, any of the four sources: the same state.

More examples for a longer run: STORE_EXAMPLES=10000 pytest tests/store/test_convergence.py
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from contextlib import closing

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from smsreceipt.model import Claim, Decoded, Delivery, Instant, Source, contradictory
from smsreceipt.store import Query
from tests.store.engines import ENGINES
from tests.store.expected import Expected, numberless, timeless
from tests.store.statements import NOW, decoded, pool

EXAMPLES = int(os.environ.get("STORE_EXAMPLES", "100"))
POOL = pool()


def split(given: Sequence[Decoded], dice: random.Random) -> list[list[Decoded]]:
    """The same receipts, each on its own, shuffled, some of them again, in batches of any size."""
    alone = [Decoded(item.delivery, (receipt,), ()) for item in given for receipt in item.receipts]
    alone += [dice.choice(alone) for _ in range(dice.randrange(4)) if alone]
    dice.shuffle(alone)
    batches: list[list[Decoded]] = []
    while alone:
        size = dice.choice((1, 2, 5, 50))
        batches.append(alone[:size])
        del alone[:size]
    return batches


class Convergence(RuleBasedStateMachine):
    """A store that is given whatever may come, beside the plain model of what it must hold."""

    engine = ENGINES["sqlite"]

    def __init__(self) -> None:
        super().__init__()
        self.store = self.engine.empty()
        self.expected = Expected()
        self.given: list[Decoded] = []

    def teardown(self) -> None:
        self.look()
        self.store.close()

    @rule(numbers=st.lists(st.integers(0, len(POOL) - 1), min_size=1, max_size=5))
    def hear(self, numbers: list[int]) -> None:
        self.keep([POOL[number] for number in numbers])

    def keep(self, batch: list[Decoded]) -> None:
        kept = self.store.keep(batch)
        assert kept.tally == self.expected.keep(batch)
        self.given += batch

    @precondition(lambda self: bool(self.given))
    @rule(number=st.integers(0, 10_000), source=st.sampled_from(Source), days=st.integers(-3, 3))
    def hear_again(self, number: int, source: Source, days: int) -> None:
        """The same words by another way, at another time."""
        heard = self.given[number % len(self.given)]
        at = Instant(NOW + days * 86_400_000)
        again = Decoded(Delivery(heard.delivery.frames, heard.delivery.kind, source, "c", at), heard.receipts, ())
        self.keep([again])

    @precondition(lambda self: bool(self.given))
    @rule(dice=st.randoms(use_true_random=False))
    def tell_it_otherwise(self, dice: random.Random) -> None:
        """Another store hears the same set in another order: what it holds must be the same."""
        with closing(self.engine.empty()) as other:
            for batch in split(self.given, dice):
                other.keep(batch)
            for query in (Query(), Query(history=True), Query(conflicts=True)):
                assert timeless(other.list(query)) == timeless(self.store.list(query))
            counts = [
                [(each.kind, each.count, each.statements, each.tests, each.first_received_at, each.last_received_at)
                 for each in store.facts().kinds]
                for store in (self.store, other)
            ]  # fmt: skip
            assert counts[0] == counts[1]

    @rule()
    def look(self) -> None:
        """Also at the end of every example: looking after every step would be most of the work."""
        self.it_holds_what_it_must()
        self.the_flags_are_those_that_the_log_gives()

    def it_holds_what_it_must(self) -> None:
        for found, wanted in (
            (self.store.list(Query(history=True)), self.expected.history()),
            (self.store.list(Query()), self.expected.current()),
            (self.store.list(Query(conflicts=True)), self.expected.conflicts()),
        ):
            assert numberless(found) == numberless(each.stored(0) for each in wanted)
        assert self.store.facts().kinds == self.expected.kinds()

    def the_flags_are_those_that_the_log_gives(self) -> None:
        for said in self.engine.log(self.store).values():
            best = max((claim for claim, _, _ in said), key=Claim.rank)
            legs = contradictory((claim.outcome, claim.leg) for claim, _, _ in said)
            for claim, current, conflict in said:
                assert current == (claim == best)
                assert conflict == (claim.settled and claim.leg in legs)


class OnPostgres(Convergence):
    """The same in PostgreSQL, with fewer examples."""

    engine = ENGINES["postgres"]


Convergence.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=30)
OnPostgres.TestCase.settings = settings(max_examples=max(EXAMPLES // 10, 1), stateful_step_count=20)
TestConvergence = pytest.mark.slow(Convergence.TestCase)
TestOnPostgres = pytest.mark.slow(pytest.mark.needs("postgres")(OnPostgres.TestCase))


@pytest.mark.parametrize(
    ("engine", "rule"),
    [
        ("sqlite", "smsreceipt.store.sqlite.keep.Keeper.decide"),
        pytest.param(
            "postgres", "smsreceipt.store.postgres.identities.Identities.decide", marks=pytest.mark.needs("postgres")
        ),
    ],
)
def test_the_harness_would_notice_an_order_that_matters(
    engine: str, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seeded bug: the first statement stays the state, whatever follows."""
    monkeypatch.setattr(rule, lambda *_: {})
    machine = Convergence() if engine == "sqlite" else OnPostgres()
    pending = {"phone_number": "1", "biz_id": "1", "success": False, "err_code": "UNKNOWN", "send_time": ""}
    first, then = (decoded(("SmsReport", {**pending, **more})) for more in ({}, {"success": True, "err_code": ""}))
    machine.keep([first])
    machine.keep([then])
    with pytest.raises(AssertionError):
        machine.the_flags_are_those_that_the_log_gives()
    with pytest.raises(AssertionError):
        machine.it_holds_what_it_must()
    machine.store.close()
