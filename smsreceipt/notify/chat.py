"""The robots of chat groups: DingTalk, WeCom and Feishu. Each has its own form of message, signature and refusals.

By the vendors' pages:
https://open.dingtalk.com/document/robots/custom-robot-access
https://developer.work.weixin.qq.com/document/path/91770
https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

import msgspec

from smsreceipt.language import N_, _
from smsreceipt.notify.faults import NotTold
from smsreceipt.notify.message import Message
from smsreceipt.notify.post import Way

if TYPE_CHECKING:
    from smsreceipt.aliyun.posting import Answer

JSON = {"Content-Type": "application/json;charset=utf-8"}

_SECURITY = N_("signature, keyword or IP address does not pass the robot's security settings, or this clock is wrong")
_TOO_FAST = N_("too many messages: the robot is blocked for a while")
_NO_ROBOT = N_("there is no robot with this address")
_OFF = N_("the robot is switched off")
_MALFORMED = N_("the message is too long or malformed")

#: Codes --> what they mean. Those of _PAUSES ask for silence.
DINGTALK_CODES = {
    130101: _TOO_FAST,
    300001: _NO_ROBOT,
    300005: _NO_ROBOT,
    310000: _SECURITY,
    400013: N_("the group of the robot is closed"),
    400101: _NO_ROBOT,
    400102: _OFF,
    400106: _NO_ROBOT,
    410100: _TOO_FAST,
}
WECOM_CODES = {
    40058: _MALFORMED,
    45009: _TOO_FAST,
    45033: _TOO_FAST,
    93000: _NO_ROBOT,
    93004: _OFF,
    93008: N_("the robot is not in its group any more"),
}
FEISHU_CODES = {
    9499: _MALFORMED,
    11232: _TOO_FAST,
    19001: _NO_ROBOT,
    19021: N_("the signature does not match, or this clock is more than an hour wrong"),
    19022: N_("this IP address is not in the robot's security settings"),
    19024: N_("the message has none of the robot's keywords"),
}
#: Seconds of silence that a refusal of _TOO_FAST asks for.
_PAUSES = {130101: 600.0, 410100: 600.0, 45009: 60.0, 45033: 60.0, 11232: 60.0}


def sign_dingtalk(secret: str, milliseconds: int) -> str:
    """The signature of a DingTalk message, in the form of a query's value."""
    signed = hmac.new(secret.encode(), f"{milliseconds}\n{secret}".encode(), hashlib.sha256).digest()
    return quote_plus(base64.b64encode(signed))


def sign_feishu(secret: str, seconds: int) -> str:
    """The signature of a Feishu message: time and secret are the key, and nothing is what is signed."""
    return base64.b64encode(hmac.new(f"{seconds}\n{secret}".encode(), b"", hashlib.sha256).digest()).decode()


@dataclass(frozen=True)
class DingTalk:
    """A custom robot of DingTalk. With a secret, the query is signed."""

    way: Way
    secret: str = field(repr=False)
    now: Callable[[], float]

    def send(self, message: Message) -> None:
        """Send once. Raises NotTold unless the robot confirms."""
        text = f"#### {message.title}\n\n{message.lines(16_000, code='`')}".replace("\n", "  \n")
        body = {
            "msgtype": "markdown",
            "markdown": {"title": message.title, "text": text},
            "at": {"atMobiles": [], "isAtAll": False},
        }
        at = round(self.now() * 1000)
        query = f"timestamp={at}&sign={sign_dingtalk(self.secret, at)}" if self.secret else ""
        _confirm(self.way, self.way.post(msgspec.json.encode(body), JSON, query), "errcode", DINGTALK_CODES)


@dataclass(frozen=True)
class WeCom:
    """A robot of a WeCom group. Its address is its secret. A message has at most 4,096 bytes."""

    way: Way

    def send(self, message: Message) -> None:
        """Send once. Raises NotTold unless the robot confirms."""
        color = "warning" if message.bad else "info"
        head = f'<font color="{color}">{message.title}</font>\n'
        text = head + message.lines(4_000 - len(head.encode()), bullet="> ", code="`")
        body = {"msgtype": "markdown", "markdown": {"content": text}}
        _confirm(self.way, self.way.post(msgspec.json.encode(body), JSON), "errcode", WECOM_CODES)


@dataclass(frozen=True)
class Feishu:
    """A custom robot of Feishu (Lark). With a secret, the body is signed. A body has at most 20 KB."""

    way: Way
    secret: str = field(repr=False)
    now: Callable[[], float]

    def send(self, message: Message) -> None:
        """Send once. Raises NotTold unless the robot confirms."""
        card = {
            "config": {"wide_screen_mode": True},
            "header": {
                "title": {"tag": "plain_text", "content": message.title},
                "template": "red" if message.bad else "green",
            },
            "elements": [{"tag": "markdown", "content": message.lines(12_000)}],
        }
        body: dict[str, object] = {"msg_type": "interactive", "card": card}
        if self.secret:
            at = round(self.now())
            body |= {"timestamp": str(at), "sign": sign_feishu(self.secret, at)}
        _confirm(self.way, self.way.post(msgspec.json.encode(body), JSON), "code", FEISHU_CODES)


def _confirm(way: Way, answer: Answer, key: str, meanings: Mapping[int, str]) -> None:
    """Raise NotTold unless the answer is 200 and its code is 0."""
    code = _code(answer.body, key)
    if answer.status == 200 and code == 0:
        return
    host = way.endpoint.netloc
    if code:
        said = _("{host} answered {code}", host=host, code=f"{key} {code}")
        if code in meanings:
            said = _("{what}: {reason}", what=said, reason=_(meanings[code]))
        raise NotTold(said, pause=_PAUSES.get(code, 0.0))
    raise_status(host, answer.status)
    raise NotTold(_("{host} did not answer as a robot does", host=host), again=True)


def raise_status(host: str, status: int) -> None:
    """Raise NotTold unless the status is 2xx."""
    if status == 429:
        raise NotTold(_("{host} answered 429: too many messages", host=host), pause=60.0)
    if 300 <= status < 400:
        raise NotTold(_("{host} answered {status}: redirects are not followed", host=host, status=status))
    if not 200 <= status < 300:
        raise NotTold(_("{host} answered {code}", host=host, code=status), again=status >= 500)


def _code(body: bytes, key: str) -> int | None:
    """The code in an answer; None where there is none."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, object])
    except (ValueError, RecursionError):
        return None
    found = fields.get(key, fields.get("StatusCode"))  # of Feishu's older answers
    return found if isinstance(found, int) and not isinstance(found, bool) else None
