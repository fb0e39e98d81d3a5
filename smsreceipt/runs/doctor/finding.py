"""What a check is and how it says what it found."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from smsreceipt.errors import AuthError, ProviderError, SmsReceiptError
from smsreceipt.language import _
from smsreceipt.output.objects.doctor import NOTHING, Finding, State, Words

_T = TypeVar("_T")


class Result(NamedTuple):
    """What a check found; its name and its time are added by who runs it."""

    state: State
    found: Words
    fix: Words = NOTHING
    code: int = 0  #: the exit code of a failure

    def of(self, check: str, seconds: float) -> Finding:
        """The finding of the check of this name."""
        return Finding(check=check, state=self.state, found=self.found, fix=self.fix, code=self.code, seconds=seconds)


class Check(NamedTuple):
    """One check of the table."""

    name: str
    deadline: float  #: seconds, after which it has failed
    look: Callable[[], Result]
    remote: bool = False  #: it calls somebody; --offline leaves it out
    late: int = 5  #: the exit code where it passes its deadline; 0: it is skipped then


def ok(english: str, chinese: str) -> Result:
    """All is well."""
    return Result(State.OK, (english, chinese))


def skipped(english: str, chinese: str, fix: Words = NOTHING) -> Result:
    """There is nothing to check, or another failure stands in the way."""
    return Result(State.SKIPPED, (english, chinese), fix)


def warn(found: Words, fix: Words) -> Result:
    """It works, but a person should look."""
    return Result(State.WARN, found, fix)


def fail(found: Words, fix: Words, code: int) -> Result:
    """Something does not work."""
    return Result(State.FAIL, found, fix, code)


def failed(exc: SmsReceiptError, fix: Words = NOTHING) -> Result:
    """The failure that an error of the program describes; its own hint is the fix where none is given."""
    return Result(State.FAIL, (str(exc),) * 2, fix if fix[0] else own_hint(exc), exc.exit_code)


def own_hint(exc: SmsReceiptError) -> Words:
    """The hint of an error, in the chosen language."""
    return (_(exc.hint),) * 2


def no_permission(exc: AuthError) -> bool:
    """Whether the provider knows the key, and refuses the right."""
    code = exc.code.casefold()
    return "nopermission" in code or (code.startswith("forbidden") and "accesskey" not in code)


class Once(Generic[_T]):
    """A value that several checks need: computed by the first that asks. A failure is the same for all."""

    def __init__(self, compute: Callable[[], _T]) -> None:
        self._compute = compute
        self._lock = threading.Lock()
        self._done: list[_T | SmsReceiptError] = []

    def __call__(self) -> _T:
        """The value. Raises the SmsReceiptError that computing it raised."""
        with self._lock:
            return self._get()

    def by(self, until: float) -> _T:
        """As calling it; raises ProviderError where another thread still computes it at this time.monotonic()."""
        if not self._lock.acquire(timeout=max(until - time.monotonic(), 0.001)):
            raise ProviderError(_("no answer yet"))
        try:
            return self._get()
        finally:
            self._lock.release()

    def _get(self) -> _T:
        if not self._done:
            try:
                self._done.append(self._compute())
            except SmsReceiptError as exc:
                self._done.append(exc)
        found = self._done[0]
        if isinstance(found, SmsReceiptError):
            raise found
        return found
