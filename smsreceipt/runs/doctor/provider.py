"""Checks of the provider: the way to its services, the clock, the key, its rights, and each queue.

One cause is told once: what depends on a service that is not reached, or on a key that is refused, is skipped.
"""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import Any

from smsreceipt.aliyun import credentials
from smsreceipt.aliyun.blocking import BlockingPool
from smsreceipt.aliyun.clock import REFUSE_AFTER, WARN_AFTER, Clock
from smsreceipt.aliyun.endpoints import DEFAULTS, Endpoint
from smsreceipt.aliyun.faults import Hopeless, TransportError, Unreached
from smsreceipt.aliyun.http import Pool
from smsreceipt.aliyun.mns import Message
from smsreceipt.aliyun.retry import Budget, throttled
from smsreceipt.aliyun.rpc import ApiError, Caller
from smsreceipt.aliyun.tokens import Tokens
from smsreceipt.app import App
from smsreceipt.decode import decode
from smsreceipt.errors import AuthError, QueueNotFound, SmsReceiptError, UsageError
from smsreceipt.language import _
from smsreceipt.model import Instant, beijing_day, date_of
from smsreceipt.output.formatting import ago
from smsreceipt.output.objects.doctor import Words
from smsreceipt.output.objects.status import MOST_SEEN
from smsreceipt.runs.access import proxies
from smsreceipt.runs.doctor.finding import Once, Result, fail, failed, no_permission, ok, own_hint, skipped, warn
from smsreceipt.runs.kinds import unknown_kind_warning
from smsreceipt.sources.queue.client import Queue, QueueClient
from smsreceipt.sources.queue.state import delivery as delivery_of

SERVICES = ("mns", "dybaseapi", "dysmsapi")  #: that every user calls
OF_CALLS = "dyplsapi"  #: that only users of privacy numbers call
NOBODY = "10000000000"  #: eleven digits that no mobile number begins like
_TOO_MANY = (
    "too many calls a second at the moment, perhaps by another program; run it again",
    "当前每秒调用次数过多，可能来自其他程序；请再次运行",
)
_RIGHT_FIX = "Give the RAM user the right dysms:{action}, or the policy AliyunDysmsFullAccess"
_RIGHT_FIX_ZH = "给 RAM 用户授予 dysms:{action} 权限，或系统策略 AliyunDysmsFullAccess"


class ProviderChecks:
    """The checks, for one run of the command. Nothing is received, deleted or written."""

    def __init__(self, app: App, *, offline: bool, patience: float) -> None:
        """*patience*: seconds after which a check gives up on what another check waits for."""
        self._app, self._offline = app, offline
        self._until = time.monotonic() + patience
        self._clock = Clock(lambda: app.now() / 1000)
        self._loaded = Once(lambda: credentials.load(app.environ, app.explicit_profile, app.home))
        self._reached = {name: Once(partial(self._reach, name)) for name in DEFAULTS}
        self._details, self._statistics = Once(self._query_details), Once(self._query_statistics)

    def keys(self) -> Result:
        """Whether there is a complete key, and the provider takes it."""
        try:
            loaded = self._loaded()
            loaded.provider.get()
        except SmsReceiptError as exc:
            return failed(exc)
        tried = (
            ("not tried, because of --offline", "因 --offline 未尝试") if self._offline else ("accepted", "平台接受")
        )
        try:
            if not self._offline and not self._accepted():
                tried = ("it could not be tried", "未能尝试")
        except AuthError as exc:
            return failed(exc)
        if loaded.warnings:
            path = self._app.home / ".aliyun" / "config.json"
            return warn((f"other users can read {path}", f"其他用户可以读取 {path}"), (f"chmod 600 {path}",) * 2)
        origin = self._origin()
        return ok(f"{origin[0]}; {tried[0]}", f"{origin[1]}；{tried[1]}")

    def clock(self) -> Result:
        """How far the clock of this machine is off the provider's."""
        dates = []
        for name in SERVICES:
            try:
                dates.append(self._reached[name].by(self._until))
            except SmsReceiptError:
                continue
            break
        else:
            return skipped("no service was reached whose time could be compared", "没有连通的服务可供比对时间")
        off = dates[0][1]
        if abs(off) <= WARN_AFTER:
            return ok(
                f"within {max(abs(off), 1):.0f} s of the provider's", f"与平台相差不超过 {max(abs(off), 1):.0f} 秒"
            )
        english = f"{abs(off):,.0f} s {'behind' if off > 0 else 'ahead of'} the provider's"
        chinese = f"比平台{'慢' if off > 0 else '快'} {abs(off):,.0f} 秒"
        fix = ("Set the clock: sudo timedatectl set-ntp true", "校准时钟：sudo timedatectl set-ntp true")
        if abs(off) > REFUSE_AFTER:
            return fail((english, chinese), fix, 4)
        return warn((f"{english}; requests are signed with its time", f"{chinese}；签名使用平台的时间"), fix)

    def endpoint(self, name: str) -> Result:
        """Whether a service is reached, directly or through the proxy."""
        try:
            seconds, _ = self._reached[name]()
            endpoint = self._endpoint(name)
            proxy = proxies(self._app).choose(endpoint)
        except SmsReceiptError as exc:
            return failed(
                exc, _way_fix(exc, self._endpoint(name)) if isinstance(exc, TransportError) else own_hint(exc)
            )
        milliseconds = f"{seconds * 1000:.0f} ms"
        through = (f" through the proxy {proxy}", f"，经代理 {proxy}") if proxy else ("", "")
        return ok(f"{endpoint} in {milliseconds}{through[0]}", f"{endpoint}，{milliseconds}{through[1]}")

    def queue(self, queue: Queue) -> Result:
        """Whether a queue can be read with its message type; what waits in it."""
        if obstacle := self._obstacle("dybaseapi", "mns"):
            return obstacle
        try:
            messages = self._peek(queue)
        except (AuthError, QueueNotFound) as exc:
            slip = unknown_kind_warning(queue.kind)
            own = _token_fix(exc) if isinstance(exc, AuthError) else own_hint(exc)
            return failed(exc, (slip, slip) if slip else own)
        except SmsReceiptError as exc:
            return failed(exc)
        return _front(queue, messages, self._app.now())

    def details(self) -> Result:
        """Whether the key may use QuerySendDetails, which query-details and reconcile need."""
        return self._right("QuerySendDetails", self._details, ("query-details, reconcile", "query-details、reconcile"))

    def statistics(self) -> Result:
        """Whether the key may use QuerySendStatistics, which query-stats and the totals of reconcile need."""
        return self._right("QuerySendStatistics", self._statistics, ("query-stats, reconcile --totals",) * 2)

    def _right(self, action: str, call: Callable[[], object], users: Words) -> Result:
        if obstacle := self._obstacle("dysmsapi"):
            return obstacle
        try:
            call()
        except ApiError as exc:
            if throttled(exc.status, exc.code):
                return skipped(*_TOO_MANY)
            if not _judged(exc):
                return failed(exc)
            # it looked at the question, so the right is there
        except AuthError as exc:
            if no_permission(exc):
                fix = (_RIGHT_FIX.format(action=action), _RIGHT_FIX_ZH.format(action=action))
                return warn((f"not permitted: {users[0]} will not work", f"没有权限：{users[1]} 无法使用"), fix)
            return failed(exc)
        except SmsReceiptError as exc:
            return failed(exc)
        return ok("permitted", "有权限")

    def _obstacle(self, *services: str) -> Result | None:
        """Why it makes no sense to call these services; None where it does."""
        try:
            self._loaded().provider.get()
        except SmsReceiptError:
            return skipped("there is no key to ask with", "没有可用的 AccessKey")
        for name in services:
            try:
                self._reached[name].by(self._until)
            except SmsReceiptError:
                return skipped(f"{name} is not reached", f"{name} 未连通")
        try:
            self._accepted()
        except AuthError:
            return skipped("the key is refused", "AccessKey 被拒绝")
        return None

    def _accepted(self) -> bool:
        """Whether the provider takes the key; False where that could not be tried. Raises AuthError."""
        for query in (self._details, self._statistics):  # where one is throttled, the other tells
            try:
                query.by(self._until)
            except AuthError as exc:
                if not no_permission(exc):
                    raise
            except SmsReceiptError as exc:
                if not _judged(exc):
                    continue
            return True
        return False

    def _endpoint(self, name: str) -> Endpoint:
        text = self._app.endpoint(name) or DEFAULTS[name]
        try:
            return Endpoint.parse(text, insecure_http=self._app.insecure_http)
        except UsageError as exc:
            said = _("{what}: {reason}", what=f"SMSRECEIPT_{name.upper()}_ENDPOINT", reason=exc)
            raise UsageError(said, hint=exc.hint or _("Such as {example}", example=DEFAULTS[name])) from None

    def _reach(self, name: str) -> tuple[float, float]:
        """The seconds that an unsigned request took, and how many seconds the provider's clock is ahead."""
        endpoint = self._endpoint(name)
        pool = BlockingPool(endpoint, proxy=proxies(self._app).choose(endpoint))
        try:
            began, clock = time.monotonic(), Clock(self._clock.local)
            connection = pool.connect()
            sent_at = clock.local()
            headers = pool.send(connection, "GET", "").headers
            with suppress(AuthError):  # the check of the clock tells
                clock.learn(headers.get("date"), sent_at, clock.local())
            return time.monotonic() - began, clock.offset
        finally:
            pool.close()

    def _caller(self, name: str) -> Caller:
        endpoint = self._endpoint(name)
        return Caller(
            endpoint,
            self._loaded().provider,
            self._clock,
            proxy=proxies(self._app).choose(endpoint),
            budget=partial(Budget, tries=1),
        )

    def _call(self, request: Any) -> None:
        with closing(self._caller("dysmsapi")) as caller:
            caller.call(request, understood=lambda _answer: True)

    def _query_statistics(self) -> None:
        from aliyunsdkdysmsapi.request.v20170525.QuerySendStatisticsRequest import QuerySendStatisticsRequest

        today = date_of(beijing_day(self._app.now())).strftime("%Y%m%d")
        request = QuerySendStatisticsRequest()
        request.set_IsGlobe(1)
        request.set_StartDate(today)
        request.set_EndDate(today)
        request.set_PageIndex(1)
        request.set_PageSize(1)
        self._call(request)

    def _query_details(self) -> None:
        from aliyunsdkdysmsapi.request.v20170525.QuerySendDetailsRequest import QuerySendDetailsRequest

        request = QuerySendDetailsRequest()
        request.set_PhoneNumber(NOBODY)
        request.set_SendDate(date_of(beijing_day(self._app.now())).strftime("%Y%m%d"))
        request.set_PageSize(1)
        request.set_CurrentPage(1)
        self._call(request)

    def _peek(self, queue: Queue) -> Sequence[Message]:
        endpoint = self._endpoint("mns")

        async def peek() -> Sequence[Message]:
            pool = Pool(endpoint, proxy=proxies(self._app).choose(endpoint))
            try:
                tokens = Tokens(caller, self._clock)
                client = QueueClient(queue, pool, tokens, self._clock, budget=partial(Budget, tries=1))
                return await client.peek()
            finally:
                pool.close()

        with closing(self._caller("dybaseapi")) as caller:
            return asyncio.run(peek())

    def _origin(self) -> Words:
        """Where the key comes from; nothing of the key itself."""
        app = self._app
        if not app.explicit_profile and app.environ.get("ALIBABA_CLOUD_ACCESS_KEY_ID"):
            token = bool(app.environ.get("ALIBABA_CLOUD_SECURITY_TOKEN"))
            return (
                ("from the environment, temporary", "来自环境变量，临时")
                if token
                else ("from the environment", "来自环境变量")
            )
        name = app.profile or "-"
        return f"from ~/.aliyun/config.json, profile {name}", f"来自 ~/.aliyun/config.json，配置 {name}"


def _judged(exc: SmsReceiptError) -> bool:
    """Whether the provider looked at the question; else somebody else answered, or the provider failed."""
    return isinstance(exc, ApiError) and exc.code != "" and exc.final


def _front(queue: Queue, messages: Sequence[Message], now: Instant) -> Result:
    """What the messages at the front of a queue tell about it."""
    if warning := unknown_kind_warning(queue.kind):
        return warn((warning, warning), (f"--queue {shlex.quote(queue.name + '=SmsReport')}",) * 2)
    if not messages:
        return ok(f"{queue.kind}, empty", f"{queue.kind}，空")
    rejects = len(decode(delivery_of(queue, messages, now)).rejects)
    more = "+" if len(messages) >= MOST_SEEN else ""
    oldest = min(message.enqueued_at for message in messages)
    if rejects:
        words = (
            f"{rejects} of the {len(messages)} messages at its front cannot be read as {queue.kind}",
            f"队首 {len(messages)} 条消息中有 {rejects} 条无法按 {queue.kind} 解析",
        )
        peek = f"smsreceipt pull --peek --queue {shlex.quote(f'{queue.name}={queue.kind}')}"
        return warn(words, (peek, peek))
    return ok(
        f"{queue.kind}, {len(messages)}{more} messages wait, the oldest came {ago(oldest, now)}",
        f"{queue.kind}，{len(messages)}{more} 条等待，最早的在 {ago(oldest, now, chinese=True)}",
    )


def _token_fix(exc: AuthError) -> Words:
    """What to do where the provider gives no token for a queue."""
    if no_permission(exc):
        return (
            "Give the RAM user the right dysms:QueryTokenForMnsQueue, or the policy AliyunDysmsFullAccess",
            "给 RAM 用户授予 dysms:QueryTokenForMnsQueue 权限，或系统策略 AliyunDysmsFullAccess",
        )
    return own_hint(exc)


def _way_fix(exc: TransportError, host: Endpoint) -> Words:
    """What to do where a service is not reached."""
    if isinstance(exc, Hopeless):
        return own_hint(exc)
    if not isinstance(exc, Unreached) or exc.without_tls:
        english = "a gateway, a proxy or a firewall on the way may answer in its place, or end the connection"
        return (
            f"Check that {host} is right (smsreceipt config show); {english}",
            f"检查 {host} 是否正确（smsreceipt config show）；途中的网关、代理或防火墙可能代替服务应答，或切断连接",
        )
    if exc.unresolved:
        return (
            f"Check DNS: getent hosts {host.host}; where only a proxy resolves names: export HTTPS_PROXY=http://HOST:PORT",
            f"检查 DNS：getent hosts {host.host}；只有代理能解析时：export HTTPS_PROXY=http://HOST:PORT",
        )
    return (
        f"Let the firewall permit {host}, or name a proxy: export HTTPS_PROXY=http://HOST:PORT",
        f"让防火墙放行 {host}，或指定代理：export HTTPS_PROXY=http://HOST:PORT",
    )
