"""Which queues that do not exist need no message."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smsreceipt.sources.queue.client import Queue  # takes long to load


def passed_over(queues: Iterable[Queue], absent: Collection[str]) -> set[str]:
    """The names among *absent* of optional queues; without the first of them where no optional queue exists.

    That one is told as any other queue that does not exist: most likely the account is a wrong one.
    """
    optional = [queue.name for queue in queues if queue.optional]
    missing = [name for name in optional if name in absent]
    return set(missing[len(missing) == len(optional) :])
