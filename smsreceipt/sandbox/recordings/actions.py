"""QueryRecordFileDownloadUrl, and which calls have a recording."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime

from smsreceipt.model import BEIJING
from smsreceipt.sandbox.clock import Clock
from smsreceipt.sandbox.recordings.objects import ObjectStore
from smsreceipt.sandbox.wire.rpc import Action, BusinessError, Parameters

KEPT = 30 * 86_400  #: seconds after a call for which its recording is kept
LINK_LIFE = 7_200  #: seconds for which a link of the action is good
_FORM = "%Y-%m-%d %H:%M:%S"


class Recordings:
    """The recordings of calls. *url* is asked for the address of the sandbox when a link is made."""

    def __init__(self, clock: Clock, objects: ObjectStore, url: Callable[[], str]) -> None:
        self._clock, self._objects, self._url = clock, objects, url
        self._calls: dict[tuple[str, str], float] = {}  # pool and call --> when it was, in seconds since 1970
        self.actions: Mapping[str, Action] = {"QueryRecordFileDownloadUrl": Action(("CallId", "CallTime"), self.query)}

    def add(
        self, pool_key: str, call_id: str, called_at: float, content: bytes | None = None, *, in_parts: bool = False
    ) -> None:
        """Record a call. Without *content* it is made up, the same for the same call."""
        self._calls[pool_key, call_id] = called_at
        made = _made_up(pool_key, call_id) if content is None else content
        self._objects.put(_name(pool_key, call_id), made, in_parts=in_parts)

    def notice(self, receipt: object) -> None:
        """Record the call that a SecretRecording is about, unless it is recorded already."""
        if not isinstance(receipt, dict):
            return
        pool_key, call_id = str(receipt.get("pool_key") or ""), str(receipt.get("call_id") or "")
        at = _seconds(receipt.get("call_time"))
        if call_id and at is not None and (pool_key, call_id) not in self._calls:
            self.add(pool_key, call_id, at)

    def link(self, pool_key: str, call_id: str, seconds: float) -> str:
        """A link to the recording of a call, such as reports have."""
        return self._url() + self._objects.link(_name(pool_key, call_id), seconds)

    def query(self, parameters: Parameters) -> Mapping[str, object]:
        """A link that is good for two hours. The call is named by its id, its pool and the second in which it began."""
        pool_key, call_id = parameters.get("PoolKey", ""), parameters["CallId"]
        if not (pool_key or parameters.get("ProductType")):
            raise BusinessError("isv.ILLEGAL_ARGUMENT", "PoolKey和ProductType不能同时为空")
        try:
            asked = datetime.strptime(parameters["CallTime"], _FORM).replace(tzinfo=BEIJING).timestamp()
        except ValueError:
            raise BusinessError("isv.ILLEGAL_ARGUMENT", "CallTime格式不正确") from None
        pools = [pool_key] if pool_key else [pool for pool, call in self._calls if call == call_id]
        at = next((self._calls[pool, call_id] for pool in pools if (pool, call_id) in self._calls), None)
        # Which code the provider has for a call without a recording is not documented.
        if at is None or int(at) != int(asked) or self._clock.now() - at > KEPT:
            raise BusinessError("isv.ILLEGAL_ARGUMENT", "录音文件不存在")
        return {"DownloadUrl": self.link(pools[0], call_id, LINK_LIFE)}


def _name(pool_key: str, call_id: str) -> str:
    return f"{pool_key}_{call_id}.mp3".replace("/", "_")


def _made_up(pool_key: str, call_id: str) -> bytes:
    source = random.Random(f"{pool_key} {call_id}")  # noqa: S311 - the same for the same call
    return b"ID3\x03\x00\x00\x00\x00\x00\x00" + source.randbytes(source.randrange(8_000, 64_000))


def _seconds(value: object) -> float | None:
    """A time of a receipt: epoch in milliseconds or seconds, a number or a text; or Beijing time."""
    text = str(value)
    if text.isascii() and text.isdigit():
        return int(text) / 1000 if len(text) > 11 else float(text)
    try:
        return datetime.strptime(text, _FORM).replace(tzinfo=BEIJING).timestamp()
    except ValueError:
        return None
