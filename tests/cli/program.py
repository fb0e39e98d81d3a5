"""The program in-process, with a clock that stands still and streams that can be read."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from smsreceipt.app import App
from smsreceipt.cli import tool
from smsreceipt.cli.main import run
from smsreceipt.decode import decode, reread
from smsreceipt.model import BEIJING, Delivery, Instant, Kind, Source
from smsreceipt.store import Store, opening

NOW = Instant(int(datetime(2026, 11, 21, 12, 0, tzinfo=BEIJING).timestamp()) * 1000)


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()

    @property
    def objects(self) -> list[dict[str, Any]]:
        """What was printed, as JSON lines."""
        return [json.loads(line) for line in self.raw.splitlines()]


class Program:
    """Runs command lines against a store of its own."""

    def __init__(self, home: Path) -> None:
        self.store = home / "receipts.db"
        self.location = str(self.store)  #: where the store is: this file, or a URL
        self.home = home
        self.stdin = b""
        self.app = App({}, home, None, None, None)

    def __call__(self, *args: str, terminal: bool = False, columns: int = 80, **seams: Any) -> Ended:
        out, err = io.BytesIO(), io.StringIO()
        seams = {"stdout": out, "stderr": err, "environ": {}, "now": lambda: NOW, **seams}
        self.app = App(home=self.home, stdin=io.BytesIO(self.stdin), stdout_is_tty=terminal, columns=columns, **seams)
        words = list(args) if "--store" in args or not self.location else ["--store", self.location, *args]
        code = run(tool, words, self.app)
        return Ended(code, out.getvalue(), err.getvalue())

    def opened(self) -> Store:
        """The store, to be closed."""
        return opening.open_store(self.location, readonly=False, reread=reread)

    def keep(
        self,
        kind: str | None,
        *bodies: Mapping[str, object] | bytes,
        source: Source = Source.MNS,
        origin: str = "",
        received_at: Instant = NOW,
    ) -> None:
        """Put what these bodies hold into the store, as if they had come."""
        frames = tuple(
            body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
            for body in bodies
        )
        named = origin or f"Alicom-Queue-1000000001-{kind}"
        delivery = Delivery(frames, Kind(kind) if kind else None, source, named, received_at)
        store = self.opened()
        try:
            store.keep([decode(delivery)])
        finally:
            store.close()


def report(phone: str = "13800008000", biz_id: str = "900619746936498440^0", **fields: Any) -> dict[str, object]:
    """An SmsReport as the queue brings it."""
    return {
        "phone_number": phone,
        "send_time": "2026-11-20 15:49:55",
        "report_time": "2026-11-20 15:49:58",
        "success": True,
        "err_code": "DELIVERED",
        "err_msg": "用户接收成功",
        "sms_size": "1",
        "biz_id": biz_id,
        "out_id": "order-67890",
        **fields,
    }


FAILED: dict[str, Any] = {"success": False, "err_code": "MOBILE_IN_BLACK", "err_msg": "号码在黑名单"}
REPLY = {
    "phone_number": "13800008000",
    "content": "您好，收到了",
    "dest_code": "1234",
    "send_time": "2026-11-20 16:01:00",
    "sequence_id": 568585703,
    "sign_name": "【阿里云】",
}
CALL = {
    "pool_key": "FC100000012345678",
    "sub_id": 1000000000000001,
    "call_id": "call-1",
    "phone_no": "13900001111",
    "secret_no": "17000000001",
    "peer_no": "13700002222",
    "call_type": 0,
    "call_time": "2026-11-20 10:00:00",
}
CALL_ENDED = {
    **CALL,
    "call_out_time": "2026-11-20 10:00:01",
    "ring_time": "2026-11-20 10:00:04",
    "start_time": "2026-11-20 10:00:12",
    "release_time": "2026-11-20 10:03:17",
    "release_dir": 1,
    "release_cause": 16,
    "record_url": "https://example.com/record.mp3",
}
