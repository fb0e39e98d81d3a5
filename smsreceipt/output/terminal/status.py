"""The screen of `smsreceipt status`: the store in a few lines, then a line for each message type."""

from __future__ import annotations

from rich.text import Text

from smsreceipt.output.look import Look
from smsreceipt.output.objects.status import KINDS
from smsreceipt.output.terminal.screen import draw, pairs, text
from smsreceipt.output.terminal.table import Table
from smsreceipt.output.words import size
from smsreceipt.store import StoreFacts


def status(facts: StoreFacts, look: Look) -> str:
    """The store in a few lines, then a line per kind."""
    say = look.say
    absent = Text("" if facts.exists else say("  (not there yet)", "  （尚不存在）"), "dim")
    lines = [
        (say("store", "数据库"), text(facts.location).append(absent)),
        (say("engine", "引擎"), Text(look.dot.join([facts.engine, f"schema {facts.schema}", size(facts.size)]))),
        *([(say("sends", "发送"), _sends(facts, look))] if facts.sends else []),
        (say("conflicts", "矛盾"), _alarm(facts.conflicts, "list --conflicts")),
        (say("rejects", "拒收"), _alarm(facts.rejects, "rejects list")),
    ]
    top = pairs(lines, look)
    if not facts.kinds:
        return draw(look, top, "", Text(say("No receipts yet.", "还没有回执。"), "dim"))
    return draw(look, top, "") + Table(look, KINDS).draw(facts.kinds)


def _sends(facts: StoreFacts, look: Look) -> Text:
    """How much was sent, and how much of it has no final receipt."""
    said = Text(f"{facts.sends:,}")
    if facts.open_sends:
        said.append(look.dot).append(look.say(f"{facts.open_sends:,} open", f"{facts.open_sends:,} 待回执"), "magenta")
        said.append("  smsreceipt reconcile", "dim")
    return said


def _alarm(count: int, command: str) -> Text:
    """A count that should be zero, and where to look when it is not."""
    return Text.assemble((f"{count:,}", "red"), (f"  smsreceipt {command}", "dim")) if count else Text("0")
