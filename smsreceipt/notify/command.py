"""A command of the user: it gets the JSON objects on its standard input, one a line."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from dataclasses import dataclass, field
from typing import Self

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
            running = subprocess.Popen(
                self.words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=None, start_new_session=True
            )
        except OSError as exc:
            raise NotTold(_("{name} cannot be started: {reason}", name=name, reason=of_system(exc))) from None
        with running:
            try:
                running.communicate(message.json_lines, timeout=self.limit)
            except subprocess.TimeoutExpired:
                _kill(running)
                said = _("{name} did not end within {seconds:g} s", name=name, seconds=self.limit)
                raise NotTold(said, again=True) from None
            except BaseException:
                _kill(running)
                raise
        if running.returncode:
            raise NotTold(_("{name} ended with {code}", name=name, code=running.returncode), again=True)


def _kill(running: subprocess.Popen[bytes]) -> None:
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
