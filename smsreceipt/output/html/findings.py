"""What the page says first: what is unusual, each in one sentence."""

from __future__ import annotations

from msgspec.structs import replace

from smsreceipt.insight.stats import Finding
from smsreceipt.output import findings
from smsreceipt.output.html.names import cut
from smsreceipt.output.html.words import Words, both

_BEFORE = ("in the period before", "对比周期")


def sentence(finding: Finding, *, with_day: bool) -> Words:
    """One finding as a sentence. *with_day*: the period has several days."""
    short = replace(finding, value=cut(finding.value) if finding.value else None)
    return both(lambda display: findings.sentence(short, display, before=_BEFORE, with_day=with_day))


def hours_of(finding: Finding) -> range:
    """The hours that it is about; none where it is about the whole day."""
    if finding.from_hour is None or finding.to_hour is None:
        return range(0)
    return range(finding.from_hour, finding.to_hour)
