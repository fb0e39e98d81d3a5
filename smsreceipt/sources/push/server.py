"""The HTTP server of the listener: one thread serves all connections and commits what they have pushed.

A second thread stands by. When a commit takes long - a slow disk, a store that another process has locked - it takes
over the serving, so that pushes are refused in time; the first one then stands by. As long as commits are quick no
thread wakes another one, and none waits for the interpreter.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable

from smsreceipt.language import _
from smsreceipt.sources.push.app import Receiver, answer
from smsreceipt.sources.push.http import Connection, Seconds
from smsreceipt.sources.push.intake import SWEEP
from smsreceipt.waiting import wait_for

USUAL = Seconds()
_TICK = 0.1  # seconds between two looks for connections whose time is over
_HELD_UP = 0.04  # seconds of a commit after which the other thread takes over
_LOOK = 0.02  # seconds between two looks whether that is so
_RESTS_AFTER = 50  # looks in a row without a commit, after which the thread that stands by looks no more
_BLINK = 0.0005  # seconds that a look takes when something is there already, at most
_ACCEPTED = 64  # connections accepted at once
_BUSY = answer(503, connection=b"close")

Commit = Callable[[], None]


class Server:
    """Serves a listening socket until stop(). Handles no signals and writes no logs."""

    def __init__(
        self,
        app: Receiver,
        *,
        connections: int,
        tell: Callable[[str], None],
        next_commit: Callable[[], Commit | None],
        tick: Callable[[], None] = lambda: None,
        seconds: Seconds = USUAL,
    ) -> None:
        """*next_commit* is asked after each turn for a commit, which raises nothing and may be made in any thread.

        *tick* is called ten times a second; *tell* gets a line about each bug. Nothing else is logged.
        """
        self.app, self.seconds, self.stopping = app, seconds, False
        self._most, self._tell, self._tick, self._next_commit = connections, tell, tick, next_commit
        self._connections: set[Connection] = set()
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._accepts_again_at = 0.0
        self._next_tick = 0.0
        self._ends_at = float("inf")
        self.arrived = self._looked_at = time.monotonic()
        self._waker, self._woken = socket.socketpair()
        # The thread that holds `_lead` serves; only it touches the connections.
        self._lead = threading.Lock()
        self._committing_since: float | None = None
        self._begun = threading.Event()  # a commit has begun since the thread that stands by looked last
        self._over = threading.Event()
        self._bug: Exception | None = None

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._connections)

    def stop(self) -> None:
        """Stop accepting, and finish the requests in flight. From any thread, or a signal handler; idempotent."""
        self.stopping = True
        self.wake()

    def wake(self) -> None:
        """Begin a turn now. From any thread."""
        with contextlib.suppress(OSError):  # it is full, or closed: a turn is about to begin, or none will
            self._waker.send(b"\0")

    def run_on(self, listener: socket.socket) -> None:
        """Serve until stop(), then close the socket and every connection. Raises nothing but a bug."""
        listener.setblocking(False)
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._listener = listener
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._woken, selectors.EVENT_READ, self._drain)
        self._lead.acquire()
        for leads in (True, False):
            threading.Thread(target=self._work, args=(leads,), name="server", daemon=True).start()
        wait_for(self._over)  # in the main thread, where signals are handled meanwhile
        if self._bug is not None:
            raise self._bug

    def _work(self, leads: bool) -> None:
        while leads or self._stand_by():
            leads = False
            try:
                self._serve()
            except Exception as exc:  # noqa: BLE001 - run_on raises it
                self._bug = exc
                self._end()

    # Which thread serves

    def _serve(self) -> None:
        """Serve until the server has stopped, or until a commit took so long that the other thread took over."""
        while not self._over.is_set():
            self._take_turn()
            commit = self._next_commit()
            if commit is not None and not self._make(commit):
                return

    def _make(self, commit: Commit) -> bool:
        """Make a commit; whether this thread goes on to serve."""
        self._committing_since = time.monotonic()
        if not self._begun.is_set():
            self._begun.set()
        self._lead.release()
        commit()
        if self._lead.acquire(blocking=False):
            self._committing_since = None
            return True
        self.wake()
        return False

    def _stand_by(self) -> bool:
        """Wait until the other thread is held up by a commit, then take over; False when the server has stopped."""
        looks = 0
        while not self._over.wait(_LOOK):
            since = self._committing_since
            looks = 0 if since is not None or self._begun.is_set() else looks + 1
            self._begun.clear()
            if since is not None:
                if time.monotonic() - since > _HELD_UP and self._lead.acquire(blocking=False):
                    self._committing_since = None
                    return True
            elif looks > _RESTS_AFTER:
                self._begun.wait()
        return False

    # What the thread that serves does

    def _take_turn(self) -> None:
        """Answer what was stored, handle what the sockets have, and see to the time limits."""
        self.app.intake.settle()
        now = time.monotonic()
        until_tick = max(0.0, self._next_tick - now)
        ready = self._selector.select(min(SWEEP, until_tick) if self.app.intake.waits else until_tick)
        looked_at = time.monotonic()
        # What was there at once may have come at any time since the last look; what was waited for has come just now.
        self.arrived = looked_at if looked_at - now > _BLINK else self._looked_at
        self._looked_at = looked_at
        for key, events in ready:
            key.data(events)
        now = time.monotonic()
        if now >= self._next_tick:
            self._next_tick = now + _TICK
            self._on_tick(now)
        if self.stopping:
            self._stop(now)

    def _on_tick(self, now: float) -> None:
        for each in [each for each in self._connections if each.deadline <= now]:
            each.abort()
        if self._accepts_again_at and now >= self._accepts_again_at and self._listener is not None:
            self._accepts_again_at = 0.0
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._tick()

    def _stop(self, now: float) -> None:
        if self._listener is not None:
            self._close_listener(self._listener)
            self._ends_at = now + self.seconds.stop
        for each in [*self._connections]:
            each.finish_last()
        if not self._connections or now >= self._ends_at:
            self._end()

    def _close_listener(self, listener: socket.socket) -> None:
        self._listener = None
        with contextlib.suppress(KeyError):  # it rested
            self._selector.unregister(listener)
        listener.close()

    def _end(self) -> None:
        """Close everything; the threads and run_on return."""
        for each in [*self._connections]:
            each.abort()
        if self._listener is not None:
            self._close_listener(self._listener)
        self._over.set()
        self._begun.set()
        self._selector.close()
        self._waker.close()
        self._woken.close()

    def _drain(self, _events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(4096)

    def _accept(self, _events: int) -> None:
        """Accept connections. One too many gets 503 at once."""
        listener = self._listener
        for _each in range(_ACCEPTED):
            if listener is None:
                return
            try:
                wire, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError:  # no descriptors are left: look again a little later
                self._selector.unregister(listener)
                self._accepts_again_at = time.monotonic() + _TICK
                return
            wire.setblocking(False)
            with contextlib.suppress(OSError):  # it is a local socket
                wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._make_room():
                connection = Connection(wire, self)
                self._connections.add(connection)
                self.watch(connection, selectors.EVENT_READ)
            else:
                with contextlib.suppress(OSError):
                    wire.send(_BUSY)
                wire.close()

    def _make_room(self) -> bool:
        """Whether one more connection may be opened; if there are too many, the longest idle one is closed for it.

        So idle connections cannot lock out other clients. Those that never sent a request are closed first.
        """
        if len(self._connections) < self._most:
            return True
        silent = [each for each in self._connections if each.silent]
        if not silent:
            return False
        min(silent, key=lambda each: (each.served, each.deadline)).abort()
        return True

    # What connections call

    def watch(self, connection: Connection, events: int) -> None:
        """Call the connection's on_ready when these events come; 0: never."""
        before, connection.events = connection.events, events
        if not before:
            self._selector.register(connection.wire, events, self._guarded(connection))
        elif events:
            self._selector.modify(connection.wire, events, self._guarded(connection))
        else:
            self._selector.unregister(connection.wire)

    def _guarded(self, connection: Connection) -> Callable[[int], None]:
        def on_ready(events: int) -> None:
            try:
                connection.on_ready(events)
            except Exception as exc:  # noqa: BLE001 - a bug costs one connection, not the listener
                self.tell(exc)
                connection.abort()

        return on_ready

    def closed(self, connection: Connection) -> None:
        """The connection is about to close its socket."""
        self._connections.discard(connection)
        if connection.events:
            connection.events = 0
            self._selector.unregister(connection.wire)

    def tell(self, exc: BaseException) -> None:
        """Report the type of a bug, and nothing else: messages and paths hold secrets."""
        self._tell("error: " + _("internal: {name}", name=type(exc).__name__))
