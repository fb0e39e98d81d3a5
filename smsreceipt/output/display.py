"""How output is laid out for one user: terminal width, colours, language, masking."""

from __future__ import annotations

from dataclasses import dataclass

from smsreceipt.model import Instant, Outcome

_EPOCH = Instant(0)

#: What a code is about --> in Chinese.
CATEGORIES_ZH = {
    "back-off": "放慢",
    "barred": "呼叫受限",
    "blacklisted": "黑名单",
    "blocked": "拦截",
    "busy": "忙线",
    "carrier": "运营商",
    "congestion": "网络拥塞",
    "content": "内容",
    "delivered": "已送达",
    "ended": "正常结束",
    "fix-config": "检查配置",
    "fix-request": "检查请求",
    "frequency": "频次限制",
    "network": "网络",
    "no-answer": "无人接听",
    "none": "无",
    "number": "号码",
    "refresh-token": "更换令牌",
    "rejected": "拒接",
    "retry": "重试",
    "set-clock": "校准时钟",
    "sms": "短信",
    "stop": "停止发送",
    "unbound": "未绑定",
    "unknown": "未知",
    "unreachable": "无法接通",
    "user-unreachable": "用户不可达",
}

OUTCOMES_ZH = {
    Outcome.DELIVERED: "已送达",
    Outcome.FAILED: "失败",
    Outcome.EXPIRED: "已过期",
    Outcome.PENDING: "等待回执",
    Outcome.UNKNOWN: "未知",
    Outcome.CONNECTED: "已接通",
    Outcome.UNCONNECTED: "未接通",
    Outcome.APPROVING: "审核中",
    Outcome.APPROVED: "审核通过",
    Outcome.REJECTED: "审核未通过",
}


@dataclass(frozen=True, slots=True)
class Display:
    """The display options that tables and screens are drawn with."""

    width: int = 80  #: columns of the terminal
    color: bool = False
    chinese: bool = False
    mask: bool = True  #: whether phone numbers and texts are masked
    unicode: bool = True  #: False: the terminal's encoding may lack box-drawing characters
    now: Instant = _EPOCH  #: the time from which ages are counted

    def localized(self, english: str, chinese: str) -> str:
        """The one of the two texts that is in the user's language."""
        return chinese if self.chinese else english

    def outcome(self, outcome: Outcome | None) -> str:
        """The outcome in the user's language; "" for a statement without one."""
        return "" if outcome is None else self.localized(outcome.value, OUTCOMES_ZH[outcome])

    @property
    def dot(self) -> str:
        """The separator between two items on one line."""
        return " · " if self.unicode else " - "
