"""The alert rules and the board ask for metrics and labels that the program has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from smsreceipt.model import Instant, Kind, Outcome, Tally
from smsreceipt.output.objects.status import Forwarding
from smsreceipt.runs import metrics
from smsreceipt.sources.push.app import Receiver
from smsreceipt.sources.push.intake import Intake
from smsreceipt.sources.queue.state import Counts
from smsreceipt.store import StoreFacts
from smsreceipt.store.counts import Count
from smsreceipt.store.values import KindFacts
from tests.docs import pages

ALERTS = pages.ROOT / "docs" / "prometheus-alerts.yml"
BOARD = json.loads((pages.ROOT / "docs" / "grafana.json").read_text())
_QUERY = re.compile(r"(smsreceipt_\w+)(?:\{([^}]*)\})?")
_GROUPED = re.compile(r"\bby \(([^)]*)\)")


def families() -> Iterator[Metric]:
    """Every metric of listen and of pull."""
    kind = KindFacts(Kind("SmsReport"), 1, 1, 0, Instant(1), Instant(2))
    facts = StoreFacts("x", True, "SQLite", 1, size=1, last_seq=1, rejects=0, conflicts=0, kinds=(kind,))
    counted = Count(values=("SmsReport", Outcome.DELIVERED, 3), count=1, parts=1)
    lag = Forwarding("default", 0, 0, 0.0, 0, running=False)
    forwards = SimpleNamespace(lags=lambda: [lag])
    today = SimpleNamespace(facts=lambda: facts, free=lambda: 1, counts=lambda: [counted], open_days=lambda: 1)
    intake = Intake(lambda _: None)
    receiver = Receiver(intake, lambda: [b"x"], now=lambda: Instant(0))
    listen: Any = SimpleNamespace(
        tally=Tally(), today=today, receiver=receiver, intake=intake, connections=0, forwards=forwards
    )
    puller: Any = SimpleNamespace(counts=Counts(), in_flight=0, failing={"SmsReport": False})
    yield from metrics._Collector(listen, lambda: metrics.of_listener(listen)).collect()
    yield from metrics.of_puller(puller)


def series() -> dict[str, set[str]]:
    """The names that can be asked for, each with its labels."""
    found: dict[str, set[str]] = defaultdict(set)
    for family in families():
        for sample in family.samples:
            found[sample.name] |= {*sample.labels}
        if isinstance(family, CounterMetricFamily | HistogramMetricFamily):
            found.pop(family.name, None)
    return found


def check(query: str) -> None:
    known = series()
    asked = _QUERY.findall(query)
    assert asked, query
    labels = {"job", "instance"}
    for name, selector in asked:
        assert name in known, query
        labels |= known[name]
        chosen = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
        assert chosen <= known[name] | {"job", "instance"}, query
    for group in _GROUPED.findall(query):
        assert {label.strip() for label in group.split(",")} <= labels, query


def test_the_alert_rules_ask_for_metrics_that_exist() -> None:
    queries = re.findall(r"^ +expr: (.*)$", ALERTS.read_text(), re.MULTILINE)
    assert len(queries) == ALERTS.read_text().count("- alert:") > 5
    for query in queries:
        if query != 'up{job="smsreceipt"} == 0':
            check(query)


def test_promtool_accepts_the_alert_rules() -> None:
    if promtool := shutil.which("promtool"):
        checked = subprocess.run([promtool, "check", "rules", ALERTS], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_query_of_the_board_names_a_metric_that_exists() -> None:
    targets = [target for panel in BOARD["panels"] for target in panel["targets"]]
    assert len(BOARD["panels"]) == 12
    for target in targets:
        check(target["expr"])
        shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        grouped = {label.strip() for group in _GROUPED.findall(target["expr"]) for label in group.split(",")}
        assert shown <= grouped, target


def test_the_panels_do_not_overlap() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in BOARD["panels"]]
    assert len({*places}) == len(places)
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(places)


def test_no_metric_has_more_than_a_handful_of_labels_or_names_people() -> None:
    allowed = {"result", "status", "kind", "le", "name"}
    assert set().union(*series().values()) <= allowed


def test_the_pages_list_every_metric() -> None:
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in families()}
    for language in pages.README:
        head = "| Metric |" if language == "en" else "| 指标 |"
        listed = {row[0].strip("`").partition("{")[0] for row in pages.rows(pages.read(language, "alarms"), head)}
        listed |= {row[0].strip("`") for row in pages.rows(pages.read(language, "forward"), head)}
        assert listed == names - {"smsreceipt_strangers_total"}
