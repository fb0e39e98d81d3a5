"""What receipt codes, release causes and API codes mean, and what to do about them, in English and Chinese.

The tables are data files of this package. `basis` in them tells how sure a row is: `provider` is the provider's own
published list; `carrier` comes from lists of raw carrier codes, which differ from gateway to gateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

#: Table as users see it --> its data file; explanations come in this order.
TABLES = {"receipt": "receipt.tsv", "release-cause": "release_cause.tsv", "api": "api.tsv"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """One table's word on a code. Field order is the order of the JSON object that users see."""

    table: str  #: receipt, release-cause or api
    code: str  #: as the table spells it; ends in * where only a prefix rule knows the code
    category: str  #: what kind of trouble it is, or for API codes how to handle it
    meaning_en: str
    meaning_zh: str
    advice_en: str
    advice_zh: str


def explain(code: str) -> list[Explanation]:
    """What every table that knows *code* says about it; empty for an unknown code.

    An exact row beats a prefix rule, and the given case beats any other.
    """
    found = (_look_up(table, code) for table in TABLES)
    return [explanation for explanation in found if explanation]


def spellings(code: str) -> set[str]:
    """How *code* may be spelled in a receipt: as given, in capitals, and as each table spells it."""
    code = code.strip()
    found = {explanation.code for explanation in explain(code)}
    return {code, code.upper(), *(each for each in found if not each.endswith("*"))}


def receipt(code: str) -> Explanation | None:
    """What a code of an SMS receipt or of an SMS through a privacy number means; None when unknown."""
    return _look_up("receipt", code)


def release_cause(code: str) -> Explanation | None:
    """Why a call through a privacy number ended; None when unknown."""
    return _look_up("release-cause", code)


def api(code: str) -> Explanation | None:
    """What an error code of the provider's API or queue service means; None when unknown."""
    return _look_up("api", code)


def _look_up(table: str, code: str) -> Explanation | None:
    code = code.strip()
    exact = _load(table)
    folded = _folded(table)
    found = exact.get(code) or folded.get(code.casefold())
    if found or not code:
        return found
    # The longest prefix is the most specific rule; an exact row was tried first.
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
        # Advice for one code beats the advice for all of its category.
        special = advice.get((table, category, row["code"])) or advice[table, category, ""]
        loaded[row["code"]] = Explanation(
            table, row["code"], category, row["meaning_en"], row["meaning_zh"], special[0], special[1]
        )
    return loaded


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
    lines = resources.files(__name__).joinpath(file).read_text(encoding="utf-8").splitlines()
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:]]
