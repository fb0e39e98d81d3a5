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


def bodies(count: int) -> list[bytes]:
    return [(TEMPLATE % (number, number % 60, number % 60, number, number)).encode() for number in range(count)]


def deliveries(frames: list[bytes], source: Source, batch: int) -> list[Delivery]:
    cuts = range(0, len(frames), batch)
    return [Delivery(tuple(frames[at : at + batch]), Kind("SmsReport"), source, "bench", Instant(0)) for at in cuts]


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
    roads = {
        "queue_base64": deliveries([b64encode(body) for body in plain], Source.MNS, BATCH),
        "queue_plain": deliveries(plain, Source.MNS, BATCH),
        "push_arrays_of_100": deliveries(
            [b"[" + b",".join(plain[at : at + 100]) + b"]" for at in range(0, receipts, 100)], Source.PUSH, 1
        ),
    }
    peer = microseconds(lambda: len([json.loads(body) for body in plain]), receipts)
    sys.stdout.write(f"json.loads alone     {peer:6.2f} µs\n")
    for name, road in roads.items():
        own = microseconds(lambda road=road: sum(len(decode(given).receipts) for given in road), receipts)  # type: ignore[misc]
        sys.stdout.write(f"{name:20} {own:6.2f} µs  {1e6 / own:8,.0f}/s  {own / peer:5.2f} x json.loads\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
