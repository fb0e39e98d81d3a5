"""Where the demo plays: our own commands in processes of their own, told as the user would type them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smsreceipt.app import App
from smsreceipt.errors import SmsReceiptError

#: With these the commands would sign with the user's own key, or ask for the user's own queues.
_USERS_OWN = ("ALIBABA_CLOUD_", "SMSRECEIPT_")

_PROGRAM = (sys.executable, "-m", "smsreceipt")
_STORE = "./demo.db"


class Stage:
    """Runs commands inside a folder with a store of its own, against what *environment* names; talks in between."""

    def __init__(self, app: App, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.app = app
        self.folder = folder
        self.environment = dict(environment or {})
        self._steps = 0

    def title(self, text: str) -> None:
        """The next step's heading."""
        self._steps += 1
        self.app.say("")
        self.note(f"{self._steps}. {text}")

    def note(self, text: str) -> None:
        """A paragraph as wide as the terminal, or a blank line."""
        width = max(self.app.width, 20)
        for line in textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]:
            self.app.say(line)

    def command(self, line: str) -> None:
        """A command as it is typed."""
        self.app.say(f"$ {line}")

    def enter(self) -> None:
        """Go where the commands run."""
        self.command(f"cd {shlex.quote(str(self.folder))}")
        self.command(f"export SMSRECEIPT_STORE={_STORE}")

    def run(self, words: Sequence[str], *, told: bool = True, into: str = "") -> bytes:
        """Run a command; what it prints goes to the terminal, or to the file *into* in the folder.

        *told* False runs it unseen, and returns what it prints.
        """
        if told:
            self._tell(words, ["--json", f"> {into}"] if into else [])
        quiet = bool(into) or not told
        self.app.flush()
        done = subprocess.run(
            [*_PROGRAM, *words],
            cwd=self.folder,
            env=self._surroundings(quiet),
            stdout=subprocess.PIPE if quiet else None,
            check=False,
        )
        if done.returncode == 3:
            self.note("(exit code 3: done, but a person should look)")
        elif done.returncode:
            raise SmsReceiptError(f"the demo's command failed with exit code {done.returncode}: {shlex.join(words)}")
        if into:
            (self.folder / into).write_bytes(done.stdout)
        return done.stdout or b""

    def records(self, *words: str) -> list[dict[str, Any]]:
        """What a command finds, unseen."""
        return [json.loads(line) for line in self.run(words, told=False).splitlines()]

    @contextmanager
    def run_in_background(self, words: Sequence[str], into: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command in the background meanwhile; it is stopped with SIGTERM at the latest at the end."""
        self._tell(words, ["--json", f"> {into} &"])
        self.app.flush()
        surroundings = self._surroundings(quiet=True)
        with (
            (self.folder / into).open("wb") as out,
            subprocess.Popen([*_PROGRAM, *words], cwd=self.folder, env=surroundings, stdout=out) as run,
        ):
            try:
                yield run
            finally:
                run.terminate()

    def _tell(self, words: Sequence[str], more: Sequence[str]) -> None:
        self.app.say("")
        for line in typed([*words, *more], max(self.app.width, 20) - 2):
            self.app.say(line)

    def _surroundings(self, quiet: bool) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(_USERS_OWN)}
        return {
            **own,
            **self.environment,
            "SMSRECEIPT_STORE": _STORE,
            "SMSRECEIPT_CONFIG": os.devnull,  # the user's own may name a profile, and that beats the sandbox's key
            "SMSRECEIPT_OUTPUT": "json" if quiet else self.app.setting("output") or "table",
            "COLUMNS": str(self.app.width),
        }


def typed(words: Sequence[str], width: int) -> list[str]:
    """A command of ours as it is typed; a long one goes on behind backslashes, options together with their values."""
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
