"""The exceptions that end a run without being errors, and the precedence of exit codes."""

from __future__ import annotations

from collections.abc import Iterable

from smsreceipt.errors import SmsReceiptError

#: Of several exit codes, the first one in this list counts. 141: the reader of standard output closed the pipe.
_WORST_FIRST = (1, 2, 130, 143, 129, 7, 6, 4, 8, 5, 141, 3)


class Stopped(KeyboardInterrupt):
    """SIGTERM or SIGHUP came. As with KeyboardInterrupt, no code may catch it and go on."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class ReaderGone(Exception):
    """The reader of standard output closed the pipe: the program ends without a message, with exit code 141."""


def worst(codes: Iterable[int]) -> int:
    """The exit code that counts among several; 0 without any."""
    return min((code for code in codes if code), default=0, key=_WORST_FIRST.index)


def gravest(failures: Iterable[BaseException]) -> BaseException | None:
    """The failure whose exit code counts among several; a bug of ours comes before all others."""

    def rank(exc: BaseException) -> int:
        return _WORST_FIRST.index(exc.exit_code) if isinstance(exc, SmsReceiptError) else -1

    return min(failures, key=rank, default=None)
