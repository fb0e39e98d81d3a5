"""The runs that query the provider, started without a command line."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from smsreceipt.errors import AuthError, UsageError
from smsreceipt.model import BEIJING, Instant, Send, beijing_day
from smsreceipt.runs import call_gaps, day_totals, query_details, reconcile
from smsreceipt.sandbox import PastSend, Sandbox
from tests.cli.program import CALL, NOW
from tests.runs.peer import Answer, Peer
from tests.runs.trial import Trial

PHONE = "13800008000"
NOON = datetime.now(BEIJING).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
AT = Instant(round(NOON.timestamp()) * 1000)
DAY = beijing_day(AT)
QUERY = query_details.Options(biz_id="", save=True, qps=5000, workers=2)


@pytest.fixture
def trial(tmp_path: Path, sandbox: Sandbox) -> Trial:
    """An App for a provider that knows of one delivered send, at the present time."""
    sandbox.remember([PastSend(phone=PHONE, biz_id="1^0", sent=AT / 1000, reported=AT / 1000 + 3)])
    trial = Trial(tmp_path, environ=sandbox.environment())
    trial.set(store=str(tmp_path / "receipts.db"))
    trial.at(Instant(time.time_ns() // 1_000_000))
    return trial


def test_query_details_prints_and_stores_the_records_of_a_day(trial: Trial) -> None:
    query_details.run(trial.app, NOON.date(), [PHONE], None, QUERY)
    assert [(one["phone"], one["outcome"]) for one in trial.printed] == [(PHONE, "delivered")]
    assert (trial.summary["records"], trial.summary["new"]) == ("1", "1")


def test_query_details_refuses_a_day_that_the_provider_does_not_answer_about(trial: Trial) -> None:
    with pytest.raises(UsageError, match="the provider answers about"):
        query_details.run(trial.app, NOON.date() - timedelta(days=40), [PHONE], None, QUERY)


def _options(*, dry_run: bool = False) -> reconcile.Options:
    return reconcile.Options(min_age=0, dry_run=dry_run, qps=5000, workers=2, details=None, fail_on_missing=False)


@pytest.mark.parametrize("dry_run", [True, False])
def test_reconcile_fetches_what_is_missing_unless_it_is_a_dry_run(trial: Trial, dry_run: bool) -> None:
    with trial.app.open_store(readonly=False) as store:
        store.add_sends([Send(PHONE, "1^0", DAY, AT, "", "", "", None)])
    reconcile.run(trial.app, DAY, DAY, _options(dry_run=dry_run), totals=False)
    [summary] = trial.printed
    found = {name: summary[name] for name in ("sent", "missing", "compensated_delivered", "unasked")}
    assert found == {"sent": 1, "missing": 1, "compensated_delivered": int(not dry_run), "unasked": int(dry_run)}


def test_without_sends_only_totals_are_compared(trial: Trial) -> None:
    reconcile.run(trial.app, DAY, DAY, _options(), totals=False)
    [summary] = trial.printed
    assert (summary["mode"], summary["sent"], summary["provider_total"], summary["unlisted"]) == ("totals", 0, 1, 1)
    assert summary["api_calls"] == 2


def test_day_totals_are_compared_and_shown(trial: Trial) -> None:
    day_totals.run_gaps(trial.app, DAY, DAY, qps=20, fail_on_missing=True)
    assert trial.app.exit_codes == [3]
    day_totals.run_stats(trial.app, DAY, DAY)
    _gaps, stats = trial.printed
    assert (stats["succeeded"], stats["our_delivered"]) == (1, 0)


def test_calls_without_an_end_are_listed(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    trial.keep(CALL, kind="SecretStartReport")
    day = beijing_day(NOW) - 1
    call_gaps.run(trial.app, day, day, min_age=3600, fail_on_missing=True)
    assert [one["call_id"] for one in trial.printed] == ["call-1"]
    assert (trial.summary, trial.app.exit_codes) == ({"calls_without_end": "1"}, [3])


def _stats(*rows: dict[str, object]) -> Answer:
    return 200, {"Code": "OK", "Data": {"TotalSize": len(rows), "TargetList": rows}}


def _row(**figures: object) -> dict[str, object]:
    names = ("TotalCount", "RespondedSuccessCount", "RespondedFailCount", "NoRespondedCount")
    return {"SendDate": f"{NOON:%Y%m%d}", **dict.fromkeys(names, 4), **figures}


REFUSED: Answer = 200, {"Code": "isv.PRODUCT_UN_SUBSCRIPT", "Message": "x", "RequestId": "R"}
DENIED: Answer = 403, {"Code": "Forbidden.RAM", "Message": "x", "RequestId": "R"}


@pytest.mark.parametrize("refusal", [REFUSED, DENIED])
@pytest.mark.parametrize("run", ["stats", "gaps"])
def test_a_refused_scope_costs_only_its_own_totals(trial: Trial, peer: Peer, refusal: Answer, run: str) -> None:
    peer.answers = {"QuerySendStatistics@1": _stats(_row()), "QuerySendStatistics@2": refusal}
    trial.app.environ = peer.environment
    if run == "stats":
        day_totals.run_stats(trial.app, DAY, DAY)
    else:
        day_totals.run_gaps(trial.app, DAY, DAY, qps=20, fail_on_missing=False)
    assert trial.printed[0]["succeeded"] == 4
    assert trial.app.exit_codes == [3]
    assert any("refused its totals of numbers elsewhere" in line for line in trial.messages)


def test_if_all_scopes_are_refused_there_is_an_error(trial: Trial, peer: Peer) -> None:
    peer.answers = {"QuerySendStatistics": REFUSED}
    trial.app.environ = peer.environment
    with pytest.raises(AuthError, match=r"isv\.PRODUCT_UN_SUBSCRIPT"):
        day_totals.run_stats(trial.app, DAY, DAY)


def test_a_key_that_the_provider_refuses_is_asked_for_one_scope_only(trial: Trial, peer: Peer) -> None:
    peer.answers = {"QuerySendStatistics": DENIED}
    trial.app.environ = peer.environment
    with pytest.raises(AuthError):
        day_totals.run_stats(trial.app, DAY, DAY)
    assert len(peer.calls) == 1


@pytest.mark.parametrize("row", [_row(TotalCount=-1), {"SendDate": "soon"}])
def test_totals_that_cannot_be_read_are_told(trial: Trial, peer: Peer, row: dict[str, object]) -> None:
    peer.answers = {"QuerySendStatistics@1": _stats(row, _row()), "QuerySendStatistics@2": _stats()}
    trial.app.environ = peer.environment
    day_totals.run_stats(trial.app, DAY, DAY)
    assert trial.app.exit_codes == [3]
    assert any("could not be read" in line for line in trial.messages)
