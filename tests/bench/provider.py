"""The sandbox in a process of its own, filled with SmsReports: the server that every client is measured against."""

from __future__ import annotations

import argparse
import base64
import json
import random
import sys
from collections.abc import Iterator

from smsreceipt.sandbox import Options, Sandbox

QUEUE = "Alicom-Queue-1000000001-SmsReport"


def bodies(count: int) -> Iterator[bytes]:
    """SmsReports as the service sends them: biz_id grows with time, numbers are anybody's, three share a send."""
    chance = random.Random(7)
    for n in range(count):
        second = n // 500
        sent = f"2026-11-20 {8 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        body = {
            "phone_number": f"138{chance.randrange(10**8):08}",
            "success": chance.random() < 0.97,
            "biz_id": f"{900619746936498440 + n // 3 * 7919}^0",
            "out_id": str(67890 + n),
            "send_time": sent,
            "report_time": sent,
            "err_code": "DELIVERED",
            "err_msg": "用户接收成功",
            "sms_size": "1",
        }
        if not body["success"]:
            body |= {"err_code": "MOBILE_NOT_ON_SERVICE", "err_msg": "停机、空号、暂停服务"}
        yield base64.b64encode(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--latency", type=float, default=0)
    asked = parser.parse_args()
    sandbox = Sandbox(Options(port=0, latency=asked.latency, visibility=600))
    sandbox.put(QUEUE, *bodies(asked.messages))
    sandbox.start()
    print(sandbox.url, flush=True)
    sys.stdin.read()
    sandbox.stop()


if __name__ == "__main__":
    main()
