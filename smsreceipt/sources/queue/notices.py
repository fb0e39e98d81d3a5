"""What a pull says about a queue, in the chosen language."""

from __future__ import annotations

from collections.abc import Sequence

from smsreceipt.errors import ProviderError, SmsReceiptError
from smsreceipt.language import _, n_


def unclean_end(queues: Sequence[str], seconds: float) -> str:
    """The last run was killed; its messages in these queues may be invisible for so long yet."""
    if len(queues) > 1:
        return n_(
            "the last run on {queue} and {n} more queue ended unclean: what it had received may be invisible for up"
            " to {seconds:.0f} s more; waiting for it (--no-settle skips this)",
            "the last run on {queue} and {n} more queues ended unclean: what it had received may be invisible for up"
            " to {seconds:.0f} s more; waiting for it (--no-settle skips this)",
            len(queues) - 1,
            queue=queues[0],
            seconds=seconds,
        )
    return _(
        "the last run on {queue} ended unclean: what it had received may be invisible for up to {seconds:.0f} s more;"
        " waiting for it (--no-settle skips this)",
        queue=queues[0],
        seconds=seconds,
    )


def looking_again(failure: SmsReceiptError, seconds: float) -> str:
    """One queue of several failed, and is tried again."""
    return _("{failure}; looking again in {seconds:.0f} s", failure=failure, seconds=seconds)


def old_messages(queue: str, days: float, limit: float) -> str:
    """The oldest message waits for *days*; the queue drops messages after *limit* days."""
    return _(
        "{queue} holds messages {days:.1f} days old; after {limit:.1f} days it drops them: pull more often",
        queue=queue,
        days=days,
        limit=limit,
    )


def redelivery(queue: str, seconds: float) -> str:
    """The queue delivers what was deleted; receiving pauses."""
    return _(
        "{queue} delivers messages again and again that were stored and deleted; receiving nothing for {seconds:.0f} s",
        queue=queue,
        seconds=seconds,
    )


def no_progress(queue: str, times: int) -> ProviderError:
    """The error that ends a run to which the queue delivered the same messages for several windows."""
    return ProviderError(
        _(
            "queue {queue} makes no progress: {times} times in a row it delivered a message again that this run had"
            " stored several times",
            queue=queue,
            times=times,
        ),
        hint=_(
            "Nothing is lost, and each receipt is stored once. Look for deletes that are refused (-v) or that a proxy"
            " answers; else open a ticket with the provider. Run the same command again later."
        ),
    )
