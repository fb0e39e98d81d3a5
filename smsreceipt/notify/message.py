"""What a robot is told, and how it is fitted into the robot's limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class Item:
    """One alarm of a message."""

    text: str  #: one sentence
    command: str  #: what to run next; "": nothing
    bad: bool  #: it fires; False: it has cleared, or nothing is wrong
    record: Mapping[str, object]  #: for programs: the JSON object


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that e-mail carries."""

    name: str
    subtype: str  #: of text/…
    data: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A title and at least one item, the gravest first."""

    title: str  #: one line
    items: Sequence[Item]
    rest: str = "… {} more"  #: the line for the items that did not fit
    attachments: Sequence[Attachment] = ()

    @property
    def bad(self) -> bool:
        """Whether any of its alarms fires."""
        return any(item.bad for item in self.items)

    @property
    def json_lines(self) -> bytes:
        """The objects of its items, one a line."""
        return b"".join(msgspec.json.encode(item.record) + b"\n" for item in self.items)

    def lines(self, most: int, *, bullet: str = "- ", code: str = "") -> str:
        """An item a line, in at most *most* bytes of UTF-8. *code* stands before and after each command."""
        drawn = [_drawn(item, bullet, code) for item in self.items]
        for kept in range(len(drawn), -1, -1):
            more = [self.rest.format(len(drawn) - kept)] if kept < len(drawn) else []
            text = "\n".join([*drawn[:kept], *more])
            if len(text.encode()) <= most:
                return text
        return ""

    def plain(self, most: int = 100_000) -> str:
        """The items as plain text."""
        return self.lines(most)


def _drawn(item: Item, bullet: str, code: str) -> str:
    command = f"\n  {code}{item.command}{code}" if item.command else ""
    return f"{bullet}{item.text}{command}"
