"""The options that choose which messages count and what they are compared with, and the Question that they make."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import click

from smsreceipt.cli.filters import codes_of, refuse_empty
from smsreceipt.cli.options import option
from smsreceipt.cli.types import Completed
from smsreceipt.cli.words import Words, as_printed
from smsreceipt.errors import UsageError
from smsreceipt.insight.question import OF_CALLS, Compare, Dimension, Group, Question, Sort
from smsreceipt.language import _, listed
from smsreceipt.model.written import typed
from smsreceipt.runs.figure_settings import opt_out_words, thresholds

KINDS = {"all": (*Group,), **{str(group): (group,) for group in Group}}


#: What the full name of a province has after its usual name.
_PROVINCE_SUFFIX = re.compile("(?:省|市|(?:壮族|回族|维吾尔)?自治区|特别行政区)$")


class Province(Completed[str]):
    """A province by its English or Chinese name, in any case."""

    name = "province"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The English name; fails as a usage error."""
        from smsreceipt.codes.regions import chinese_names

        given = typed(value)
        for english, chinese in chinese_names().items():
            if given.casefold() == english.casefold() or _PROVINCE_SUFFIX.sub("", given) == chinese:
                return english
        return self.fail(_("{value!r} is no province: Guangdong, 广东, …, unknown", value=given), param, ctx)

    def completions(self, incomplete: str) -> Iterable[str]:
        """The names that begin so."""
        from smsreceipt.codes.regions import chinese_names

        names = (name for pair in chinese_names().items() for name in pair)
        return (name for name in names if name.casefold().startswith(incomplete.casefold()))


def _carriers_in_tables() -> dict[str, tuple[str, ...]]:
    from smsreceipt.codes.segments import CARRIERS

    return {carrier: (*names, names[-1].removeprefix("中国")) for carrier, names in CARRIERS.items()}


#: Filters of messages: with one of them, calls and replies are left out unless told.
_OF_MESSAGES = ("template", "sign", "carrier", "province", "code")
_FILTERS = [
    option("--template", multiple=True, metavar="CODE", help="Only this template.", example="SMS_123456789"),
    option("--sign", multiple=True, metavar="NAME", help="Only this signature.", example="示例商城"),
    option(
        "--carrier",
        multiple=True,
        type=Words(["mobile", "unicom", "telecom", "broadnet", "mvno", "unknown"], as_printed(_carriers_in_tables)),
        help="Only numbers of ranges of this carrier.",
        example="telecom",
    ),
    option(
        "--province",
        multiple=True,
        type=Province(),
        metavar="NAME",
        help="Only numbers issued in this province: Guangdong or 广东.",
        example="Guangdong",
    ),
    option("--code", multiple=True, metavar="CODE", help="Only this receipt code.", example="MOBILE_IN_BLACK"),
]
_COMPARISON = [
    option(
        "--compare",
        type=Words([str(each) for each in Compare]),
        default="previous",
        show_default=True,
        help="Beside the period before, the same days a week before, or nothing.",
    ),
    option(
        "--prefixes",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Provinces by this file in the format phone.dat; unless told that of the package phone.",
        example="phone.dat",
    ),
    option(
        "--opt-out",
        multiple=True,
        metavar="WORD",
        help="A reply that opts out, beside T, TD, 退订 and others.",
        example="不要",
    ),
    option(
        "--drop-points",
        type=click.FloatRange(0, 100),
        default=5,
        show_default=True,
        metavar="PP",
        help="A drop of the rate is a finding from so many percentage points on.",
    ),
    option(
        "--drop-z",
        type=click.FloatRange(max=0),
        default=-4,
        show_default=True,
        metavar="Z",
        help="A drop is a finding if it is as improbable as this, in standard deviations.",
    ),
    option(
        "--drop-messages",
        type=click.IntRange(1),
        default=200,
        show_default=True,
        metavar="N",
        help="A drop is a finding with so many final receipts in the hour.",
    ),
]


#: What the options say that a command does not have.
_UNSAID: dict[str, Any] = {
    **dict.fromkeys((*_OF_MESSAGES, "by"), ()),
    "kind": "all",
    "top": None,
    "sort": "count",
    "exact": False,
}


def question_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose messages, and those of comparison_options."""
    function = comparison_options(function)
    for add in reversed(_FILTERS):
        function = add(function)
    return function


def comparison_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that tell what the figures are compared with, and from where on something is a finding."""
    for add in reversed(_COMPARISON):
        function = add(function)
    return function


def question_of(days: tuple[int, int], chosen: dict[str, Any]) -> Question:
    """The Question of the options. Raises UsageError if they are not valid together."""
    chosen = _UNSAID | chosen
    for name in ("template", "sign", "code", "opt_out"):
        refuse_empty(chosen[name], f"--{name.replace('_', '-')}")
    by = tuple(Dimension(word) for word in dict.fromkeys(chosen["by"]))
    if len(by) > 2:
        raise UsageError(_("--by may be given twice at most"), hint=_("Choose rows with --carrier, --code … instead."))
    groups = KINDS[chosen["kind"]]
    if chosen["kind"] == "all" and any(chosen[name] for name in _OF_MESSAGES):
        groups = (Group.SMS,)
    if by and groups == (Group.REPLIES,):
        raise UsageError(_("replies have no groups"), hint=_("List them with smsreceipt list --kind SmsUp."))
    if Dimension.POOL in by:
        groups = (Group.CALLS,)
    if groups == (Group.CALLS,) and (wrong := [each for each in by if each not in OF_CALLS]):
        raise UsageError(
            _("calls have no {dimension}", dimension=wrong[0]), hint=_("They have {names}.", names=listed(OF_CALLS))
        )
    return Question(
        first_day=days[0],
        last_day=days[1],
        compare=Compare(chosen["compare"]),
        groups=groups,
        templates=chosen["template"],
        signs=chosen["sign"],
        carriers=chosen["carrier"],
        provinces=chosen["province"],
        codes=codes_of(chosen["code"]),
        by=by,
        top=chosen["top"],
        sort=Sort(chosen["sort"]),
        exact=chosen["exact"],
        opt_out=opt_out_words(chosen["opt_out"]),
        thresholds=thresholds(chosen),
    )
