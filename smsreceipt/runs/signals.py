"""Graceful stop: the first signal stops a run, a second one ends the process at once. Neither loses data."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from smsreceipt import processes
from smsreceipt.app import App
from smsreceipt.language import _
from smsreceipt.runs.supervisor import counted

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def counters_on_request(app: App, counters: Callable[[], Mapping[str, object]]) -> Iterator[None]:
    """Inside, SIGUSR1 prints the counters.

    A thread of its own does it: the handler may have interrupted what it would wait for.
    """

    def tell() -> None:
        found = counters()
        app.say(_("counters: {figures}", figures=counted(found)), verbosity=-1, event="counters", fields=found)

    def handle(_signum: int, _frame: FrameType | None) -> None:
        threading.Thread(target=tell, name="counters", daemon=True).start()

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


class GracefulStop:
    """Handles SIGINT, SIGTERM and SIGHUP while its context is open, and sets the exit code of the signal.

    A SIGHUP that was ignored at the start (nohup) stays ignored. SIGINT is handled even where the shell had it ignored
    for a background process, because somebody sent it to this process on purpose.
    """

    def __init__(self, app: App, stop: Callable[[], None]) -> None:
        """*stop* is called once, in the main thread, by the first signal."""
        self._app = app
        self._stop = stop
        self._before: dict[int, object] = {}
        self.requested = False  #: whether a signal came

    def __enter__(self) -> Self:
        for signum in _SIGNALS:
            if signum != signal.SIGHUP or signal.getsignal(signum) is not signal.SIG_IGN:
                self._before[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)  # type: ignore[arg-type]  # it is what signal.signal returned

    @contextmanager
    def inside_loop(self) -> Iterator[None]:
        """Inside, signals wake the running event loop. A loop that ends restores the default handlers, not ours."""
        loop = asyncio.get_running_loop()
        for signum in self._before:
            loop.add_signal_handler(signum, self._arrived, signum)
        try:
            yield
        finally:
            for signum in self._before:
                loop.remove_signal_handler(signum)
                signal.signal(signum, self._handle)

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        self._arrived(signum)

    def _arrived(self, signum: int) -> None:
        if self.requested:
            processes.kill_all()
            os._exit(128 + signum)
        self.requested = True
        self._app.end_with(128 + signum)
        self._stop()
