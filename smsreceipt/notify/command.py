"""A command of the user: it gets the JSON objects on its standard input, one a line."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass, field
from typing import Self

from smsreceipt import processes
from smsreceipt.errors import UsageError
from smsreceipt.language import _, of_system
from smsreceipt.notify.faults import NotTold
from smsreceipt.notify.message import Message


@dataclass(frozen=True)
class Command:
    """A program and its arguments. It has ten seconds, after which it is killed with all that it started."""

    words: tuple[str, ...] = field(repr=False)  # they may hold a secret
    limit: float = 10.0

    @classmethod
    def of(cls, text: str, *, shell: bool) -> Self:
        """Split the text into words as a shell does, without a shell; with *shell*, /bin/sh gets it as it is.

        Raises UsageError.
        """
        if shell:
            return cls(("/bin/sh", "-c", text))
        try:
            words = tuple(shlex.split(text))
        except ValueError:
            words = ()
        if not words:
            raise UsageError(
                _("--notify exec: a quotation mark is not closed"),
                hint=_("Such as {example}", example="exec:/usr/local/bin/page --all"),
            )
        return cls(words)

    def send(self, message: Message) -> None:
        """Run it once. Raises NotTold unless it ends with 0 in time."""
        name = os.path.basename(self.words[0])  # noqa: PTH119 - a word, not a path of ours
        try:
            with processes.started(self.words, stdin=subprocess.PIPE) as running:
                running.communicate(message.json_lines, timeout=self.limit)
        except processes.NotStarted as exc:
            raise NotTold(_("{name} cannot be started: {reason}", name=name, reason=of_system(exc.cause))) from None
        except subprocess.TimeoutExpired:
            said = _("{name} did not end within {seconds:g} s", name=name, seconds=self.limit)
            raise NotTold(said, again=True) from None
        if running.returncode:
            raise NotTold(_("{name} ended with {code}", name=name, code=running.returncode), again=True)
