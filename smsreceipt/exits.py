"""How a run ends: the exceptions that stop it, and which exit code counts among several."""

from __future__ import annotations

from collections.abc import Iterable

from smsreceipt.errors import SmsReceiptError

#: Several reasons to end with a number: the first of these counts. 141 (the reader went away) is no failure of ours.
_WORST_FIRST = (1, 2, 130, 143, 129, 7, 6, 4, 8, 5, 141, 3)


class Stopped(KeyboardInterrupt):
    """SIGTERM or SIGHUP arrived. Like Ctrl-C, no code may catch it to carry on."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class ReaderGone(Exception):
    """The reader of our standard output closed the pipe: end quietly with exit code 141."""


def worst(codes: Iterable[int]) -> int:
    """The exit code that counts among several; 0 where there is none."""
    return min((code for code in codes if code), default=0, key=_WORST_FIRST.index)


def gravest(failures: Iterable[BaseException]) -> BaseException | None:
    """Of several failures, the one whose exit code counts; a bug of ours before them all."""

    def rank(exc: BaseException) -> int:
        return _WORST_FIRST.index(exc.exit_code) if isinstance(exc, SmsReceiptError) else -1

    return min(failures, key=rank, default=None)
