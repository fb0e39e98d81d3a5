"""Shows the next messages of queues without receiving, storing or deleting them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from smsreceipt.app import App
from smsreceipt.decode import decode
from smsreceipt.errors import QueueNotFound, SmsReceiptError
from smsreceipt.language import _
from smsreceipt.model import StoredReceipt
from smsreceipt.output.objects.receipts import RECEIPTS, RECEIPTS_OF_KINDS
from smsreceipt.output.printer import Printer
from smsreceipt.runs.pull import Provider
from smsreceipt.runs.receiving import report_failures
from smsreceipt.sources.queue.absent import passed_over
from smsreceipt.sources.queue.client import Queue
from smsreceipt.sources.queue.state import delivery as delivery_of


def run(app: App, queues: Sequence[Queue], most: int | None) -> None:
    """Print the receipts in the next messages of each queue, with seq null; *most*: messages in all."""
    provider = Provider(app)
    printer = Printer(app, RECEIPTS_OF_KINDS if len({queue.kind for queue in queues}) > 1 else RECEIPTS)
    failures: dict[str, SmsReceiptError] = {}

    async def show() -> None:
        left, rejected = most, 0
        for client in provider.lines(queues, app.say):
            try:
                messages = (await client.peek())[:left]
            except SmsReceiptError as exc:
                failures[client.queue.name] = exc
                continue
            left = None if left is None else left - len(messages)
            delivery = delivery_of(client.queue, messages, provider.clock.now())
            decoded = decode(delivery)
            rejected += len(decoded.rejects)
            printer.print(StoredReceipt.of(receipt, delivery, seq=None) for receipt in decoded.receipts)
        if rejected:
            app.say(_("{n} of the messages could not be decoded: pull keeps them as rejects", n=rejected))
        provider.close()

    asyncio.run(show())
    over = passed_over(queues, {name for name, exc in failures.items() if isinstance(exc, QueueNotFound)})
    report_failures(app, [exc for name, exc in failures.items() if name not in over])
