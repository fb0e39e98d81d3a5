"""The meaning of receipt codes, release causes and API codes, with advice, in English and Chinese.

The tables are data files of this package. Their column `basis` names the source of a row: `provider` is the provider's
published list; `carrier` stands for lists of carriers' codes, which differ between gateways.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from smsreceipt.model import nearest
from smsreceipt.model.written import typed

#: Table as users see it --> its data file, in the order of explanations.
TABLES = {
    "receipt": "receipt.tsv",
    "unconnected": "unconnected.tsv",
    "release-cause": "release_cause.tsv",
    "api": "api.tsv",
}
_PREFIX = re.compile(r"(?:isv|isp|throttling)\.")


class ApiClass(StrEnum):
    """What an error code of the provider is about. It decides whether a call is repeated, and how the program ends."""

    LATER = "later"  #: the condition may pass: repeat
    CREDENTIALS = "credentials"  #: the key, its rights, its token or the clock
    ACCOUNT = "account"  #: the account: its balance, its subscriptions, its limits
    REQUEST = "request"  #: what was asked for, or how
    NUMBER = "number"  #: the number that was asked about; the next one may be fine


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of a code by one table. The order of the fields is that of the JSON object."""

    table: str  #: receipt, unconnected, release-cause or api
    code: str  #: in the table's spelling; ends in * where a prefix rule matched
    category: str  #: the kind of failure, or for API codes how to handle it
    meaning_en: str
    meaning_zh: str
    advice_en: str
    advice_zh: str


def explain(code: str) -> list[Explanation]:
    """The explanations of *code*, at most one per table; empty for an unknown code.

    An exact row takes precedence over a prefix rule, and the given case over any other.
    """
    found = (api(code) if table == "api" else _look_up(table, code) for table in TABLES)
    return [explanation for explanation in found if explanation]


def near(code: str) -> str:
    """The code of a table that *code* is a misspelling of; "" for one that is known, and where none is near."""
    return "" if explain(code) else nearest(code, (row["code"] for file in TABLES.values() for row in rows(file)))


def spellings(code: str) -> set[str]:
    """The spellings of *code* in receipts: as given, in upper case, and as in each table."""
    code = typed(code)
    found = {explanation.code for explanation in explain(code)}
    return {code, code.upper(), *(each for each in found if not each.endswith("*"))}


def receipt(code: str) -> Explanation | None:
    """The explanation of a code of an SMS receipt or of an SMS through a privacy number; None when unknown."""
    return _look_up("receipt", code)


def release_cause(code: str) -> Explanation | None:
    """The explanation of a release cause of a call through a privacy number; None when unknown."""
    return _look_up("release-cause", code)


def unconnected(code: str) -> Explanation | None:
    """The explanation of why the platform did not connect a call: a control_msg, or FIELD=VALUE; None when unknown."""
    return _look_up("unconnected", code)


def why_unconnected(fields: Mapping[str, object]) -> Explanation | None:
    """Why the platform did not connect a call, by the fields of its report; None where they do not tell.

    It takes precedence over the release cause, which is 16 (a normal end) for such a call too.
    """
    named = [f"{name}={fields[name]}" for name in ("unconnected_cause", "call_type") if name in fields]
    codes = [*named[:1], str(fields.get("control_msg") or ""), *named[1:]]
    return next((found for code in codes if (found := unconnected(code))), None)


def api(code: str) -> Explanation | None:
    """The explanation of an error code of the provider's API or queue service; None when unknown.

    The international names of the codes lack isv. and isp., and the names of some gateways begin with Throttling.:
    they are the same codes, in any case.
    """
    bare = _bare(code)
    exact = _folded("api").get(code.strip().casefold()) or _bare_api().get(bare)
    return exact or _look_up("api", code) or _look_up("api", bare)


def api_class(code: str) -> ApiClass | None:
    """What an error code of the provider's API or queue service is about; None when unknown."""
    found = api(code)
    return _api_classes()[found.code] if found else None


def _look_up(table: str, code: str) -> Explanation | None:
    code = code.strip()
    exact = _load(table)
    folded = _folded(table)
    found = exact.get(code) or folded.get(code.casefold())
    if found or not code:
        return found
    # The longest prefix is the most specific rule.
    for length in range(len(code), 0, -1):
        rule = code[:length] + "*"
        found = exact.get(rule) or folded.get(rule.casefold())
        if found:
            return found
    return None


@cache
def _load(table: str) -> dict[str, Explanation]:
    """Every row of one table by its code."""
    advice = _advice()
    loaded = {}
    for row in rows(TABLES[table]):
        category = row["category"]
        # Advice for one code takes precedence over the advice for its category.
        special = advice.get((table, category, row["code"])) or advice[table, category, ""]
        loaded[row["code"]] = Explanation(
            table, row["code"], category, row["meaning_en"], row["meaning_zh"], special[0], special[1]
        )
    return loaded


@cache
def _api_classes() -> dict[str, ApiClass]:
    return {row["code"]: ApiClass(row["class"]) for row in rows(TABLES["api"])}


@cache
def _bare_api() -> dict[str, Explanation]:
    """The exact rows of the table of API codes by their names without isv. and isp.; `user` alone is no code."""
    named = ((code, found) for code, found in _load("api").items() if not code.endswith("*"))
    return {_bare(code): found for code, found in named if not code.startswith("Throttling.")}


def _bare(code: str) -> str:
    return _PREFIX.sub("", code.strip().casefold(), count=1)


@cache
def _folded(table: str) -> dict[str, Explanation]:
    return {code.casefold(): explanation for code, explanation in _load(table).items()}


@cache
def _advice() -> dict[tuple[str, str, str], tuple[str, str]]:
    """(table, category, code or "" for the whole category) --> advice in English and in Chinese."""
    return {
        (row["table"], row["category"], row["code"]): (row["advice_en"], row["advice_zh"]) for row in rows("advice.tsv")
    }


def rows(file: str) -> list[dict[str, str]]:
    """The rows of one data file of this package, by column name. Raises ValueError when a row is not complete."""
    from importlib import resources  # for tables only: every pull imports this module

    lines = resources.files(__name__).joinpath(file).read_text(encoding="utf-8").splitlines()
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:]]
