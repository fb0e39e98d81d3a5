"""Figures of a day beside those of QuerySendStatistics, to the billed part; where the two differ, the gap says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest
from aliyunsdkdysmsapi.request.v20170525.QuerySendStatisticsRequest import QuerySendStatisticsRequest

from smsreceipt.insight.answer import stats
from smsreceipt.insight.question import Question
from smsreceipt.insight.stats import Provider, Sms
from smsreceipt.model import BEIJING, DAY_MS, Instant, number_of
from smsreceipt.sandbox import Options, PastSend, Sandbox
from tests.sandbox.clients import rpc
from tests.store.engines import Engine
from tests.store.statements import decoded

pytestmark = pytest.mark.slow

NOON = datetime.now(BEIJING).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
DAY = number_of(NOON.date())


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Options(port=0, seed=1)) as running:
        yield running


def past(number: int, code: str = "DELIVERED", *, waiting: bool = False) -> PastSend:
    """A send of one to four parts, some of them near midnight."""
    sent = NOON.timestamp() + (number % 23 - 11.9) * 3_600
    return PastSend(
        phone=f"138{number:08}",
        biz_id=f"{number}^0",
        sent=sent,
        reported=None if waiting else sent + 3 + number % 7,
        code=code,
        content="字" * (10 + number % 4 * 67),
    )


def asked(sandbox: Sandbox) -> Provider:
    day = f"{NOON:%Y%m%d}"
    fields: dict[str, Any] = {"IsGlobe": 1, "StartDate": day, "EndDate": day, "PageIndex": 1, "PageSize": 10}
    (row,) = rpc(sandbox, QuerySendStatisticsRequest(), **fields)["Data"]["TargetList"]
    names = ("TotalCount", "RespondedSuccessCount", "RespondedFailCount", "NoRespondedCount")
    return Provider(*(row[name] for name in names))


def figures(engine: Engine, sends: list[PastSend], provider: Provider) -> Sms:
    with closing(engine.empty()) as store:
        store.keep([decoded(("SmsReport", each.send().receipt())) for each in sends])
        question = Question(first_day=DAY, last_day=DAY)
        found = stats(store, question, Instant(number_of(NOON.date()) * DAY_MS + 9 * DAY_MS), provider=provider)
    assert found.sms is not None
    return found.sms


def test_with_every_receipt_the_parts_are_those_of_the_provider(engine: Engine, sandbox: Sandbox) -> None:
    sends = [past(number, "DELIVERED" if number % 5 else "MOBILE_IN_BLACK") for number in range(60)]
    sandbox.remember(sends)
    provider = asked(sandbox)
    sms = figures(engine, sends, provider)
    assert sms.parts == provider.sent == provider.succeeded + provider.failed > len(sends)
    assert sms.parts_gap == 0


def test_what_has_no_receipt_is_the_gap(engine: Engine, sandbox: Sandbox) -> None:
    sends = [past(number, waiting=number in {1, 2}) for number in range(30)]
    sandbox.remember(sends)
    provider = asked(sandbox)
    lost = [past(number) for number in range(10, 14)]
    sms = figures(engine, [each for each in sends if each.reported and each not in lost], provider)
    assert sms.parts_gap == sum(each.send().parts for each in lost)
    assert provider.no_response == provider.sent - sms.parts - sms.parts_gap
