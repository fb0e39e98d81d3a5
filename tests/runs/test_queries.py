"""The runs that query the provider, started without a command line."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from smsreceipt.errors import UsageError
from smsreceipt.model import BEIJING, Instant, Send, beijing_day
from smsreceipt.runs import call_gaps, day_totals, query_details, reconcile
from smsreceipt.sandbox import PastSend, Sandbox
from tests.cli.program import CALL, NOW
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
    assert [(one["sent"], one["gap"]) for one in trial.printed] == [(1, 1)]
    assert trial.summary == {"days": "1", "gap": "1", "api_calls": "2"}


def test_day_totals_are_compared_planned_and_shown(trial: Trial) -> None:
    day_totals.run_gaps(trial.app, DAY, DAY, qps=20, fail_on_missing=True)
    assert trial.app.exit_codes == [3]
    day_totals.run_plan(trial.app, DAY, DAY, qps=20)
    day_totals.run_stats(trial.app, DAY, DAY)
    _gaps, plan, stats = trial.printed
    assert (plan["planned_calls"], stats["succeeded"], stats["our_delivered"]) == (2, 1, 0)


def test_calls_without_an_end_are_listed(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    trial.keep(CALL, kind="SecretStartReport")
    day = beijing_day(NOW) - 1
    call_gaps.run(trial.app, day, day, min_age=3600, fail_on_missing=True)
    assert [one["call_id"] for one in trial.printed] == ["call-1"]
    assert (trial.summary, trial.app.exit_codes) == ({"calls_without_end": "1"}, [3])
