"""How a run that receives is stopped: gracefully by the first signal, at once by the second. Nothing is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from smsreceipt.app import App

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """Takes signals from the beginning of a run to its summary.

    A SIGHUP that was ignored (nohup) stays so. SIGINT is taken even where a shell has it ignored for what runs in the
    background: whoever sends it there means it.
    """

    def __init__(self, app: App, stop: Callable[[], None]) -> None:
        """*stop* is called once, in the main thread."""
        self._app = app
        self._stop = stop
        self._before: dict[int, object] = {}
        self.requested = False

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
        """While a loop runs, it must be woken by signals; it leaves the default handlers behind."""
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
            os._exit(128 + signum)
        self.requested = True
        self._app.attention(128 + signum)
        self._stop()
