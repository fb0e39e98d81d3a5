"""Objects of `stats --json` as the tests of the page want them: a working day, and what is not ordinary."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec

from smsreceipt import codes
from smsreceipt.insight.stats import Stats

CARRIERS = {"mobile": 0.55, "unicom": 0.2, "telecom": 0.19, "mvno": 0.04, "broadnet": 0.02}
_HOURS = [7, 4, 3, 3, 3, 5, 10, 22, 44, 66, 76, 72, 61, 60, 66, 66, 61, 58, 61, 72, 71, 56, 33, 17]  # of 1,000
_PROVINCES = {
    "Guangdong": 0.11, "Jiangsu": 0.07, "Shandong": 0.07, "Zhejiang": 0.06, "Henan": 0.06, "Sichuan": 0.06,
    "Hebei": 0.05, "Hunan": 0.04, "Hubei": 0.04, "Anhui": 0.04, "Fujian": 0.04, "Beijing": 0.04, "Shanghai": 0.04,
    "Liaoning": 0.03, "Shaanxi": 0.03, "Jiangxi": 0.03, "Guangxi": 0.03, "Yunnan": 0.03, "Chongqing": 0.02,
    "Shanxi": 0.02, "Heilongjiang": 0.02, "Guizhou": 0.02, "Jilin": 0.015, "Inner Mongolia": 0.015, "Tianjin": 0.01,
    "Xinjiang": 0.01, "Gansu": 0.01, "Hainan": 0.007, "Ningxia": 0.004, "Qinghai": 0.003, "Tibet": 0.002,
    "unknown": 0.001,
}  # fmt: skip
_CODES = {
    "MOBILE_NOT_ON_SERVICE": 0.3, "UNDELIV": 0.22, "MK:0001": 0.12, "MOBILE_IN_BLACK": 0.1, "EXPIRED": 0.08,
    "MOBILE_SEND_LIMIT": 0.07, "MOBILE_TERMINAL_ERROR": 0.05, "NEW:4711": 0.03, "MN:0001": 0.02, "UNKNOWN": 0.01,
}  # fmt: skip
_SECONDS = {1: 6, 2: 21, 3: 20, 4: 15, 5: 10, 6: 7, 8: 9, 10: 4, 12: 4, 25: 2, 90: 1, 700: 1}  # of 100
TEMPLATES = {"SMS_271500101": 0.6, "SMS_271500102": 0.25, "SMS_480610007": 0.15}
SIGNS = {"示例商城": 0.75, "示例优选": 0.25}
LATENCY = {"p50": 4, "p90": 8, "p95": 12, "p99": 90, "max": 700, "mean": 13.4, "within_10s": 0.92}


def cell(messages: int, rate: float = 0.971, **also: Any) -> dict[str, Any]:
    """A group of messages, of which one in 250 is unknown."""
    unknown = messages // 250
    delivered = round((messages - unknown) * rate)
    failed = messages - unknown - delivered
    return also | {
        "reports": messages,
        "delivered": delivered,
        "failed": failed,
        "expired": 0,
        "unknown": unknown,
        "pending": 0,
        "delivery_rate": round(delivered / (delivered + failed), 6) if delivered + failed else None,
        "previous_reports": messages,
        "previous_rate": 0.97,
        "latency": LATENCY if delivered else {},
        "parts": round(messages * 1.15),
    }


def sms(messages: int, rate: float = 0.971, *, ledger: bool = True) -> dict[str, Any]:
    """The figures of all messages."""
    made = cell(messages, rate)
    del made["previous_reports"], made["previous_rate"]
    histogram = [[second, round(made["delivered"] * part / 100)] for second, part in _SECONDS.items()]
    return made | {
        "unknown_rate": round(made["unknown"] / messages, 6) if messages else None,
        "latency_invalid": 0,
        "latency_histogram": [pair for pair in histogram if pair[1]],
        "sent": messages + 12 if ledger else None,
        "no_receipt": 12 if ledger else None,
        "receipt_rate": round(messages / (messages + 12), 6) if ledger else None,
        "delivered_of_sent": round(made["delivered"] / (messages + 12), 6) if ledger else None,
        "provider": None,
        "parts_gap": None,
    }


def _failures(messages: int) -> list[dict[str, Any]]:
    found = []
    for code, share in _CODES.items():
        known = codes.receipt(code)
        texts = {name: getattr(known, name, None) for name in ("meaning_en", "meaning_zh", "advice_en", "advice_zh")}
        count = round(messages * 0.029 * share)
        outcome = "unknown" if code == "UNKNOWN" else "failed"
        category = known.category if known else None
        found.append(
            {"outcome": outcome, "code": code, "category": category, "count": count, "share": share, "previous": count}
            | texts
        )
    return [row for row in found if row["count"]]


def calls(ended: int) -> dict[str, Any]:
    """The figures of calls."""
    connected = round(ended * 0.7)
    causes = [
        ("16", "caller", 0.4),
        ("31", "callee", 0.3),
        ("17", "caller", 0.1),
        ("19", "callee", 0.1),
        ("999", "x", 0.1),
    ]
    return {
        "ended": ended,
        "connected": connected,
        "unconnected": ended - connected,
        "answer_rate": 0.7 if ended else None,
        "talk_seconds": {"sum": connected * 47, "mean": 47.6, "p50": 32, "p95": 146, "max": 581} if ended else {},
        "billed_minutes": connected,
        "short_calls": ended // 90,
        "ring_seconds": {"p50": 18, "p95": 33} if ended else {},
        "recordings": ended // 5,
        "missing_recordings": ended // 700 if ended else None,
        "missing_end": ended // 500,
        "by_cause": [
            {"code": code, "side": side, "outcome": "connected", "count": round(ended * share)}
            for code, side, share in causes
            if round(ended * share)
        ],
        "by_type": [],
    }


def plain(
    messages: int = 100_000,
    *,
    first: str = "2026-11-24",
    last: str = "2026-11-24",
    ended: int = 14_946,
    ledger: bool = True,
    drop: bool = True,
) -> dict[str, Any]:
    """The object as JSON brings it. *drop*: a third of the messages of one carrier failed in two hours."""
    period = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
    days = [date.fromisoformat(last) - timedelta(days=n) for n in range(14)][::-1]
    hours = {hour: messages * share // 997 for hour, share in enumerate(_HOURS)}
    hours[10] += messages - sum(hours.values())
    low = {14, 15} if drop else set()
    lost = round(sum(hours[hour] for hour in low) * CARRIERS["telecom"] * 0.32)
    finding = {
        "kind": "drop", "dimension": "carrier", "value": "telecom", "day": last, "from_hour": 14, "to_hour": 16,
        "rate": 0.6523, "baseline": 0.9702, "messages": lost, "z": -122.8,
    }  # fmt: skip
    day_cells = [(date.fromisoformat(first) + timedelta(days=n)).isoformat() for n in range(period)]
    known = messages if ledger else 0
    return {
        "schema": 1,
        "from": first,
        "to": last,
        "final": True,
        "time_zone": "Asia/Shanghai",
        "day_of": "sent_at",
        "compared_with": {"from": "2026-11-23", "to": "2026-11-23"},
        "sms": sms(messages, ledger=ledger),
        "previous": sms(messages, 0.97, ledger=ledger),
        "failures": _failures(messages),
        "by": {
            "hour": [cell(each, 0.91 if hour in low else 0.971, hour=hour) for hour, each in hours.items() if each],
            "day": [cell(messages // period, day=day) for day in day_cells if messages],
            "carrier": [cell(round(messages * part), carrier=name) for name, part in CARRIERS.items() if messages],
            "province": [cell(round(messages * part), province=name) for name, part in _PROVINCES.items() if messages],
            "template": [cell(round(known * part), template=name) for name, part in TEMPLATES.items() if known],
            "sign": [cell(round(known * part), sign=name) for name, part in SIGNS.items() if known],
        },
        "carrier_hour": [
            cell(round(each * part), 0.652 if name == "telecom" and hour in low else 0.971, carrier=name, hour=hour)
            for name, part in CARRIERS.items()
            for hour, each in hours.items()
        ],
        "calls": calls(ended),
        "previous_calls": calls(ended),
        "replies": {"replies": ended // 3, "opt_outs": ended // 5, "opt_out_rate": 0.01125},
        "findings": [finding] if drop else [],
        "trend": [
            {name: value for name, value in cell(messages - n * (messages // 80), day=day.isoformat()).items()
             if name in ("day", "reports", "delivered", "failed", "expired", "unknown", "pending", "delivery_rate",
                             "parts")}
            | {"p95": 12 + n % 3 if messages else None}
            for n, day in enumerate(days)
        ],
        "tally": {"to_seq": 100, "folded": True},
    }  # fmt: skip


def stats(value: dict[str, Any] | None = None, **options: Any) -> Stats:
    """The same as the program has it."""
    return msgspec.convert(plain(**options) if value is None else value, Stats)


#: Text from outside that must not do anything.
HOSTILE = "</script><script>alert(1)</script>&\"'\u202e\x07\x1b[31m\u2028]]>{{ 7 * 7 }}13800138000<!--"


def hostile() -> dict[str, Any]:
    """A day whose templates, signatures, codes, and findings hold such text."""
    made = plain()
    for row in made["by"]["template"]:
        row["template"] = HOSTILE + row["template"]
    for row in made["by"]["sign"]:
        row["sign"] = HOSTILE
    made["failures"][0]["code"] = HOSTILE
    made["by"]["province"][0]["province"] = HOSTILE
    made["findings"].append(made["findings"][0] | {"dimension": "template", "value": HOSTILE})
    made["calls"]["by_cause"][0]["code"] = HOSTILE
    return made


def long_names() -> dict[str, Any]:
    """A day with 40 templates and signatures of 300 characters."""
    made = plain()
    made["by"]["template"] = [cell(9_000, template=f"SMS_{n:03}_" + "x" * 290) for n in range(40)]
    made["by"]["sign"] = [cell(9_000, sign=f"{n}" + "签" * 290) for n in range(40)]
    return made


#: What a page must show without fault, by name.
PAGES: dict[str, dict[str, Any]] = {
    "day": plain(),
    "empty": plain(0, ended=0, drop=False, ledger=False),
    "nothing-received": plain(0, ended=0, drop=False),
    "no-calls": plain(ended=0),
    "no-list": plain(ledger=False),
    "one": plain(1, ended=1, drop=False),
    "ten-million": plain(10_000_000, ended=1_200_000),
    "month": plain(3_100_000, first="2026-10-25"),
    "long-names": long_names(),
    "hostile": hostile(),
    "not-compared": plain() | {"compared_with": None, "previous": None, "previous_calls": None, "findings": []},
    "not-final": plain() | {"final": False},
    "few": plain(40, ended=3, drop=False),
}
