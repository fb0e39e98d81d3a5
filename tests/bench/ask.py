"""What one call of QuerySendDetails costs in CPU time: `python -m tests.bench.ask [CALLS]`.

The peer is the official client, one call after another. The provider's side is in a process of its own, so that
only the client's time counts; nothing is stored.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import date
from urllib.parse import urlsplit

from aliyunsdkcore.client import AcsClient
from aliyunsdkdysmsapi.request.v20170525.QuerySendDetailsRequest import QuerySendDetailsRequest

from smsreceipt.aliyun.clock import Clock
from smsreceipt.aliyun.credentials import Credentials, Fixed
from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.rpc import Caller
from smsreceipt.sources.query.client import QueryClient, Question, Rate

THREADS = 16


def microseconds(work: Callable[[], int]) -> float:
    """CPU time of one call, of all threads together."""
    began = time.process_time()
    calls = work()
    return (time.process_time() - began) / calls * 1e6


def ours(url: str, calls: int, threads: int) -> int:
    caller = Caller(Endpoint.parse(url), Fixed(Credentials("sandbox", "sandbox-secret")), Clock(), connections=threads)
    client = QueryClient(caller, rate=Rate(5000))
    numbers = iter([*range(calls // 2)])  # nothing is found, which is asked twice
    made: list[int] = []

    def run() -> None:
        made.extend(client.ask(Question(f"138{number:08}", date.today())).calls for number in numbers)

    if threads == 1:
        run()
    else:
        running = [threading.Thread(target=run) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
    caller.close()
    return sum(made)


def official(url: str, calls: int) -> int:
    client = AcsClient("sandbox", "sandbox-secret", "cn-hangzhou")
    with closing(client.session):
        for number in range(calls):
            request = QuerySendDetailsRequest()
            request.set_endpoint(urlsplit(url).netloc)
            request.set_protocol_type("http")
            request.set_PhoneNumber(f"138{number:08}")
            request.set_SendDate(f"{date.today():%Y%m%d}")
            request.set_PageSize(50)
            request.set_CurrentPage(1)
            client.do_action_with_exception(request)
    return calls


def main(calls: int) -> None:
    provider = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.provider", "--messages", "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert provider.stdin is not None
    assert provider.stdout is not None
    url = provider.stdout.readline().strip()
    ours(url, 100, 1)  # imports and connections
    official(url, 50)
    peer = microseconds(lambda: official(url, calls))
    sys.stdout.write(f"official client, 1 thread   {peer:6,.0f} µs\n")
    for threads in (1, THREADS):
        own = microseconds(lambda threads=threads: ours(url, calls, threads))  # type: ignore[misc]
        sys.stdout.write(
            f"smsreceipt, {threads:2} threads      {own:6,.0f} µs  {own / peer:5.2f} x the official client\n"
        )
    provider.stdin.close()
    provider.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
