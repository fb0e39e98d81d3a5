"""What is unusual, each in one sentence with the command that looks closer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from smsreceipt.insight.stats import Finding
from smsreceipt.output.display import Display
from smsreceipt.output.findings import command, sentence
from smsreceipt.output.terminal.screen import text, wrapped


def findings(found: Sequence[Finding], display: Display, *, before: tuple[str, str], with_day: bool) -> Iterator[Text]:
    """The lines of some findings. *before* and *with_day* are those of sentence()."""
    for each in found:
        told = sentence(each, display, before=before, with_day=with_day)
        yield from wrapped(Text.assemble(("! ", "bold red"), text(told, "bold")), display.width)
        yield text("  " + command(each), "dim")
