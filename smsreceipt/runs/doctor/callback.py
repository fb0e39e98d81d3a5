"""Checks of a callback URL: does to it what the console and the provider's pushes do, and stores nothing.

The provider calls from the Internet, this from here: a check that succeeds does not prove that the provider gets
through.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from smsreceipt.aliyun.faults import in_words
from smsreceipt.aliyun.interim import FinalResponse
from smsreceipt.aliyun.way import tls_context
from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.output.objects.doctor import Words
from smsreceipt.runs.doctor.finding import Once, Result, fail, ok, skipped, warn

LIMIT = 0.7  #: seconds that the provider waits for an answer
_SLOW = 0.35  # seconds from which on an answer is close to the limit
_PATIENCE = 5.0  # seconds for each exchange
_LARGE = 1_000_000  # bytes of a large push; the provider's may have a mebibyte
#: What the HTTP client of Java asks for over plain http.
_UPGRADE = {
    "Connection": "Upgrade, HTTP2-Settings",
    "Upgrade": "h2c",
    "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
}
_TYPE = {"Content-Type": "application/json;charset=utf-8"}
_KIND = re.compile(r"[A-Z][A-Za-z]{3,40}")
_SECRET_LENGTH = 8  # characters from which on a word of the path may be a secret

_TYPED = (
    "Compare it with the URL that `smsreceipt listen` prints; the proxy in front must pass the path on unchanged",
    "与 `smsreceipt listen` 打印的地址核对；前面的反向代理必须原样转发路径",
)
_METHODS = (
    "Let the proxy in front pass GET and POST on: nginx `proxy_pass http://127.0.0.1:8080;` without limit_except",
    "让前面的反向代理放行 GET 和 POST：nginx 用 `proxy_pass http://127.0.0.1:8080;`，不要 limit_except",
)
_UPGRADES = (
    'Drop the header in the proxy in front: nginx `proxy_set_header Upgrade "";` and `proxy_set_header Connection "";`',
    '在前面的反向代理去掉该请求头：nginx 用 `proxy_set_header Upgrade "";` 和 `proxy_set_header Connection "";`',
)
_SIZES = (
    "Raise the limit of the proxy in front: nginx `client_max_body_size 2m;`",
    "提高反向代理的限制：nginx `client_max_body_size 2m;`",
)
_SPEED = (
    "Look for a slow proxy, name resolution or disk; `smsreceipt listen` alone answers within milliseconds",
    "检查反向代理、域名解析或磁盘是否缓慢；`smsreceipt listen` 本身毫秒级应答",
)
_UNREACHED = (
    "Is `smsreceipt listen` running, and does the proxy in front reach it? Open the port in the firewall",
    "`smsreceipt listen` 是否在运行、反向代理能否连到它？在防火墙和安全组中放行端口",
)


@dataclass(frozen=True)
class _Answer:
    status: int
    seconds: float

    @property
    def good(self) -> bool:
        return self.status == 200

    @property
    def milliseconds(self) -> str:
        return f"{self.seconds * 1000:.0f} ms"


class CallbackChecks:
    """The checks of one URL. Its path, which is the password, appears in no finding."""

    def __init__(self, url: str) -> None:
        """Raises UsageError for what is no http or https URL."""
        try:
            parts = urlsplit(url.strip().replace("{kind}", "SmsReport"))
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(
                _("--push is no http or https URL"),
                hint=_("The one of the console: https://HOST/SECRET/SmsReport"),
            )
        self._tls = parts.scheme == "https"
        self._host, self._port = parts.hostname, port or (443 if self._tls else 80)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._unreached = Once(self._connected)

    def address(self) -> Result:
        """Whether the name leads to an address that the provider can reach."""
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return fail(
                (f"{self._host} cannot be resolved", f"域名 {self._host} 无法解析"),
                (
                    f"Add the name to your DNS: getent hosts {self._host}",
                    f"在 DNS 中添加该域名：getent hosts {self._host}",
                ),
                5,
            )
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        private = [each for each in addresses if not ip_address(each.partition("%")[0]).is_global]
        if private:
            found_at = "" if self._host == private[0] else f" ({private[0]})"
            return warn(
                (
                    f"the provider cannot reach {self._host}{found_at}; checked from this machine",
                    f"平台无法访问 {self._host}{found_at}；其余各项从本机检查",
                ),
                ("Give the console a name with a public address", "在控制台填写解析到公网地址的域名"),
            )
        secure = "" if self._tls else "; plain http shows the secret and the receipts to all in between"
        secure_zh = "" if self._tls else "；http 明文，途经之处都能看到密钥和回执"
        return ok(
            f"{self._host} is {addresses[0]}; checked from this machine{secure}",
            f"{self._host} 是 {addresses[0]}；从本机检查{secure_zh}",
        )

    def get(self) -> Result:
        """The probe of the console."""
        return self._unreached() or self._timed("GET", b"", {}, _METHODS)

    def post(self) -> Result:
        """A push without receipts."""
        return self._obstacle() or self._timed("POST", b"[]", _TYPE, _METHODS)

    def upgrade(self) -> Result:
        """Both with the offer to go on in HTTP/2, as some HTTP clients make it."""
        if obstacle := self._obstacle():
            return obstacle
        for method, body, headers in (("GET", b"", {}), ("POST", b"[]", _TYPE)):
            answer = self._ask(method, body, {**headers, **_UPGRADE})
            if isinstance(answer, Result):
                same = self._ask(method, body, headers)
                return answer if isinstance(same, Result) else fail(answer.found, _UPGRADES, 2)
            if not answer.good and answer.status != http.client.SWITCHING_PROTOCOLS:
                plain = self._ask(method, body, headers)
                if isinstance(plain, Result) or plain.status == answer.status:
                    return skipped("it is refused without the header too", "不带该请求头同样被拒绝")
                said = f"{method} with Upgrade: h2c is answered {answer.status}"
                return fail((said, f"带 Upgrade: h2c 的 {method} 应答 {answer.status}"), _UPGRADES, 2)
        return ok("GET and POST with Upgrade: h2c are answered 200", "带 Upgrade: h2c 的 GET 和 POST 应答 200")

    def large(self) -> Result:
        """A push without receipts that is as long as the longest."""
        if obstacle := self._obstacle():
            return obstacle
        answer = self._ask("POST", b"[" + b" " * (_LARGE - 2) + b"]", _TYPE)
        if isinstance(answer, Result):
            return fail(answer.found, _SIZES, 2) if self._answers() else answer
        if answer.good:
            return ok(f"{_LARGE:,} bytes in {answer.milliseconds}", f"{_LARGE:,} 字节，{answer.milliseconds}")
        if not self._answers():
            return skipped("a small one is refused too", "小的推送同样被拒绝")
        said = f"a push of {_LARGE:,} bytes is answered {answer.status}"
        return fail((said, f"{_LARGE:,} 字节的推送应答 {answer.status}"), _SIZES, 2)

    def wrong_secret(self) -> Result:
        """Another secret must be refused, or anybody may push."""
        path = _other_secret(self._path)
        if path is None:
            return warn(
                ("the path holds no secret: anybody may push", "路径中没有密钥，任何人都能推送"),
                (
                    "Use the URL with the secret that `smsreceipt listen` prints",
                    "请使用 `smsreceipt listen` 打印的带密钥的地址",
                ),
            )
        if obstacle := self._obstacle():
            return obstacle
        answer = self._ask("POST", b"[]", _TYPE, path)
        if isinstance(answer, Result):
            return answer
        if answer.status == 404:
            return ok("another secret is answered 404", "换一个密钥应答 404")
        if 200 <= answer.status < 300:
            return fail(
                (
                    f"another secret is answered {answer.status} too: anybody may push",
                    f"换一个密钥也应答 {answer.status}，任何人都能推送",
                ),
                ("Let the proxy in front pass the path on to `smsreceipt listen`, which compares the secret",
                 "让反向代理把路径原样转发给 `smsreceipt listen`，由它比对密钥"),
                2,
            )  # fmt: skip
        return ok(f"another secret is answered {answer.status}", f"换一个密钥应答 {answer.status}")

    def _obstacle(self) -> Result | None:
        """Why it makes no sense to send a request; None where it does."""
        return skipped("the URL is not reached", "回调地址未连通") if self._unreached() else None

    def _connected(self) -> Result | None:
        """Why no connection can be opened; None where it can."""
        connection = self._connection()
        try:
            connection.connect()
        except (OSError, http.client.HTTPException) as exc:
            return _failure("", exc)
        finally:
            connection.close()
        return None

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                self._host, self._port, timeout=_PATIENCE, context=tls_context()
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=_PATIENCE)
        connection.response_class = FinalResponse
        return connection

    def _answers(self) -> bool:
        small = self._ask("POST", b"[]", _TYPE)
        return not isinstance(small, Result) and small.good

    def _timed(self, method: str, body: bytes, headers: Mapping[str, str], fix: Words) -> Result:
        """One exchange, judged by its status and its time."""
        answer = self._ask(method, body, headers)
        if isinstance(answer, Result):
            return answer
        if not answer.good:
            return _refused(method, answer.status, fix)
        if answer.seconds > LIMIT:
            return fail(
                (
                    f"{method} is answered 200 after {answer.milliseconds}; the provider hangs up after 700 ms",
                    f"{method} 在 {answer.milliseconds} 后应答 200；平台 700 毫秒后断开",
                ),
                _SPEED,
                5,
            )
        if answer.seconds > _SLOW:
            said = f"{method} is answered 200 after {answer.milliseconds} of the 700 ms that the provider waits"
            return warn((said, f"{method} 在 {answer.milliseconds} 后应答 200，平台只等 700 毫秒"), _SPEED)
        return ok(f"{method} is answered 200 in {answer.milliseconds}", f"{method} 在 {answer.milliseconds} 内应答 200")

    def _ask(self, method: str, body: bytes, headers: Mapping[str, str], path: str = "") -> _Answer | Result:
        """The answer to one request over a connection of its own; a Result where none came."""
        began = time.monotonic()
        connection = self._connection()
        try:
            # A server that refuses a body answers before it has read all of it, and closes.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(
                    method, path or self._path, body or None, {"User-Agent": "smsreceipt doctor", **headers}
                )
            answer = connection.getresponse()
            if answer.status != http.client.SWITCHING_PROTOCOLS:
                answer.read(1 << 20)
            return _Answer(answer.status, time.monotonic() - began)
        except (OSError, http.client.HTTPException) as exc:
            return _failure(method, exc)
        finally:
            connection.close()


def _failure(method: str, exc: Exception) -> Result:
    """The failure of a request that got no answer; of the connection itself, where *method* is empty."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return fail(
            (f"its certificate is not valid: {exc.verify_message}", f"证书无效：{exc.verify_message}"),
            (
                "Install the certificate with its whole chain (fullchain.pem)",
                "请安装含完整证书链的证书（fullchain.pem）",
            ),
            5,
        )
    if isinstance(exc, TimeoutError) and method:
        said = f"{method} is not answered within {_PATIENCE:.0f} s"
        return fail((said, f"{method} 在 {_PATIENCE:.0f} 秒内没有应答"), _SPEED, 5)
    what, what_zh = (method, method) if method else ("no connection", "无法连接")
    why = in_words(exc)
    return fail((f"{what}: {why}", f"{what_zh}：{why}"), _UNREACHED, 5)


def _refused(method: str, status: int, fix: Words) -> Result:
    """The failure for an answer that is not 200."""
    said = (f"{method} is answered {status}, not 200", f"{method} 应答 {status}，不是 200")
    if 300 <= status < 400:
        return fail(said, ("Give the console the URL that it leads to: the provider follows no redirect",
                           "平台不跟随重定向，请在控制台填写最终地址"), 2)  # fmt: skip
    if status == 404:
        return fail(said, _TYPED, 2)
    if status in {401, 403}:
        return fail(said, ("Let the proxy in front ask nobody for a login on this path, and close no address out",
                           "让反向代理在这条路径上不要求登录，也不限制来源地址"), 2)  # fmt: skip
    if status >= 500:
        return fail(said, _UNREACHED, 5)
    return fail(said, fix, 2)


def _other_secret(path: str) -> str | None:
    """The path with another word in the place of the secret; None where nothing in it may be one."""
    words = path.partition("?")[0].split("/")
    places = [n for n, word in enumerate(words) if len(word) >= _SECRET_LENGTH and not _is_kind(word)]
    if not places:
        return None
    at = max(places, key=lambda n: len(words[n]))
    words[at] = words[at][:-1] + ("0" if words[at][-1] != "0" else "1")
    return "/".join(words)


def _is_kind(word: str) -> bool:
    """Whether a word of the path is a message type."""
    return _KIND.fullmatch(word) is not None and any(char.islower() for char in word)
