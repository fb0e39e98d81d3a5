"""Errors of the provider, the store, files and lists come in Chinese whole: no English sentence is left."""

from __future__ import annotations

import gzip
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import psycopg
import pytest

from smsreceipt import language
from smsreceipt.aliyun import answer, mns, retry, way, xml
from smsreceipt.aliyun.clock import Clock
from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.proxies import Proxy
from smsreceipt.aliyun.rpc import ApiError
from smsreceipt.errors import SmsReceiptError
from smsreceipt.language import _
from smsreceipt.ledger import BadRow, entries, numbers
from smsreceipt.store.postgres import faults
from tests.cli.chinese import in_chinese
from tests.cli.program import Program

ZH = {"LANG": "zh_CN.UTF-8"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("list --store .", "存储 . 是一个目录"),
        ("list --store link.db", "它指向的 nowhere 不存在"),
        ("list --store text.db", "text.db 不是 smsreceipt 的存储"),
        ("list --store folder/.", "是一个目录"),
        ("list --store /dev/null", "不是普通文件"),
        ("list --store mysql://x/y", "不支持这种存储 URL：mysql://…"),
        ("list --store postgresql://a@127.0.0.1:1/b", "该地址没有服务器在监听"),
        ("list --store postgresql://a@127.0.0.1:1/b?x=1", "有无法识别的参数"),
        ("list --store postgresql://a@127.0.0.1:1/b?sslmode=x", "sslmode 无效"),
        ("list --store postgresql://a@192.0.2.1/b?sslmode=allow", "可能使回执和号码不加密"),
        ("replay nowhere", "nowhere：文件或目录不存在"),
        ("replay /dev/null", "既不是文件也不是目录"),
        ("sends import notime.csv", "第一行中没有 sent_at 对应的列"),
        ("sends import twice.csv", "有两列都可能是 biz_id：'BizId' 和 'biz_id'"),
        ("sends import same.csv", "列名都是 'phone'"),
        ("sends import packed.csv", "清单是用 bzip2 压缩的"),
        ("sends import sheet.csv", "清单是已损坏的电子表格或压缩包"),
        ("sends import cut.csv.gz", "清单不完整，或已损坏"),
        ("sends import notime.csv --encoding none", "没有名为 'none' 的编码"),
        ("sends import notime.csv --map phone=x", "清单中没有列 'x'"),
        ("pull --queue Alicom-Queue-1-SmsReport", "没有找到凭据"),
        ("pull --queue Alicom-Queue-1-SmsReport --profile nobody", "凭据配置 nobody：无法读取"),
    ],
)
def test_errors_of_stores_files_and_credentials(program: Program, words: str, told: str) -> None:
    Path("link.db").symlink_to("nowhere")
    Path("text.db").write_text("text " * 200)
    Path("folder").mkdir()
    Path("notime.csv").write_text("phone,biz_id\n13800000000,1\n")
    Path("twice.csv").write_text("phone,biz_id,BizId,sent_at\n")
    Path("same.csv").write_text("phone,phone,biz_id,sent_at\n")
    Path("packed.csv").write_bytes(b"BZh9")
    Path("sheet.csv").write_bytes(b"PK\3\4")
    Path("cut.csv.gz").write_bytes(gzip.compress(b"phone,biz_id,sent_at\n" * 9)[:-9])
    ended = program(*words.split(), environ=ZH)
    assert ended.code > 0
    assert told in ended.err
    assert ended.err.startswith("错误：")
    assert in_chinese(ended.err)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SMSRECEIPT_MNS_ENDPOINT", "http://a.example", "SMSRECEIPT_MNS_ENDPOINT：拒绝以明文 http 连接 a.example"),
        ("SMSRECEIPT_MNS_ENDPOINT", "https://a.example/b", "接入点不能带路径"),
        ("SMSRECEIPT_MNS_ENDPOINT", "ftp://a.example", "接入点应为"),
        ("HTTPS_PROXY", "socks5://127.0.0.1:1", "HTTPS_PROXY：不支持 socks5 代理"),
        ("HTTPS_PROXY", "http://:0", "HTTPS_PROXY 不是代理地址"),
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "STS.key", "该 AccessKey 是临时的（STS）"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "", "没有设置 ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "a b", "有空白或非 ASCII 字符"),
    ],
)
def test_errors_of_variables(program: Program, name: str, value: str, told: str) -> None:
    keys = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "key", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret"}
    ended = program("pull", "--queue", "Alicom-Queue-1-SmsReport", environ={**ZH, **keys, name: value})
    assert ended.code in {2, 4}
    assert told in ended.err
    assert in_chinese(ended.err)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("phone,biz_id,sent_at\n13800000000,1,soon\n", "不是时间"),
        ("phone,biz_id,sent_at\n13800000000,,2026-11-20\n", "没有 BizId"),
        ("phone,biz_id,sent_at\n13800000000,1,\n", "没有发送时间"),
        ("phone,biz_id,sent_at\n?,1,2026-11-20\n", "不是号码"),
        ("phone,biz_id,sent_at\n1.38E+10,1,2026-11-20\n", "改成了科学计数法"),
        ("phone,biz_id,sent_at\n13800000000,1\n", "列数少于表头"),
        ("phone,biz_id,sent_at\n13800000000,1,2026-11-20,x\n", "列数多于表头"),
        ('phone,biz_id,sent_at\n"1"3,1,2026-11-20\n', "带引号的字段没有正确结束"),
        ('{"phone": "13800000000", "biz_id": "1", "sent_at": "2026-11-20"}\n{"phone": \n', "不是 JSON"),
    ],
)
def test_why_a_row_is_bad(chinese: None, rows: str, told: str) -> None:
    bad = [entry.reason for entry in entries(BytesIO(rows.encode())) if isinstance(entry, BadRow)]
    assert told in "".join(bad)
    assert all(map(in_chinese, bad))


def test_why_a_line_has_no_number(chinese: None) -> None:
    bad = [each.reason for each in numbers(BytesIO(b"phone,name\n,Li\n?,Wu\n")) if isinstance(each, BadRow)]
    assert bad == ["没有号码", "不是号码"]


HERE, PROXY = Endpoint("mns.example", 443, True), Proxy("proxy.example", 3128, False)


def _way(exc: BaseException, proxy: Proxy | None = None, *, arrived: bool = False) -> Exception:
    return way.failure(exc, HERE, proxy, arrived=arrived, seconds=5)


def _raised(call: Callable[[], object]) -> Exception:
    with pytest.raises(SmsReceiptError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: _way(ConnectionRefusedError()), "无法连接 mns.example：连接被拒绝"),
        (lambda: _way(socket.gaierror(), PROXY), "无法连接代理 proxy.example:3128：域名无法解析"),
        (lambda: _way(TimeoutError(), PROXY, arrived=True), "经代理 proxy.example:3128 无法连接 mns.example：连接超时"),
        (lambda: _way(ssl.SSLError()), "TLS 握手失败"),
        (lambda: _way(OSError()), "连接中断"),
        (lambda: PROXY.refusal(407, HERE), "要求用户名和密码（代理）"),
        (lambda: PROXY.refusal(403, HERE), "不允许连接 mns.example（状态码 403）"),
        (lambda: PROXY.refusal(503, HERE), "无法连接 mns.example（状态码 503）"),
        (lambda: _raised(lambda: answer.read(b"SSH-2.0-x\r\n\r\n")), "应答不是 HTTP"),
        (lambda: _raised(lambda: xml.records(b"<a", "a", "b")), "应答被截断"),
        (lambda: mns.refusal(mns.MnsError(404, "QueueNotExist", "", "R"), "q"), "队列 q 不存在"),
        (lambda: mns.refusal(mns.MnsError(403, "AccessDenied", "", "R"), "q"), "队列服务应答 403 AccessDenied"),
        (lambda: mns.refusal(mns.MnsError(502, "", "", ""), "q"), "没有错误码（请求 未知）"),
        (lambda: ApiError(400, "isv.NO_SUCH", "told", "R"), "平台应答 isv.NO_SUCH（请求 R）"),
        (lambda: _raised(lambda: Clock(lambda: 0.0).learn("Fri, 20 Nov 2026 00:00:00 GMT", 0, 0)), "本机时钟比平台慢"),
    ],
)
def test_errors_of_the_provider(chinese: None, make: Callable[[], Exception], told: str) -> None:
    failure = make()
    assert told in str(failure)
    assert in_chinese(str(failure))
    assert not (hint := getattr(failure, "hint", "")) or in_chinese(_(hint))


def test_notices_of_retries(chinese: None) -> None:
    budget = retry.Budget()
    budget.failures = 3
    assert [in_chinese(text) for text, _verbosity in budget.lines(_way(ConnectionResetError()), 1.5)] == [True, True]


@pytest.mark.parametrize("state", [*faults._STATES, "99999"])
def test_errors_of_postgresql(chinese: None, state: str) -> None:
    class Failure(psycopg.Error):
        sqlstate = state.ljust(5, "0")

    failure = faults.error_of("postgresql://db/sms", Failure())
    assert "postgresql://db/sms" in str(failure)
    assert in_chinese(str(failure))
    assert not failure.hint or in_chinese(_(failure.hint))


@pytest.mark.parametrize("pattern", [pattern for pattern, _reason in faults._REASONS] + ["x"])
def test_why_postgresql_cannot_be_reached(chinese: None, pattern: str) -> None:
    told = re.sub(r"\(.*?\||\)|\\|\.\*", "", pattern.replace("[Cc]", "C")).split("|")[0]
    failure = faults.unreachable("postgresql://db/sms", psycopg.OperationalError(told))
    assert in_chinese(str(failure))
    assert in_chinese(_(failure.hint))


@pytest.fixture
def chinese() -> Iterator[None]:
    with language.using("zh"):
        yield
