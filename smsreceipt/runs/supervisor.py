"""Tells systemd, or another supervisor that knows sd_notify, how a long run is doing.

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from typing import Protocol

from smsreceipt.store import Kept

_STATUS_EVERY = 60.0  # seconds
_BEATS = 4  # in the time of the watchdog, at most
_ASKED = 5.0  # seconds that the listener has to answer itself


class Supervisor:
    """The socket in NOTIFY_SOCKET. Without one nothing is sent; errors of the socket are ignored. For any thread."""

    def __init__(self, environ: Mapping[str, str], *, clock: Callable[[], float] = time.monotonic) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name  # @: a name outside the file system
        self._clock = clock
        self.watchdog = _watchdog(environ) if name else 0.0  #: seconds without a beat until a restart
        self._next_beat = self._next_status = 0.0
        self._told: set[str] = set()

    @property
    def present(self) -> bool:
        """Whether there is a supervisor."""
        return bool(self._address)

    def ready(self) -> None:
        """The run has begun to work."""
        self._tell_once("READY=1")

    def stopping(self) -> None:
        """The run ends."""
        self._tell_once("STOPPING=1")

    def status(self, text: Callable[[], str]) -> None:
        """One line about the run, once a minute at most; *text* is called only then."""
        if self._address and (now := self._clock()) >= self._next_status:
            self._next_status = now + _STATUS_EVERY
            self._send(f"STATUS={text()}")

    def beat(self) -> None:
        """Progress was made. Only work that is done may call this, never a timer."""
        if self.watchdog and (now := self._clock()) >= self._next_beat:
            self._next_beat = now + self.watchdog / _BEATS
            self._send("WATCHDOG=1")

    def allow(self, seconds: float) -> None:
        """Ask for so long without a beat, where the watchdog is shorter."""
        if 0 < self.watchdog < seconds:
            self.watchdog = seconds
            self._send(f"WATCHDOG_USEC={round(seconds * 1_000_000)}")

    def _tell_once(self, line: str) -> None:
        if self._address and line not in self._told:
            self._told.add(line)
            self._send(line)

    def _send(self, line: str) -> None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
            wire.setblocking(False)
            wire.sendto(line.encode(), self._address)


def _watchdog(environ: Mapping[str, str]) -> float:
    """Seconds of the watchdog that is meant for this process; 0: none."""
    usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID")
    return int(usec) / 1_000_000 if usec.isdecimal() and pid in {None, "", str(os.getpid())} else 0.0


class Commits(Protocol):
    """The commits of a run."""

    attempts: int  #: that ended, whatever became of them

    @property
    def idle(self) -> bool:
        """Whether nothing waits for a commit, and none is being made."""


class Progress:
    """The progress of a receiving run: a commit, or the answer to a request while no commit hangs."""

    def __init__(self, supervisor: Supervisor, figures: Callable[[], Mapping[str, object]]) -> None:
        self.commits: Commits | None = None  #: None: the store is not open yet
        self._supervisor, self._figures = supervisor, figures
        self._attempts = 0

    def committed(self, _kept: Kept) -> None:
        """A commit was made."""
        self._supervisor.ready()
        self._supervisor.beat()

    def serving(self) -> None:
        """The run works, or would if there were work: its store is open."""
        if self.commits is not None:
            self._supervisor.ready()
            self._supervisor.status(self._line)

    def answered(self) -> None:
        """A request was answered, or its time is over."""
        if self.commits is None or not self._supervisor.present:
            return
        self.serving()
        if self.commits.idle or self.commits.attempts != self._attempts:
            self._attempts = self.commits.attempts
            self._supervisor.beat()

    def _line(self) -> str:
        return counted(self._figures())


def counted(figures: Mapping[str, object]) -> str:
    """Figures in one line."""
    return " ".join(f"{name}={value}" for name, value in figures.items())


@contextmanager
def asking(bound: socket.socket, answered: Callable[[], None], every: float) -> Iterator[None]:
    """Inside, a thread asks the listener on this socket for /healthz, and calls *answered* for each answer.

    So a listener that nobody pushes to is told from one that hangs. *every*: seconds between two requests.
    """
    over = Event()

    def ask() -> None:
        while not over.wait(every):
            if _answers(bound):
                answered()

    thread = Thread(target=ask, name="health", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_ASKED)


def _answers(bound: socket.socket) -> bool:
    """Whether the listener answers, with whatever status: a full disk is not healed by a restart."""
    try:
        with socket.socket(bound.family, socket.SOCK_STREAM) as wire:
            wire.settimeout(_ASKED)
            wire.connect(_reachable(bound.getsockname()))
            wire.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            return wire.recv(64).startswith(b"HTTP/1.1 ")
    except OSError:
        return False


def _reachable(address: tuple[object, ...] | str) -> tuple[object, ...] | str:
    """The address to connect to: a socket on all addresses is on this machine's own too."""
    if isinstance(address, str):
        return address
    host, *rest = address
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(str(host), host), *rest  # noqa: S104 - it is asked, not bound
