"""The counters of a receiving run in words, for the live line and for the sentence at the end."""

from __future__ import annotations

from collections.abc import Mapping

from smsreceipt.model import Outcome, Tally
from smsreceipt.output.display import OUTCOMES_ZH

Outcomes = Mapping[Outcome | None, int]  #: new statements by their outcome; None: those that have none, such as replies


def split(tally: Tally, outcomes: Outcomes, *, chinese: bool) -> list[tuple[str, int]]:
    """What became of the received ones, as words and counts that are not zero; the counts add up to `received`."""
    named = [(OUTCOMES_ZH[each] if chinese else each.value, outcomes.get(each, 0)) for each in Outcome]
    others = tally.new - sum(count for _, count in named)
    words = ("其他", "重复", "拒收", "已遗忘") if chinese else ("other", "duplicate", "rejected", "forgotten")
    named += zip(words, (others, tally.duplicate, tally.rejected, tally.forgotten), strict=True)
    return [(word, count) for word, count in named if count]


def ended(tally: Tally, outcomes: Outcomes, seconds: float, deletes: tuple[int, int] | None, *, chinese: bool) -> str:
    """The summary of a run as a sentence. *deletes*: messages that were deleted from queues, and those that were not.

    It has no line ends and may be wider than a terminal.
    """
    if not tally.received:
        return f"没有收到消息，用时 {seconds:.1f} 秒" if chinese else f"received nothing in {seconds:.1f} s"
    rate = f"{tally.received / max(seconds, 0.001):,.0f}"
    counts = split(tally, outcomes, chinese=chinese)
    if chinese:
        listed = "，".join(f"{word} {count:,}" for word, count in counts)
        return f"收到 {tally.received:,} 条，用时 {seconds:.1f} 秒（{rate} 条/秒）：{listed}{_deletes_zh(deletes)}"
    listed = ", ".join(f"{count:,} {word}" for word, count in counts)
    return f"received {tally.received:,} in {seconds:.1f} s ({rate}/s): {listed}{_deletes(deletes)}"


def _deletes(deletes: tuple[int, int] | None) -> str:
    if deletes is None:
        return ""
    left = f"; {deletes[1]:,} not deleted: they come again and count as duplicate" if deletes[1] else ""
    return f"; {deletes[0]:,} deleted from the queues{left}"


def _deletes_zh(deletes: tuple[int, int] | None) -> str:
    if deletes is None:
        return ""
    left = f"，未删除 {deletes[1]:,}（会再次收到，计为重复）" if deletes[1] else ""
    return f"；已从队列删除 {deletes[0]:,}{left}"
