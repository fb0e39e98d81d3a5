"""Runs the commands of the demo in processes of their own, and prints them as the user would type them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smsreceipt import language
from smsreceipt.app import App
from smsreceipt.errors import SmsReceiptError
from smsreceipt.language import _
from smsreceipt.output.printer import TABLE
from smsreceipt.output.terminal.screen import folded

#: Prefixes of variables that could make the commands use the user's own credentials or queues.
_USERS_OWN = ("ALIBABA_CLOUD_", "SMSRECEIPT_")

_PROGRAM = (sys.executable, "-m", "smsreceipt")
_STORE = "./demo.db"


class Runner:
    """Runs commands in a folder with a store of its own, and prints headings and notes between them."""

    def __init__(self, app: App, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        """*environment*: variables of the commands, such as the sandbox's endpoints."""
        self.app = app
        self.folder = folder
        self.environment = dict(environment or {})
        self._steps = 0

    def title(self, text: str) -> None:
        """Print the heading of the next step."""
        self._steps += 1
        self.app.say("")
        self.note(f"{self._steps}. {text}")

    def note(self, text: str) -> None:
        """Print a paragraph wrapped to the terminal, or a blank line."""
        for line in folded(text, self.app.width):
            self.app.say(line)

    def command(self, line: str) -> None:
        """Print a command line without running it."""
        self.app.say(f"$ {line}")

    def enter(self) -> None:
        """Print the commands that lead to the folder and its store."""
        self.command(f"cd {shlex.quote(str(self.folder))}")
        self.command(f"export SMSRECEIPT_STORE={_STORE}")

    def run(self, words: Sequence[str], *, printed: bool = True, into: str = "") -> bytes:
        """Print and run a command; its output goes to the terminal, or to the file *into* in the folder.

        *printed*: False to run it without a trace on the terminal, and return its output. Raises SmsReceiptError if
        the command fails.
        """
        if printed:
            self._print_command(words, ["--json", f"> {into}"] if into else [])
        quiet = bool(into) or not printed
        self.app.flush()
        done = subprocess.run(
            [*_PROGRAM, *words],
            cwd=self.folder,
            env=self._environment(quiet),
            stdout=subprocess.PIPE if quiet else None,
            check=False,
        )
        if done.returncode == 3:
            self.note(_("(exit code 3: done, but a person should look)"))
        elif done.returncode:
            raise SmsReceiptError(
                _(
                    "the demo's command failed with exit code {code}: {command}",
                    code=done.returncode,
                    command=shlex.join(words),
                )
            )
        if into:
            (self.folder / into).write_bytes(done.stdout)
        return done.stdout or b""

    def records(self, *words: str) -> list[dict[str, Any]]:
        """The objects that a command prints; nothing appears on the terminal."""
        return [json.loads(line) for line in self.run(words, printed=False).splitlines()]

    @contextmanager
    def run_in_background(self, words: Sequence[str], into: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command in the background, its output in the file *into*; SIGTERM ends it when the context ends."""
        self._print_command(words, ["--json", f"> {into} &"])
        self.app.flush()
        # A terminal without a live line: it would be drawn over what the demo prints.
        environment = {**self._environment(quiet=True), "TERM": "dumb"}
        with (
            (self.folder / into).open("wb") as out,
            subprocess.Popen([*_PROGRAM, *words], cwd=self.folder, env=environment, stdout=out) as run,
        ):
            try:
                yield run
            finally:
                run.terminate()

    def _print_command(self, words: Sequence[str], more: Sequence[str]) -> None:
        self.app.say("")
        for line in typed([*words, *more], max(self.app.width, 20) - 2):
            self.app.say(line)

    def _environment(self, quiet: bool) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(_USERS_OWN)}
        output = {} if quiet else {"SMSRECEIPT_OUTPUT": self.app.setting("output") or TABLE}
        return {
            **own,
            **self.environment,
            **output,
            "SMSRECEIPT_STORE": _STORE,
            "SMSRECEIPT_CONFIG": os.devnull,  # the user's file may set a profile, which comes before the sandbox's key
            "SMSRECEIPT_LANG": language.chosen(),
            "COLUMNS": str(self.app.width),
        }


def typed(words: Sequence[str], width: int) -> list[str]:
    """The lines of a command as the user would type it, at most *width* wide: an option and its value on one line."""
    lines, option = ["$ smsreceipt"], False
    for word in map(_quoted, words):
        room = len(lines[-1]) + 1 + len(word) <= width
        if option and not word.startswith(("--", ">")) and not room:
            *head, last = lines[-1].rsplit(" ", 1)
            lines[-1:] = [f"{head[0]} \\", f"    {last} {word}"]
        elif room:
            lines[-1] += f" {word}"
        else:
            lines[-1] += " \\"
            lines.append(f"    {word}")
        option = word.startswith("--")
    return lines


def _quoted(word: str) -> str:
    return word if word.startswith(">") else shlex.quote(word)
