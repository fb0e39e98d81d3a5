"""What `reconcile` says of the list of sends itself: forgotten days, half imports, and what the provider counts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.model import BEIJING, Instant, Send, beijing_day
from smsreceipt.runs import reconcile
from smsreceipt.store import SendQuery
from tests.runs.peer import Answer, Peer
from tests.runs.trial import Trial

MIDNIGHT = datetime.now(BEIJING).replace(hour=0, minute=0, second=0, microsecond=0)
TODAY = beijing_day(Instant(round(MIDNIGHT.timestamp()) * 1000))
DAY = TODAY - 2
KEYS = [
    "date", "from", "to", "sent", "with_receipt", "young", "too_late", "missing", "compensated_delivered",
    "compensated_failed", "still_waiting", "no_record", "unasked", "conflicts", "api_calls", "days_left",
    "mode", "provider_total", "unlisted",
]  # fmt: skip
PLANNED = [*KEYS[:15], "planned_calls", "seconds", *KEYS[15:]]


@pytest.fixture
def trial(tmp_path: Path, peer: Peer) -> Trial:
    trial = Trial(tmp_path)
    trial.app.environ = peer.environment
    trial.at(Instant(time.time_ns() // 1_000_000))
    peer.answers["QuerySendDetails"] = (200, {"Code": "OK", "TotalCount": 0, "SmsSendDetailDTOs": {}})
    return trial


def at(day: int, hour: float = 10) -> datetime:
    return MIDNIGHT - timedelta(days=TODAY - day) + timedelta(hours=hour)


def enter(trial: Trial, count: int, *, day: int = DAY, phone: str = "138", parts: int = 1, hour: float = 10) -> None:
    """Add so many sends to the list, each with a receipt of so many parts; 0: without receipts."""
    sent = at(day, hour)
    when = Instant(round(sent.timestamp() * 1000))
    sends = [Send(f"{phone}{n:08}", f"{day}-{hour}-{n}^0", day, when, "", "", "", None) for n in range(count)]
    with trial.app.open_store(readonly=False) as store:
        store.add_sends(sends)
    if parts:
        trial.keep(*(
            {"phone_number": each.phone, "biz_id": each.biz_id, "success": True, "err_code": "DELIVERED",
             "send_time": f"{sent:%Y-%m-%d %H:%M:%S}", "report_time": f"{sent:%Y-%m-%d %H:%M:%S}",
             "sms_size": str(parts)}
            for each in sends
        ))  # fmt: skip


def counts(total: int | Mapping[int, int]) -> Answer:
    """The provider's answer: its total of the day, or those of several days."""
    rows = [
        {"SendDate": f"{at(day):%Y%m%d}", "TotalCount": sent, "RespondedSuccessCount": sent,
         "RespondedFailCount": 0, "NoRespondedCount": 0}
        for day, sent in ({DAY: total} if isinstance(total, int) else total).items()
    ]  # fmt: skip
    return 200, {"Code": "OK", "Data": {"TotalSize": len(rows), "TargetList": rows}}


def compare(trial: Trial, first: int = DAY, last: int | None = None, *, totals: bool = False, **options: Any) -> Any:
    """The summary of a comparison."""
    chosen = {"min_age": 0, "dry_run": False, "qps": 5000, "workers": 2, "details": None, "fail_on_missing": False}
    trial.app.exit_codes.clear()
    made = reconcile.Options(**{**chosen, **options})
    reconcile.run(trial.app, first, first if last is None else last, made, totals=totals)
    return trial.printed[-1]


def found(summary: Mapping[str, object]) -> tuple[object, object, object]:
    return summary["mode"], summary["provider_total"], summary["unlisted"]


@pytest.mark.parametrize("listed", [0, 3])
def test_the_keys_are_the_same_whatever_the_store_holds(trial: Trial, peer: Peer, listed: int) -> None:
    peer.answers["QuerySendStatistics"] = counts(3)
    enter(trial, listed)
    assert list(compare(trial)) == KEYS
    assert list(compare(trial, provider_total=False)) == KEYS
    for totals in (True, False):
        assert list(compare(trial, dry_run=True, totals=totals)) == PLANNED


@pytest.mark.parametrize("quiet", [True, False])
def test_a_whole_list_is_content_after_one_call(trial: Trial, peer: Peer, quiet: bool) -> None:
    trial.set(quiet=quiet)
    peer.answers["QuerySendStatistics"] = counts(6)
    enter(trial, 3, parts=2)
    summary = compare(trial)
    assert found(summary) == ("sends", 6, 0)
    assert (summary["api_calls"], [call["IsGlobe"] for call in peer.calls], trial.app.exit_codes) == (1, ["1"], [])


@pytest.mark.parametrize("quiet", [True, False])
def test_a_half_import_is_told(trial: Trial, peer: Peer, quiet: bool) -> None:
    trial.set(quiet=quiet)
    peer.answers["QuerySendStatistics"] = counts(10)
    enter(trial, 3, parts=2)
    assert found(compare(trial)) == ("sends", 10, 4)
    assert trial.app.exit_codes == [3]
    assert any("4 billed parts" in line for line in trial.messages)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_forgotten_import_is_told(trial: Trial, peer: Peer, dry_run: bool) -> None:
    trial.set(quiet=True)
    peer.answers |= {"QuerySendStatistics@1": counts(7), "QuerySendStatistics@2": counts(1)}
    summary = compare(trial, dry_run=dry_run)
    assert found(summary) == ("totals", None if dry_run else 8, None if dry_run else 8)
    assert (summary["sent"], trial.app.exit_codes) == (0, [3])
    assert any("no send of" in line for line in trial.messages)
    assert summary["planned_calls" if dry_run else "api_calls"] == 2


def test_receipts_without_a_list_are_no_list(trial: Trial, peer: Peer) -> None:
    peer.answers["QuerySendStatistics"] = counts(3)
    enter(trial, 3)
    with trial.app.open_store(readonly=False) as store:
        store.forget_sends(SendQuery())
    assert found(compare(trial)) == ("totals", 6, 6)  # three of each scope
    assert trial.app.exit_codes == [3]


def test_forgotten_days_among_others_are_told_unless_the_provider_counts_none(trial: Trial, peer: Peer) -> None:
    peer.answers["QuerySendStatistics"] = counts({DAY - 2: 1, DAY: 3})
    enter(trial, 1, day=DAY - 2)
    summary = compare(trial, DAY - 3, DAY)
    assert found(summary) == ("sends", 4, 3)
    (named,) = [line for line in trial.messages if "no send of" in line]
    assert f"{at(DAY):%Y-%m-%d}" in named
    assert f"{at(DAY - 1):%Y-%m-%d}" not in named
    peer.answers["QuerySendStatistics"] = (200, {"Code": "isv.PRODUCT_UN_SUBSCRIPT", "RequestId": "R"})
    compare(trial, DAY - 3, DAY)
    assert f"{at(DAY - 1):%Y-%m-%d}" in [line for line in trial.messages if "no send of" in line][-1]


@pytest.mark.parametrize("options", [{"provider_total": False}, {"dry_run": True}])
def test_days_among_others_are_not_told_without_a_look_at_the_totals(trial: Trial, options: dict[str, bool]) -> None:
    enter(trial, 1, day=DAY - 2)
    compare(trial, DAY - 3, DAY, **options)
    assert not trial.app.exit_codes


def test_a_day_that_is_not_over_is_not_judged(trial: Trial, peer: Peer) -> None:
    peer.answers["QuerySendStatistics"] = counts({TODAY: 900})
    enter(trial, 1, day=TODAY, hour=0)
    assert found(compare(trial, TODAY)) == ("sends", 900, None)
    assert not trial.app.exit_codes


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"Code": "isv.PRODUCT_UN_SUBSCRIPT", "Message": "x", "RequestId": "R"}),
        (403, {"Code": "Forbidden.RAM", "Message": "x", "RequestId": "R"}),
        (404, {"Code": "InvalidAction.NotFound", "Message": "x", "RequestId": "R"}),
    ],
)
def test_a_refused_total_costs_only_the_total(trial: Trial, peer: Peer, answer: Answer) -> None:
    peer.answers["QuerySendStatistics"] = answer
    enter(trial, 2, parts=0)
    summary = compare(trial)
    assert (found(summary), summary["no_record"]) == (("sends", None, None), 2)
    assert not trial.app.exit_codes
    assert any("totals are not known" in line for line in trial.messages)


def test_without_a_key_a_comparison_that_asks_nothing_else_is_made(trial: Trial) -> None:
    trial.app.environ = {}
    enter(trial, 2)
    assert found(compare(trial)) == ("sends", None, None)
    assert not trial.app.exit_codes


def test_a_total_that_cannot_be_read_is_none(trial: Trial, peer: Peer) -> None:
    peer.answers["QuerySendStatistics"] = counts(-5)
    enter(trial, 2)
    assert found(compare(trial)) == ("sends", None, None)
    assert trial.app.exit_codes == [3]


def test_of_two_scopes_like_is_compared_with_like(trial: Trial, peer: Peer) -> None:
    enter(trial, 3)
    enter(trial, 5, phone="852", hour=11)
    peer.answers |= {"QuerySendStatistics@1": counts(4), "QuerySendStatistics@2": counts(5)}
    assert found(compare(trial)) == ("sends", 9, 1)
    peer.answers["QuerySendStatistics@2"] = (200, {"Code": "isv.PRODUCT_UN_SUBSCRIPT", "RequestId": "R"})
    assert found(compare(trial)) == ("sends", 4, 1)


def test_parts_that_are_not_known_prove_nothing(trial: Trial, peer: Peer) -> None:
    peer.answers["QuerySendStatistics"] = counts(9)
    enter(trial, 3, parts=0)
    assert found(compare(trial, min_age=10**6)) == ("sends", 9, 6)  # all of them are young: none was asked about
    assert not trial.app.exit_codes
    assert found(compare(trial)) == ("sends", 9, 6)  # now the provider has no record of them
    assert trial.app.exit_codes == [3]


def test_a_send_of_the_minute_before_midnight_may_be_counted_a_day_later(trial: Trial, peer: Peer) -> None:
    peer.answers["QuerySendStatistics"] = counts(4)
    enter(trial, 3)
    enter(trial, 1, day=DAY - 1, hour=23.999)
    assert found(compare(trial)) == ("sends", 4, 1)
    assert not trial.app.exit_codes


def test_the_ledger_tells_parts_where_no_receipt_does(trial: Trial, peer: Peer) -> None:
    peer.answers["QuerySendStatistics"] = counts(4)
    when = Instant(round(at(DAY).timestamp() * 1000))
    with trial.app.open_store(readonly=False) as store:
        store.add_sends([Send("13800000001", "1^0", DAY, when, "", "", "", 4)])
        assert [(each.mainland, each.known, each.unknown) for each in store.listed_parts(DAY, DAY)] == [(True, 4, 0)]
    assert found(compare(trial)) == ("sends", 4, 0)
