"""What every store promises, whatever its engine: a class to inherit, with a factory of empty stores."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from smsreceipt.decode import decode
from smsreceipt.model import Decoded, Delivery, Instant, Kind, Outcome, Reason, Source, StoredReceipt, Tally
from smsreceipt.store import Query, Store
from tests.store.expected import Expected, filtered, numberless, timeless
from tests.store.statements import (
    FAILED,
    NOW,
    PHONE,
    WAITING,
    bad,
    call,
    decoded,
    frame,
    mixed,
    pool,
    reply,
    report,
)

ALL = Query(history=True)
POOL = pool()
REPLIES = pool(40, ("SmsUp",))
#: Several classes inherit these tests: that is what they are for.
SHARED: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.differing_executors]}


def in_pool(number: int) -> Decoded:
    return POOL[number]


def in_replies(number: int) -> Decoded:
    return REPLIES[number]


class PowerCut(BaseException):
    """Derived from BaseException, so that no `except Exception` can hide it."""


class Cutting(Sequence[Decoded]):
    """A batch that is cut off while it is read: by its last element, or right after it."""

    def __init__(self, *items: Decoded) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: object) -> Decoded:  # type: ignore[override]  # never sliced
        raise PowerCut

    def __iter__(self) -> Iterator[Decoded]:
        yield from self._items
        raise PowerCut


def only(store: Store, query: Query = Query()) -> StoredReceipt:  # noqa: B008 - frozen
    (found,) = store.list(query)
    return found


def seqs(store: Store, query: Query = ALL) -> list[int]:
    return [each.seq or 0 for each in store.list(query)]


class StoreContract:
    """Inherit it, name the class Test…, and say how an empty store is made."""

    def store(self) -> Store:
        """A new empty store."""
        raise AssertionError("say which store")

    @contextmanager
    def opened(self) -> Iterator[Store]:
        with closing(self.store()) as store:
            yield store

    def test_an_empty_store_is_empty(self) -> None:
        with self.opened() as store:
            assert list(store.list(ALL)) == []
            assert list(store.rejects()) == []
            assert store.count(ALL, 10) == 0
            facts = store.facts()
            assert (facts.last_seq, facts.rejects, facts.conflicts, facts.kinds) == (0, 0, 0, ())
            assert store.keep([]).tally == Tally()

    def test_every_message_is_new_or_a_duplicate_or_a_reject(self) -> None:
        with self.opened() as store:
            first = store.keep([decoded(report("1"), report("2"), bad(), report("1"))])
            assert first.tally == Tally(received=4, new=2, duplicate=1, rejected=1, fresh_rejects=1)
            assert first.reasons == {Reason.JSON: 1}
            again = store.keep([decoded(report("1"), bad(), report("3"))])
            assert again.tally == Tally(received=3, new=1, duplicate=1, rejected=1, fresh_rejects=0)
            assert again.reasons == {}
            assert [each.receipt.biz_id for each in first.new] == ["1", "2"]
            assert [each.receipt.biz_id for each in again.new] == ["3"]

    def test_what_is_new_is_returned_as_it_is_stored(self) -> None:
        with self.opened() as store:
            kept = store.keep([*mixed(report("1"), call(), reply()), decoded(report("2", **FAILED))])
            assert list(kept.new) == list(store.list(ALL))

    def test_a_repeat_only_raises_times_seen(self) -> None:
        with self.opened() as store:
            store.keep([decoded(report())])
            before = only(store)
            for source in (Source.MNS, Source.REPLAY, Source.PUSH):
                store.keep([decoded(report(), source=source, origin="elsewhere", at=NOW + 9_999)])
            after = only(store)
            assert (before.times_seen, after.times_seen) == (1, 4)
            assert numberless([after]) == numberless([structs.replace(before, times_seen=4)])
            assert (after.seq, after.source, after.origin, after.received_at) == (before.seq, "mns", "a-queue", NOW)

    def test_the_same_statement_twice_in_one_batch_is_one(self) -> None:
        with self.opened() as store:
            kept = store.keep([decoded(report(), report()), decoded(report(), source=Source.PUSH)])
            assert (kept.tally.new, kept.tally.duplicate) == (1, 2)
            assert (only(store).times_seen, only(store).source) == (3, Source.MNS)

    @pytest.mark.parametrize(
        ("one", "other"),
        [(("12", "3138"), ("123", "138")), (("1^", "38"), ("1", "38")), (("1", "113800000000"), ("11", "13800000000"))],
    )
    def test_identities_that_would_collide_when_joined_stay_apart(
        self, one: tuple[str, str], other: tuple[str, str]
    ) -> None:
        with self.opened() as store:
            kept = store.keep([decoded(report(*one), report(*other))])
            assert kept.tally.new == 2
            assert {each.receipt.identity for each in store.list(Query())} == {one, other}

    def test_a_pool_and_a_call_that_change_places_stay_apart(self) -> None:
        with self.opened() as store:
            store.keep([decoded(call("a", "b"), call("b", "a"))])
            assert [each.receipt.identity for each in store.list(Query())] == [("b", "a"), ("a", "b")]
            assert only(store, Query(call_ids=["a"])).receipt.identity == ("b", "a")

    def test_kinds_are_worlds_apart(self) -> None:
        _, fields = report()
        with self.opened() as store:
            store.keep([decoded(("SmsReport", fields)), decoded(("DypnsSmsVerifyReport", {**fields, **FAILED}))])
            assert [each.receipt.kind for each in store.list(Query())] == ["SmsReport", "DypnsSmsVerifyReport"]
            assert list(store.list(Query(conflicts=True))) == []

    def test_a_signed_repeat_makes_a_statement_signed_and_may_change_the_state(self) -> None:
        late: dict[str, Any] = {"report_time": "2026-11-20 16:00:00"}
        with self.opened() as store:
            store.keep([decoded(report(), source=Source.PUSH)])
            store.keep([decoded(report(**FAILED, **late), source=Source.PUSH)])
            assert only(store).receipt.outcome == Outcome.FAILED  # the newest of the unsigned
            kept = store.keep([decoded(report(), source=Source.MNS)])
            assert kept.tally.duplicate == 1
            assert only(store).receipt.outcome == Outcome.DELIVERED  # the provider proved it
            assert only(store).source == Source.PUSH

    def test_a_forged_push_never_outweighs_the_provider(self) -> None:
        with self.opened() as store:
            store.keep([decoded(report())])
            for second in range(10):
                forged = report(**FAILED, report_time=f"2026-11-21 00:00:0{second}")
                store.keep([decoded(forged, source=Source.PUSH)])
            assert only(store).receipt.outcome == Outcome.DELIVERED
            assert store.count(Query(conflicts=True), 100) == 11

    def test_contradictions_are_flagged_and_listed_all_of_them(self) -> None:
        with self.opened() as store:
            store.keep([decoded(report("1"), report("2"), report("1", **WAITING))])
            assert list(store.list(Query(conflicts=True))) == []
            store.keep([decoded(report("1", **FAILED), report("1", **FAILED, report_time="2026-11-20 16:00:00"))])
            found = list(store.list(Query(conflicts=True)))
            assert [(each.receipt.biz_id, each.receipt.outcome) for each in found] == [
                ("1", "delivered"), ("1", "failed"), ("1", "failed"),
            ]  # fmt: skip
            assert store.facts().conflicts == 3

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_what_is_open_loses_to_what_is_settled_whenever_it_comes(self, order: Sequence[int]) -> None:
        late: dict[str, Any] = {"report_time": "2026-11-22 00:00:00"}
        said = [report(), report(**WAITING, **late), report(**WAITING)]
        with self.opened() as store:
            for index in order:
                store.keep([decoded(said[index])])
            assert only(store).receipt.outcome == Outcome.DELIVERED
            assert len(seqs(store)) == 3

    @pytest.mark.parametrize("order", list(permutations(range(4))))
    @pytest.mark.parametrize("at_once", [True, False])
    def test_the_shown_body_does_not_depend_on_the_order(self, order: Sequence[int], at_once: bool) -> None:
        said = [
            decoded(report(sms_size="1", out_id="native", send_time="2026-11-20 15:00:00"), source=Source.PUSH),
            decoded(report(sms_size="2", out_id=""), source=Source.MNS),
            decoded(report(sms_size="3", out_id="query"), source=Source.QUERY),
            decoded(report(sms_size="2", out_id=""), source=Source.QUERY),
        ]
        expected = Expected()
        with self.opened() as store:
            for batch in [[said[index] for index in order]] if at_once else [[said[index]] for index in order]:
                store.keep(batch)
                expected.keep(batch)
            (statement,) = expected.history()
            shown = only(store)
            assert numberless([shown]) == numberless([statement.stored(1)])
            native = said[0].receipts[0]  # of the native ones, it says more
            assert (shown.receipt.body, shown.receipt.out_id or "", shown.receipt.sent_at) == (
                native.body,
                native.out_id,
                native.sent_at,
            )
            assert only(store, Query(since=native.sent_at, until=Instant((native.sent_at or 0) + 1))) == shown

    def test_a_body_that_a_query_brought_first_is_native_once_a_push_brings_it_too(self) -> None:
        one, other = sorted(
            [decoded(report(sms_size=size), source=Source.PUSH) for size in "12"],
            key=lambda each: each.receipts[0].digest,
        )
        asked = Decoded(Delivery((), None, Source.QUERY, "QuerySendDetails", NOW), one.receipts, ())
        for order in permutations([asked, one, other]):
            with self.opened() as store:
                for item in order:
                    store.keep([item])
                assert only(store).receipt.body == one.receipts[0].body

    def test_a_receipt_has_the_parts_and_the_seconds_of_its_body_and_nothing_is_left_to_fill(self) -> None:
        with self.opened() as store:
            store.keep([*mixed(report("1", sms_size="3"), report("2"), call(), reply())])
            found = [(each.receipt.parts, each.receipt.talk_seconds) for each in store.list(ALL)]
            assert found == [(3, None), (None, None), (None, 185), (None, None)]
            left: list[tuple[int, int]] = []
            store.backfill(lambda done, total: left.append((done, total)))
            assert left == []

    def test_the_body_that_says_most_is_shown_whichever_comes_first(self) -> None:
        bodies = [decoded(call(**more)) for more in ({}, {"record_url": ""}, {"record_url": "https://example.com/1"})]
        for order in permutations(bodies):
            with self.opened() as store:
                for item in order:
                    store.keep([item])
                assert only(store).receipt == bodies[-1].receipts[0]

    def test_each_distinct_body_of_a_statement_can_be_listed(self) -> None:
        bodies = [decoded(call(record_url=url)) for url in ("", "https://example.com/1")]
        with self.opened() as store:
            for item in (bodies[1], decoded(report("1")), bodies[0], bodies[0], decoded(report("2"))):
                store.keep([item])
            urls = [b"example.com" in each.receipt.body for each in store.list(Query(history=True, bodies=True))]
            assert urls == [False, True, False, False]
            assert len(list(store.list(Query(history=True)))) == 3
            for newest in (False, True):
                assert len(list(store.list(Query(history=True, bodies=True, limit=2, newest=newest)))) == 2

    def test_every_number_of_a_call_finds_it_and_a_changed_body_has_its_own(self) -> None:
        first, second = sorted(
            [
                decoded(call(peer_no=peer, secret_no="17000000001", sub_id=77))
                for peer in ("13900002222", "13900003333")
            ],
            key=lambda each: each.receipts[0].digest,
        )
        with self.opened() as store:
            for item in (second, first, decoded(report("1")), decoded(report("2")), decoded(report("3"))):
                store.keep([item])
            shown = first.receipts[0]
            for number in (shown.phone, *shown.numbers.split()):
                (found,) = store.list(Query(phones=[number, "1"]))
                assert found.receipt == shown
            hidden = second.receipts[0].numbers.split()[0]
            assert list(store.list(Query(phones=[hidden]))) == []

    def test_seq_grows_in_commit_order_and_is_never_used_again(self) -> None:
        with self.opened() as store:
            last = 0
            for n in range(5):
                kept = store.keep([decoded(report(str(n)), report(str(n)), report(f"{n}-b"))])
                new = [each.seq or 0 for each in kept.new]
                assert all(before < after for before, after in pairwise([last, *new]))
                last = store.facts().last_seq
                assert last >= new[-1]
                if n % 2:
                    with pytest.raises(PowerCut):
                        store.keep(Cutting(decoded(report(f"{n}-cut"))))
            assert seqs(store) == sorted(set(seqs(store)))
            assert store.count(ALL, 100) == 10

    def test_dropping_rejects_gives_no_number_back(self) -> None:
        with self.opened() as store:
            store.keep([decoded(report("1"), bad())])
            last = store.facts().last_seq
            store.drop_rejects([each.id for each in store.rejects()])
            (fresh,) = store.keep([decoded(report("2"))]).new
            assert (fresh.seq or 0) > last

    def test_of_a_batch_that_is_cut_off_nothing_happened(self) -> None:
        with self.opened() as store:
            store.keep([decoded(report("1"), bad())])

            def all_of_it() -> tuple[object, ...]:
                facts = replace(store.facts(), size=0)  # the engine may tidy up its files at any time
                return list(store.list(ALL)), list(store.rejects()), facts

            before = all_of_it()
            with pytest.raises(PowerCut):
                store.keep(Cutting(decoded(report("1", **FAILED), bad("{")), *mixed(call(), origin="new", at=1)))
            assert all_of_it() == before
            store.keep(mixed(call(), origin="new"))
            assert [each.origin for each in store.list(ALL)] == ["a-queue", "new"]

    def test_rejects_are_known_by_kind_and_bytes(self) -> None:
        with self.opened() as store:
            store.keep([decoded(bad(), bad(), bad("[1]")), decoded(bad(), kind="SmsUp", origin="b", at=NOW + 1)])
            store.keep([decoded(bad(), source=Source.PUSH, origin="c", at=NOW + 2)])
            found = list(store.rejects())
            first = hashlib.sha256(b"SmsReport\0" + bad()).hexdigest()
            assert [(each.kind, each.times_seen, each.origin, each.received_at) for each in found] == [
                ("SmsReport", 3, "a-queue", NOW), ("SmsReport", 1, "a-queue", NOW), ("SmsUp", 1, "b", NOW + 1),
            ]  # fmt: skip
            assert (found[0].id, found[0].size, found[0].reason) == (first, len(bad()), Reason.JSON)
            assert store.reject_body(first) == bad()
            assert list(store.rejects([first[:10]])) == found[:1]
            assert store.facts().rejects == 3
            with pytest.raises(KeyError):
                store.reject_body(first[:10])

    def test_a_kind_that_nothing_tells_is_none(self) -> None:
        lost = decode(Delivery((b'{"hello":1}',), None, Source.REPLAY, "file", NOW))
        with self.opened() as store:
            store.keep([lost])
            (found,) = store.rejects()
            assert (found.kind, found.reason) == (None, Reason.KIND_UNKNOWN)

    def test_a_retry_resolves_in_the_transaction_that_keeps(self) -> None:
        with self.opened() as store:
            store.keep([decoded(bad(), bad("{"))])
            first, second = [each.id for each in store.rejects()]
            with pytest.raises(PowerCut):
                store.keep(Cutting(decoded(report())), resolves=[first])
            assert [each.id for each in store.rejects()] == [first, second]
            store.keep([decoded(report())], resolves=[first])
            assert [each.id for each in store.rejects()] == [second]
            assert store.drop_rejects([first, second, second]) == 1
            assert list(store.rejects()) == []

    def test_a_released_lease_leaves_nothing_behind(self) -> None:
        with self.opened() as store:
            one, other = store.acquire_lease("q"), store.acquire_lease("q")
            assert not one.after_unclean
            assert not other.after_unclean  # its process lives: that is no unclean end
            store.release_lease(one, settled=True)
            store.release_lease(other, settled=False)
            assert not store.acquire_lease("q").after_unclean

    def test_closing_twice_is_closing_once(self) -> None:
        store = self.store()
        store.keep([decoded(report())])
        store.close()
        store.close()

    @pytest.mark.slow
    @settings(max_examples=40, **SHARED)
    @given(
        st.lists(st.lists(st.integers(0, len(POOL) - 1).map(in_pool), min_size=1, max_size=6), min_size=1, max_size=4),
        st.data(),
    )
    def test_every_filter_finds_what_reading_everything_finds(
        self, history: list[Sequence[Decoded]], data: st.DataObject
    ) -> None:
        with self.opened() as store:
            expected = Expected()
            for batch in history:
                store.keep(batch)
                expected.keep(batch)
            everything = [statement.stored(seq) for statement, seq in zip(expected.history(), seqs(store), strict=True)]
            assert list(store.list(ALL)) == everything
            numbered = dict(zip(map(id, expected.history()), everything, strict=True))
            chosen = {
                "state": [numbered[id(each)] for each in expected.current()],
                "history": everything,
                "conflicts": [numbered[id(each)] for each in expected.conflicts()],
            }
            assert store.facts().conflicts == len(chosen["conflicts"])
            assert store.facts().kinds == expected.kinds()
            for _ in range(8):
                which = data.draw(st.sampled_from(sorted(chosen)))
                query = data.draw(queries(everything, which))
                wanted = filtered(chosen[which], query)
                assert list(store.list(query)) == wanted, query
                if query.limit is None:
                    assert store.count(query, 3) == min(3, len(wanted))

    @settings(max_examples=40, **SHARED)
    @given(
        st.lists(st.integers(0, len(REPLIES) - 1).map(in_replies), min_size=1, max_size=4),
        st.randoms(use_true_random=False),
    )
    def test_how_many_identities_are_tests_does_not_depend_on_the_order(
        self, given_: list[Decoded], dice: random.Random
    ) -> None:
        kinds = []
        for _ in range(2):
            with self.opened() as store:
                for item in given_:
                    store.keep([item])
                kinds.append([(each.kind, each.count, each.statements, each.tests) for each in store.facts().kinds])
            dice.shuffle(given_)
        assert kinds[0] == kinds[1]

    @settings(max_examples=80, **SHARED)
    @given(st.lists(st.text(st.sampled_from("a1^\x00\ud800\n\u202e\\\"'，%_;-"), max_size=6), min_size=4, max_size=4))
    def test_the_store_takes_whatever_decode_gives(self, texts: list[str]) -> None:
        biz_id, out_id, code, content = texts
        _, fields = report(biz_id=biz_id, out_id=out_id, err_code=code, success=False)
        with self.opened() as store:
            # Escaped, as JSON can spell half characters and NUL, which no bytes of UTF-8 can.
            hostile = [json.dumps(each).encode() for each in (fields, reply(biz_id or "1", content)[1])]
            batch = [
                decode(Delivery((hostile[0],), Kind("SmsReport"), Source.MNS, f"q{PHONE}", NOW)),
                decode(Delivery((hostile[1],), Kind("SmsUp"), Source.PUSH, "q", NOW)),
            ]
            kept = store.keep(batch)
            assert kept.tally.balanced
            assert kept.tally.received == 2
            assert timeless(store.list(ALL)) == timeless(kept.new)
            for each in kept.new:
                for query in (
                    Query(biz_ids=[each.receipt.biz_id or "-"]),
                    Query(out_ids=[each.receipt.out_id or "-"]),
                    Query(codes=[each.receipt.code or "-"]),
                ):
                    assert list(store.list(query)) == filtered(kept.new, query)

    def test_many_values_of_one_filter_are_found_in_one_go(self) -> None:
        with self.opened() as store:
            numbers = [f"138{n:08}" for n in range(1500)]
            store.keep([decoded(*(report(f"{n}^0", number) for n, number in enumerate(numbers)))])
            wanted = Query(phones=numbers[::2])
            assert [each.receipt.phone for each in store.list(wanted)] == numbers[::2]
            ids = [f"{n}^0" for n in range(1000)]
            assert [each.receipt.phone for each in store.list(Query(biz_ids=ids))] == numbers[:1000]
            assert store.count(wanted, 10_000) == 750
            newest = Query(phones=numbers[::2], limit=2, newest=True)
            assert [each.receipt.phone for each in store.list(newest)] == [numbers[-4], numbers[-2]]

    def test_bodies_are_kept_to_the_byte(self) -> None:
        spaced = b'{ "phone_number" : "13800008000", "success":true , "biz_id":"1", "send_time":"2026-11-20 15:49:55" }'
        with self.opened() as store:
            store.keep([decoded(spaced)])
            assert only(store).receipt.body == spaced
            assert frame(report("1")[1]) != spaced


def queries(everything: Sequence[StoredReceipt], which: str) -> st.SearchStrategy[Query]:
    """Queries made of values that are there, and of some that are not."""

    def some(name: str, absent: str) -> st.SearchStrategy[list[str]]:
        owners = [each if name == "source" else each.receipt for each in everything]
        there = sorted({str(value) for owner in owners if (value := getattr(owner, name))})
        values = st.sampled_from([*there, absent])
        return st.one_of(st.just([]), st.just([]), st.lists(values, min_size=1, max_size=3))

    known = ((each.receipt, each.received_at) for each in everything)
    moments = sorted({NOW, *(receipt.sent_at or receipt.reported_at or at for receipt, at in known)})
    edges = [Instant(moment + delta) for moment in moments for delta in (-86_400_000, 0, 1)]
    moment = st.one_of(st.none(), st.none(), st.sampled_from(edges))
    last = max((each.seq or 0 for each in everything), default=0)
    return st.builds(
        Query,
        kinds=some("kind", "SignSmsReport"),
        phones=some("phone", "1"),
        biz_ids=some("biz_id", "nobody"),
        out_ids=some("out_id", "nobody"),
        call_ids=some("call_id", "nobody"),
        outcomes=some("outcome", "expired").map(lambda names: [Outcome(name) for name in names]),
        codes=some("code", "nothing"),
        sources=some("source", "query").map(lambda names: [Source(name) for name in names]),
        since=moment,
        until=moment,
        after=st.one_of(st.just(0), st.integers(0, last)),
        limit=st.one_of(st.none(), st.integers(1, 5)),
        newest=st.booleans(),
        history=st.just(which == "history"),
        conflicts=st.just(which == "conflicts"),
    )
