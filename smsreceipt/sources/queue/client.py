"""The line to one queue: signed requests, fresh tokens, the provider's time, and what is tried again."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from smsreceipt.aliyun import mns, retry, signing
from smsreceipt.aliyun.clock import Clock
from smsreceipt.aliyun.credentials import Credentials
from smsreceipt.aliyun.faults import BadAnswer, TransportError, Untrusted
from smsreceipt.aliyun.http import Pool, Response
from smsreceipt.aliyun.mns import Message, MnsError, QueueAttributes
from smsreceipt.aliyun.tokens import Tokens
from smsreceipt.errors import AuthError, ProviderError, SmsReceiptError
from smsreceipt.model import Kind

_T = TypeVar("_T")

_SLACK = 10.0  # seconds beyond the long poll within which an answer must be complete; a throttled one is held up to 5
_FRESH_TOKENS = 6  # how often a token that the provider calls expired is replaced for one request
_PATIENT = 3  # failures in a row that a user need not hear of
_TRIES = 24  # in a row, once there was an answer; its 120 s end a budget sooner
GONE = frozenset({"MessageNotExist", "ReceiptHandleError"})  #: a handle that is not ours any more


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue and the message type that its token is asked for with."""

    name: str
    kind: Kind


class Line:
    """Asks one queue. Every method raises SmsReceiptError once asking again cannot help or the budget is spent."""

    def __init__(
        self,
        queue: Queue,
        pool: Pool,
        tokens: Tokens,
        clock: Clock,
        *,
        on_lost: Callable[[], None] = lambda: None,
        tell: Callable[[str, int], None] = lambda _text, _verbosity: None,
        budget: Callable[[], retry.Budget] = retry.Budget,
    ) -> None:
        """*on_lost* is called when a receive was sent and its answer lost: up to 16 messages may be hidden by it.

        *tell* gets a line for whatever is tried again, and how much -v the user must have said to see it.
        """
        self.queue = queue
        self.on_lost = on_lost
        self._pool = pool
        self._tokens = tokens
        self._clock = clock
        self._tell = tell
        self._learnt_at = -1.0
        self._receiving = budget()
        self._deleting = budget()  # apart, so that what is stored can still be deleted when receiving fails

    async def receive(self, batch: int, wait: int) -> list[Message]:
        """Up to *batch* messages; none after *wait* seconds is an empty list. An answer is never asked for twice.

        After a lost answer the next receive is another one, and on_lost has told that messages may be hidden.
        """
        while True:
            response = await self._ask(
                mns.receive(self.queue.name, batch, wait), wait + _SLACK, self._receiving, self.on_lost
            )
            if response.status == 404:
                return []
            try:
                return [message for message in mns.messages(response.body) if message.handle]
            except BadAnswer as exc:
                self.on_lost()
                await self._back_off(self._receiving, exc, None)

    async def peek(self) -> list[Message]:
        """What the front of the queue holds, without receiving it."""
        response = await self._ask(mns.peek(self.queue.name), _SLACK, self._receiving)
        return [] if response.status == 404 else mns.messages(response.body)

    async def delete(self, handles: Sequence[bytes]) -> dict[bytes, str]:
        """Delete messages; return the handles that could not be, each with the service's code.

        A delete is tried again after a lost answer, and what is then gone was deleted by the one that was lost.
        """
        lost: list[bool] = []
        left = tuple(handles)
        failed: dict[bytes, str] = {}
        for last in (False, True):
            response = await self._ask(
                mns.delete(self.queue.name, left), _SLACK, self._deleting, lambda: lost.append(True)
            )
            if response.status != 404:
                return failed
            refused = _refused(response.body, left)
            if lost:
                refused = {handle: code for handle, code in refused.items() if code not in GONE}
            final = {handle: code for handle, code in refused.items() if last or code in GONE}
            failed |= final
            left = tuple(handle for handle in refused if handle not in final)
            if not left:
                break
        return failed

    async def attributes(self) -> QueueAttributes | None:
        """How the queue is set; None where the token does not allow to ask or the answer makes no sense."""
        await self._credentials()  # what is wrong with these is wrong with everything
        try:
            return mns.queue_attributes(
                (await self._ask(mns.attributes(self.queue.name), _SLACK, retry.Budget(3, 10))).body
            )
        except (ProviderError, AuthError):  # a BadAnswer too; what is wrong with more than this, a receive will tell
            return None

    async def _ask(
        self,
        request: mns.Request,
        timeout: float,  # noqa: ASYNC109 - handed on: the transport has the timer
        budget: retry.Budget,
        on_lost: Callable[[], None] = lambda: None,
    ) -> Response:
        """The answer of status 200 or 204, or a 404 that speaks of messages."""
        once = {retry.Verdict.CLOCK}
        tokens = 0
        while True:
            credentials = await self._credentials()
            wait: float | None = None
            try:
                response = await self._pool.send(
                    signing.mns(request, self._pool.endpoint.netloc, credentials, self._clock.http_date()), timeout
                )
            except Untrusted:
                raise
            except asyncio.CancelledError:
                on_lost()  # the provider does not know that nobody listens any more
                raise
            except TransportError as fault:
                if fault.sent:
                    on_lost()
                await self._back_off(budget, fault, None)
                continue
            self._learn(response)
            if response.status in {200, 204}:
                _proven(budget)
                return response
            error = mns.error(response.status, response.body)
            if response.status == 404 and (error.code == "MessageNotExist" or b"<Errors" in response.body):
                _proven(budget)
                return response
            judged = retry.verdict(response.status, error.code, temporary=credentials.temporary)
            if judged is retry.Verdict.TOKEN and tokens < _allowed(error):
                tokens += 1
                self._tell(f"{self.queue.name}: the token was refused ({error.code}); asking for a fresh one", 1)
                self._tokens.drop(self.queue.kind, self.queue.name, credentials)
            elif judged in once:
                once.discard(judged)
            elif judged is retry.Verdict.LATER:
                wait = retry.retry_after(response.headers.get("retry-after"))
                await self._back_off(budget, mns.refusal(error, self.queue.name), wait)
            else:
                raise mns.refusal(error, self.queue.name) from error

    async def _credentials(self) -> Credentials:
        kind, queue = self.queue.kind, self.queue.name
        held = self._tokens.held(kind, queue)
        return held if held is not None else await in_thread(lambda: self._tokens.get(kind, queue))

    async def _back_off(self, budget: retry.Budget, failure: SmsReceiptError, retry_after: float | None) -> None:
        wait = budget.failed(asyncio.get_running_loop().time(), retry_after, random.random)
        if wait is None:
            raise failure
        if budget.failures == _PATIENT:
            self._tell(f"{self.queue.name}: {failure}; trying again for up to {budget.seconds:.0f} s", 0)
        self._tell(f"{self.queue.name}: {failure}; trying again in {wait:.1f} s", 1)
        await asyncio.sleep(wait)

    def _learn(self, response: Response) -> None:
        now = asyncio.get_running_loop().time()
        if response.status < 300 and now - self._learnt_at < 1.0:
            return  # a Date is of whole seconds
        self._learnt_at = now
        self._clock.learn(response.headers.get("date"), response.sent_at, response.received_at)


def _proven(budget: retry.Budget) -> None:
    """The provider answers: whatever fails from now on is trouble that passes, as long as the budget's time lasts."""
    budget.succeeded()
    budget.tries = _TRIES


def _allowed(error: MnsError) -> int:
    """How many fresh tokens an answer is worth. Where the code does not blame the token, the second 403 is final."""
    return _FRESH_TOKENS if error.code in {"SecurityTokenExpired", "InvalidSecurityToken"} else 1


def _refused(body: bytes, handles: Sequence[bytes]) -> dict[bytes, str]:
    """Which of *handles* a 404 names; one that names none speaks of all."""
    if b"<Errors" not in body:
        return dict.fromkeys(handles, "MessageNotExist")
    try:
        failed = mns.failed_handles(body)
    except BadAnswer:
        return dict.fromkeys(handles, "")
    return {handle: failed[handle] for handle in handles if handle in failed}


async def in_thread(function: Callable[[], _T]) -> _T:
    """What *function* returns, run beside the loop. The thread is a daemon: a hanging call does not hold up an exit."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[_T] = loop.create_future()

    def settle(value: _T | None, exc: BaseException | None) -> None:
        if answer.done():
            return
        if exc is None:
            answer.set_result(value)  # type: ignore[arg-type]  # no exception: there is a value
        else:
            answer.set_exception(exc)

    def run() -> None:
        outcome: tuple[_T | None, BaseException | None]
        try:
            outcome = function(), None
        except BaseException as exc:  # noqa: BLE001 - raised where it is awaited
            outcome = None, exc
        try:
            loop.call_soon_threadsafe(settle, *outcome)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    threading.Thread(target=run, daemon=True).start()
    return await answer
