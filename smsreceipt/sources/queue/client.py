"""A client of one queue: it signs requests, renews tokens, learns the provider's time, and retries what may pass."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from smsreceipt.aliyun import mns, retry, signing
from smsreceipt.aliyun.clock import Clock
from smsreceipt.aliyun.credentials import Credentials
from smsreceipt.aliyun.dial import in_thread
from smsreceipt.aliyun.faults import BadAnswer, Hopeless, TimedOut, TransportError, Unreached
from smsreceipt.aliyun.http import Pool, Response
from smsreceipt.aliyun.mns import Message, MnsError, QueueAttributes
from smsreceipt.aliyun.tokens import Tokens
from smsreceipt.errors import AuthError, ProviderError, SmsReceiptError
from smsreceipt.language import N_, _
from smsreceipt.model import Kind
from smsreceipt.sources.queue.batch import BatchSize

_T = TypeVar("_T")

_SLACK = 10.0  # seconds for an answer beyond the wait of its long poll; the provider delays a throttled one by up to 5
_FRESH_TOKENS = 6  # replacements, for one request, of tokens that the provider calls expired
_TRIES = 24  # in a row, once the provider has answered; a budget's 120 s usually end sooner
_UNREADABLE_HINT = N_(
    "A gateway or proxy may answer in place of the service: check SMSRECEIPT_MNS_ENDPOINT and the network. Nothing is"
    " lost: messages that the answers held come again. Run the same command again later."
)
_UNREADABLE = 12  # answers without a message between them; an empty answer does not interrupt the count
GONE = frozenset({"MessageNotExist", "ReceiptHandleError"})  #: codes of a handle that is no longer valid


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue, and the message type for which its token is requested."""

    name: str
    kind: Kind
    optional: bool = field(default=False, compare=False)  #: it was not asked for by its name: it need not exist


class QueueClient:
    """Sends requests to one queue. Raises SmsReceiptError if a retry cannot help or the budget is spent."""

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
        """*on_lost* is called when the answer of a receive was lost: up to 16 messages may be invisible because of it.

        The attribute on_refused is called when the provider asks to send a request later, with the loop's time at which
        the request was sent.

        *tell* gets a line about each retry, and the verbosity (count of -v) from which on it is shown.
        """
        self.queue = queue
        self.on_lost = on_lost
        self.on_refused: Callable[[float], None] = lambda _sent_at: None
        self._pool = pool
        self._tokens = tokens
        self._clock = clock
        self._tell = tell
        self._learnt_at = -1.0
        self.batch_size = BatchSize()
        self._unreadable = 0  # since the last message
        self._budget = budget
        self._receiving = budget()
        self._deleting = budget()  # separate: stored messages can still be deleted when receiving fails

    async def receive(self, batch: int, wait: int, *, once: bool = False) -> list[Message]:
        """Receive up to *batch* messages; an empty list if none came within *wait* seconds.

        A lost answer cannot be asked for again: on_lost is called, and another receive is sent. With *once*, a failure
        that may pass is raised instead: another receiver of the queue retries.
        """
        loop = asyncio.get_running_loop()
        asked = 0

        def request() -> mns.Request:
            nonlocal asked
            asked = self.batch_size.at_most(batch, loop.time())
            return mns.receive(self.queue.name, asked, wait)

        messages = await self._ask(
            request,
            wait + _SLACK,
            None if once else self._receiving,
            _received,
            lambda fault: self._receive_lost(fault, asked, once=once),
        )
        if messages:
            self._unreadable = 0
        return messages

    def _receive_lost(self, fault: TransportError | None, asked: int, *, once: bool) -> None:
        """Messages may be hidden by an answer that did not come, or that could not be read.

        An unreadable answer makes the next receives smaller, so that the message that spoils it hides no neighbours.
        So does a second late answer in a row: a large one may need longer than its time limit. Raises *fault* when too
        many answers could not be read: the message that spoils them would come back for ever.
        """
        self.on_lost()
        if isinstance(fault, BadAnswer):
            self._unreadable += not once
            if self._unreadable >= _UNREADABLE:
                self._unreadable = 0
                raise self._final(fault)
        elif not isinstance(fault, TimedOut) or not self._receiving.failures:
            return
        self.batch_size.halve(asked, asyncio.get_running_loop().time())

    async def peek(self) -> list[Message]:
        """Return up to 16 messages from the front of the queue, which stay visible."""
        return await self._ask(partial(mns.peek, self.queue.name), _SLACK, self._receiving, _peeked)

    async def delete(self, handles: Sequence[bytes]) -> dict[bytes, str]:
        """Delete messages; return the handles that could not be deleted, each with the service's code.

        After a lost answer the delete is sent again; a handle that is gone then counts as deleted by the first one.
        """
        lost: list[TransportError | None] = []
        left = tuple(handles)
        failed: dict[bytes, str] = {}
        for last in (False, True):
            answer = await self._ask(
                partial(mns.delete, self.queue.name, left), _SLACK, self._deleting, _delete_answer, lost.append
            )
            if answer is None:
                return failed
            refused = _refused(answer, left)
            if lost:
                refused = {handle: code for handle, code in refused.items() if code not in GONE}
            final = {handle: code for handle, code in refused.items() if last or code in GONE}
            failed |= final
            left = tuple(handle for handle in refused if handle not in final)
            if not left:
                break
        return failed

    async def attributes(self) -> QueueAttributes | None:
        """The attributes of the queue; None if the token does not permit the call or the answer cannot be read."""
        await self._credentials()  # without these no request can succeed: this raises
        try:
            return await self._ask(partial(mns.attributes, self.queue.name), _SLACK, retry.Budget(3, 10), _attributes)
        except Unreached:
            raise
        except (ProviderError, AuthError):  # a general failure shows in the first receive
            return None

    async def _ask(
        self,
        request: Callable[[], mns.Request],
        timeout: float,  # noqa: ASYNC109 - handed on: the transport has the timer
        budget: retry.Budget | None,
        read: Callable[[Response], _T],
        on_lost: Callable[[TransportError | None], None] = lambda _: None,
    ) -> _T:
        """Return what *read* makes of an answer of status 200 or 204, or of a 404 that is about messages.

        *request* is made anew for each try. An answer counts as a success once *read* has understood it; where *read*
        raises BadAnswer, the answer counts as lost, and as a failure of *budget*. *on_lost* gets the fault; None when
        the request was cancelled. Failures to connect do not count against *budget*: they have limits of their own.
        Without a budget, no failure is waited out.
        """
        loop = asyncio.get_running_loop()
        once = {retry.Verdict.CLOCK}
        tokens = 0
        connecting: retry.Budget | None = None
        while True:
            credentials = await self._credentials()
            sent_at = loop.time()
            try:
                response = await self._pool.send(
                    signing.mns(request(), self._pool.endpoint.netloc, credentials, self._clock.http_date()), timeout
                )
                self._learn(response, loop.time())
                error = _error(response)
                if error is None:
                    found = read(response)
                    _proven(budget)
                    return found
            except Hopeless:
                raise
            except asyncio.CancelledError:
                on_lost(None)  # the provider may still answer the request
                raise
            except Unreached as fault:
                if budget is None:
                    raise
                connecting = connecting or self._connect_budget()
                await self._connect_later(connecting, fault)
                continue
            except TransportError as fault:
                if fault.sent:
                    on_lost(fault)
                await self._back_off(budget, fault, None)
                continue
            judged = retry.verdict(response.status, error.code, temporary=credentials.temporary)
            if judged is retry.Verdict.TOKEN and tokens < _allowed(error):
                tokens += 1
                self._tell(
                    _(
                        "{queue}: the token was refused ({code}); asking for a fresh one",
                        queue=self.queue.name,
                        code=error.code,
                    ),
                    1,
                )
                self._tokens.drop(self.queue.kind, self.queue.name, credentials)
            elif judged in once:
                once.discard(judged)
            elif judged is retry.Verdict.LATER:
                self.on_refused(sent_at)
                wait = retry.retry_after(response.headers.get("retry-after"))
                await self._back_off(budget, mns.refusal(error, self.queue.name), wait)
            else:
                raise mns.refusal(error, self.queue.name) from error

    async def _credentials(self) -> Credentials:
        kind, queue = self.queue.kind, self.queue.name
        held = self._tokens.held(kind, queue)
        return held if held is not None else await in_thread(lambda: self._tokens.get(kind, queue))

    async def _back_off(self, budget: retry.Budget | None, failure: SmsReceiptError, retry_after: float | None) -> None:
        if budget is None:
            raise failure
        now = asyncio.get_running_loop().time()
        if now < budget.retry_at:  # requests that ran at once failed together: one failure, counted and reported once
            await asyncio.sleep(retry.delay(budget.failures, retry_after, random.random))
            return
        wait = budget.failed(now, retry_after, random.random)
        if wait is None:
            raise self._final(failure)
        for line, verbosity in budget.lines(failure, wait):
            self._tell(f"{self.queue.name}: {line}", verbosity)
        await asyncio.sleep(wait)

    def _connect_budget(self) -> retry.Budget:
        """The limits for connecting; more is tried once the provider has answered."""
        budget = self._budget()
        if self._learnt_at >= 0:
            budget.tries = _TRIES
        return budget

    async def _connect_later(self, budget: retry.Budget, failure: Unreached) -> None:
        now = asyncio.get_running_loop().time()
        wait = budget.unreached(now)
        if wait is None:
            raise failure
        self._pool.reporter.failed(failure, budget.left(now))
        await asyncio.sleep(wait)

    def _final(self, failure: SmsReceiptError) -> SmsReceiptError:
        """The exception that ends the retries after *failure*."""
        if not isinstance(failure, BadAnswer):
            return failure
        return ProviderError(
            _("queue {queue}: the answers cannot be read: {reason}", queue=self.queue.name, reason=failure),
            hint=_UNREADABLE_HINT,
        )

    def _learn(self, response: Response, now: float) -> None:
        if response.status < 300 and now - self._learnt_at < 1.0:
            return  # Date has whole seconds
        self._learnt_at = now
        self._clock.learn(response.headers.get("date"), response.sent_at, response.received_at)


def _proven(budget: retry.Budget | None) -> None:
    """After an answer, further failures are taken for temporary: more tries are allowed, within the budget's time."""
    if budget is not None:
        budget.succeeded()
        budget.tries = _TRIES


def _error(response: Response) -> MnsError | None:
    """The refusal in an answer; None where the answer is what was asked for, or a 404 that is about messages."""
    if response.status in {200, 204}:
        return None
    error = mns.error(response.status, response.body)
    about_messages = error.code == "MessageNotExist" or b"<Errors" in response.body
    return None if response.status == 404 and about_messages else error


def _received(response: Response) -> list[Message]:
    return [message for message in _peeked(response) if message.handle]


def _peeked(response: Response) -> list[Message]:
    return [] if response.status == 404 else mns.messages(response.body)


def _delete_answer(response: Response) -> bytes | None:
    """None when all handles were deleted, else the body that lists the others.

    The service answers a delete with 204. A 200 is the page of a gateway, which has deleted nothing.
    """
    if response.status == 200:
        raise BadAnswer(_("a delete was answered with status 200, which the queue service does not do"))
    return None if response.status == 204 else response.body


def _attributes(response: Response) -> QueueAttributes:
    return mns.queue_attributes(response.body)


def _allowed(error: MnsError) -> int:
    """How many fresh tokens to try after *error*: one, unless its code says that the token is at fault."""
    return _FRESH_TOKENS if retry.token_lapsed(error.code) else 1


def _refused(body: bytes, handles: Sequence[bytes]) -> dict[bytes, str]:
    """The *handles* that a 404 lists, with their codes; a 404 without a list is about all of them."""
    if b"<Errors" not in body:
        return dict.fromkeys(handles, "MessageNotExist")
    try:
        failed = mns.failed_handles(body)
    except BadAnswer:
        return dict.fromkeys(handles, "")
    return {handle: failed[handle] for handle in handles if handle in failed}
