"""aliyun-mns-sdk draining a queue with N threads, an Account each, in batches of 16. It stores nothing."""

from __future__ import annotations

import sys
import threading

from mns.account import Account
from mns.mns_exception import MNSServerException


def drain(url: str, queue: str) -> None:
    """Receive and delete until the queue is empty."""
    account = Account(url, "sandbox", "sandbox-secret")
    mine = account.get_queue(queue)
    while True:
        try:
            found = mine.batch_receive_message(16, 1)
        except MNSServerException as exc:
            if exc.type == "MessageNotExist":
                account.mns_client.close_connection()
                return
            raise
        mine.batch_delete_message([message.receipt_handle for message in found])


def main() -> None:
    """URL, queue, threads."""
    url, queue, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    workers = [threading.Thread(target=drain, args=(url, queue)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
