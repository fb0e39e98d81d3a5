"""The runs that read the store or change what is in it, started without a command line."""

from __future__ import annotations

import pytest

from smsreceipt.cli.config_keys import config_keys
from smsreceipt.errors import UsageError
from smsreceipt.ledger import Form
from smsreceipt.model import Kind
from smsreceipt.runs import config_file, explain, import_sends, listing, lookup, rejects, retry, sends, status
from smsreceipt.store import Query, SendQuery
from tests.cli.program import FAILED, REPLY, report
from tests.runs.trial import KIND, Trial

SENDS = b"phone,biz_id,sent_at\n13800008000,900619746936498440^0,2026-11-20 15:49:55\nnobody,2^0,2026-11-20 16:00:00\n"


def test_listing_prints_the_receipts_of_a_query(trial: Trial) -> None:
    trial.keep(report(), report(biz_id="2^0", **FAILED))
    listing.run(trial.app, Query(biz_ids=["2^0"]), None, follow=False, raw_csv=False, newest=True)
    assert [one["code"] for one in trial.printed] == ["MOBILE_IN_BLACK"]


def test_listing_goes_on_with_what_is_new_up_to_the_limit(trial: Trial) -> None:
    trial.keep(report())
    trial.app.sleep = lambda _seconds: trial.keep(report(biz_id="2^0"))
    listing.run(trial.app, Query(), 2, follow=True, raw_csv=False, newest=True)
    assert [one["biz_id"] for one in trial.printed] == ["900619746936498440^0", "2^0"]


def test_lookup_prints_sends_and_statements_of_a_number(trial: Trial) -> None:
    trial.keep(report())
    trial.keep(REPLY, kind="SmsUp")
    trial = _with_sends(trial)
    lookup.run(trial.app, ["13800008000"])
    assert [one.get("kind") for one in trial.printed] == [None, "SmsReport", "SmsUp"]


def _with_sends(trial: Trial) -> Trial:
    """The same store with SENDS in the ledger."""
    again = Trial(trial.app.home, stdin=SENDS)
    import_sends.run(again.app, ["-"], import_sends.Options(Form()))
    return Trial(trial.app.home)


def test_sends_are_imported_and_bad_rows_are_reported(trial: Trial) -> None:
    trial = Trial(trial.app.home, stdin=SENDS)
    import_sends.run(trial.app, ["-"], import_sends.Options(Form()))
    assert (trial.summary["new"], trial.summary["bad"], trial.app.exit_codes) == ("1", "1", [3])
    assert trial.messages[0].startswith("line 3: ")


def test_sends_are_listed_and_forgotten_once_the_user_agrees(trial: Trial) -> None:
    trial = _with_sends(trial)
    sends.list_sends(trial.app, SendQuery(), None)
    assert [one["phone"] for one in trial.printed] == ["13800008000"]
    asked: list[int] = []
    sends.forget_sends(trial.app, SendQuery(), confirm=asked.append)
    assert (asked, trial.summary) == ([1], {"forgotten": "1"})


def test_rejects_are_listed_shown_and_dropped(trial: Trial) -> None:
    trial.keep(b"{")
    rejects.list_rejects(trial.app)
    [found] = trial.printed
    rejects.show_reject(trial.app, found["id"][:8], raw=False)
    assert trial.printed[1] == {**found, "preview": "{"}
    rejects.drop_rejects(trial.app, [found["id"]], confirm=None)
    assert trial.summary == {"dropped": "1"}
    with pytest.raises(UsageError, match="no reject"):
        rejects.show_reject(trial.app, found["id"], raw=True)


def test_a_reject_is_retried_with_its_message_type(trial: Trial) -> None:
    trial.keep({"hello": 1}, b"{", kind=None)
    retry.run(trial.app, [], Kind("Greeting"))
    assert [one["kind"] for one in trial.printed] == ["Greeting"]
    assert trial.summary == {"received": "2", "new": "1", "duplicate": "0", "rejected": "1"}


def test_status_shows_the_store_and_ends_with_3_for_a_kind_that_never_came(trial: Trial) -> None:
    trial.keep(report())
    status.run(trial.app, [KIND], 60)
    assert (trial.printed[0]["receipts"], trial.app.exit_codes) == (1, [])
    status.run(trial.app, [KIND], -1)
    assert trial.app.exit_codes == [3]


def test_explain_prints_every_table_that_has_the_code(trial: Trial) -> None:
    explain.run(trial.app, "MOBILE_IN_BLACK")
    assert [one["table"] for one in trial.printed] == ["receipt"]
    explain.run(trial.app, "NONE_SUCH")
    assert trial.messages[0].startswith("no table knows the code NONE_SUCH; ")


def test_the_effective_settings_are_shown_with_their_origins(trial: Trial) -> None:
    trial.app.environ = {"SMSRECEIPT_QUERY_DETAILS_QPS": "7", "SMSRECEIPT_REJECTS_RETRY_ALL": "1"}
    config_file.show(trial.app, config_keys())
    rows = {one["name"]: (one["value"], one["from"]) for one in trial.printed}
    assert rows["output"] == ("json", "option")
    assert rows["query-details.qps"] == ("7", "environment")
    assert rows["rejects.retry.all"] == ("1", "environment")


def test_the_template_is_written_once(trial: Trial) -> None:
    path = trial.app.home / "mine.toml"
    trial.set(config=str(path))
    config_file.init(trial.app, config_keys(), full=True, force=False)
    assert path.read_text() == config_file.template(config_keys())
    with pytest.raises(UsageError, match="is there already"):
        config_file.init(trial.app, config_keys(), full=True, force=False)
