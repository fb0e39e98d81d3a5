"""Hands on to a command of the user: JSON lines on its standard input, confirmed by exit code 0."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import selectors
import shlex
import subprocess
import termios
import time
from collections.abc import Iterator
from io import FileIO

from smsreceipt import processes
from smsreceipt.errors import UsageError
from smsreceipt.forward.batch import Batch, NotTaken, Refused
from smsreceipt.forward.bodies import Bodies
from smsreceipt.language import _, of_system
from smsreceipt.output import reasons

REFUSES = os.EX_DATAERR  #: the exit code, 65, by which a command refuses what it was given
KEY = "SMSRECEIPT_IDEMPOTENCY_KEY"  #: the variable that tells the command which batch it is
_GLANCE = 0.05  # seconds between two looks whether the command has ended


class Command:
    """A program and its arguments, started for each batch. It is killed, with all that it started, when it is late."""

    def __init__(self, text: str, bodies: Bodies, *, timeout: float, one_kind: bool) -> None:
        """*text* is split into words as a shell does, without a shell. Raises UsageError."""
        try:
            self._words = tuple(shlex.split(text))
        except ValueError:
            raise UsageError(
                _("--to exec: the command ends within a quotation, or with a backslash"),
                hint=_("Such as {example}", example="exec:/usr/local/bin/import --all"),
            ) from None
        if not self._words or "\0" in text:
            raise UsageError(
                _("--to exec: names no command"),
                hint=_("Such as {example}", example="exec:/usr/local/bin/import --all"),
            )
        self.name = os.path.basename(self._words[0])  # noqa: PTH119 - a word, not a path of ours
        self.one_kind = one_kind
        self._bodies, self._timeout = bodies, timeout

    def hand_on(self, batch: Batch) -> None:
        """Run it once. Confirmed is an end with 0 within the time, after it has read everything."""
        data = self._bodies(batch.receipts)
        if not data:
            return
        until = time.monotonic() + self._timeout
        with _pipe() as (read, write), self._started(read.fileno(), batch.key) as running:
            whole = _fed(running, write, data, until)
            write.close()
            try:
                running.wait(max(until - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                raise NotTaken(_("it did not end within {seconds:g} s", seconds=self._timeout)) from None
            self._judge(running.returncode, left=_unread(read), whole=whole)

    def _judge(self, code: int, *, left: int, whole: bool) -> None:
        if code == REFUSES:
            raise Refused(reasons.ENDED.format(n=code))
        if code < 0:
            raise NotTaken(_("it was killed by signal {number}", number=-code))
        if code:
            raise NotTaken(_("it ended with {code}", code=code))
        if left or not whole:
            raise NotTaken(_("it ended with 0, but did not read all of its input"))

    @contextlib.contextmanager
    def _started(self, stdin: int, key: str) -> Iterator[subprocess.Popen[bytes]]:
        try:
            with processes.started(self._words, stdin=stdin, environ={**os.environ, KEY: key}) as running:
                yield running
        except processes.NotStarted as exc:
            raise NotTaken(_("it cannot be started: {reason}", reason=of_system(exc.cause))) from None

    def close(self) -> None:
        """Nothing is kept open."""


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[FileIO, FileIO]]:
    """Both ends of a pipe. We keep the reading end too, to see what was left unread."""
    ends = os.pipe()
    os.set_blocking(ends[1], False)
    with FileIO(ends[0], "rb") as read, FileIO(ends[1], "wb") as write:
        yield read, write


def _fed(running: subprocess.Popen[bytes], write: FileIO, data: bytes, until: float) -> bool:
    """Write what the command takes; False if it ended before it took everything. Raises NotTaken when it is late."""
    rest = memoryview(data)
    with selectors.DefaultSelector() as selector:
        selector.register(write, selectors.EVENT_WRITE)
        while rest:
            if time.monotonic() > until:
                raise NotTaken(_("it did not read its input in time"))
            if selector.select(_GLANCE):
                rest = rest[write.write(rest) or 0 :]
            elif running.poll() is not None:
                return False
    return True


def _unread(read: FileIO) -> int:
    """How many bytes are left in the pipe."""
    found = array.array("i", [0])
    fcntl.ioctl(read, termios.FIONREAD, found)
    return found[0]
