"""Hands on to standard output: JSON lines, confirmed once they are flushed."""

from __future__ import annotations

from collections.abc import Callable

from smsreceipt.forward.batch import Batch
from smsreceipt.forward.bodies import Bodies
from smsreceipt.language import N_


class Lines:
    """Standard output."""

    name = N_("standard output")

    def __init__(
        self, bodies: Bodies, *, write: Callable[[bytes], None], flush: Callable[[], None], one_kind: bool
    ) -> None:
        """*write* and *flush* raise ReaderGone or OutputError, which end the run before the cursor moves."""
        self.one_kind = one_kind
        self._bodies, self._write, self._flush = bodies, write, flush

    def hand_on(self, batch: Batch) -> None:
        """Print the batch, and flush it."""
        self._write(self._bodies(batch.receipts))
        self._flush()

    def close(self) -> None:
        """Nothing is kept open."""
