"""How long one receipt takes from its frame to its values: `python -m tests.bench.decode [RECEIPTS]`.

The peer is json.loads of the same bodies, which neither undoes base64 nor checks, converts or hashes anything. Each
figure is the best of several rounds; the ratio is what to compare between machines.
"""

import json
import sys
import time
from base64 import b64encode
from collections.abc import Callable

from smsreceipt.decode import decode
from smsreceipt.model import Delivery, Instant, Kind, Source

ROUNDS = 15
BATCH = 16  #: as many as the queue hands out at once
TEMPLATE = (
    '{"phone_number":"138%08d","send_time":"2026-11-20 15:%02d:55","report_time":"2026-11-20 15:%02d:58",'
    '"success":true,"err_code":"DELIVERED","err_msg":"用户接收成功","sms_size":"1",'
    '"biz_id":"90061974693%07d^0","out_id":"%d"}'
)

#: A call through a privacy number: of a kind that the fast reader of delivery reports leaves to the general one.
CALL = (
    '{"phone_no":"138%08d","pool_key":"FC1","call_id":"cid%07d","secret_no":"17012345678","peer_no":"13900001111",'
    '"call_time":"2026-11-20 15:%02d:00","start_time":"2026-11-20 15:%02d:05","release_time":"2026-11-20 15:59:59",'
    '"release_cause":16,"call_type":0,"out_id":"%d"}'
)


def bodies(count: int) -> list[bytes]:
    return [(TEMPLATE % (number, number % 60, number % 60, number, number)).encode() for number in range(count)]


def deliveries(frames: list[bytes], source: Source, batch: int, kind: str = "SmsReport") -> list[Delivery]:
    cuts = range(0, len(frames), batch)
    return [Delivery(tuple(frames[at : at + batch]), Kind(kind), source, "bench", Instant(0)) for at in cuts]


def microseconds(work: Callable[[], int], receipts: int) -> float:
    """CPU time of one receipt."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        done = work()
        best = min(best, time.process_time() - begun)
        assert done == receipts
    return best / receipts * 1e6


def main(receipts: int) -> None:
    plain = bodies(receipts)
    calls = [(CALL % (number, number, number % 60, number % 60, number)).encode() for number in range(receipts)]
    work = {
        "queue_base64": deliveries([b64encode(body) for body in plain], Source.MNS, BATCH),
        "queue_plain": deliveries(plain, Source.MNS, BATCH),
        "push_arrays_of_100": deliveries(
            [b"[" + b",".join(plain[at : at + 100]) + b"]" for at in range(0, receipts, 100)], Source.PUSH, 1
        ),
        "queue_calls": deliveries(calls, Source.MNS, BATCH, "SecretReport"),
    }
    peer = microseconds(lambda: len([json.loads(body) for body in plain]), receipts)
    sys.stdout.write(f"json.loads alone     {peer:6.2f} µs\n")
    for name, given in work.items():
        own = microseconds(lambda given=given: sum(len(decode(each).receipts) for each in given), receipts)  # type: ignore[misc]
        sys.stdout.write(f"{name:20} {own:6.2f} µs  {1e6 / own:8,.0f}/s  {own / peer:5.2f} x json.loads\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
