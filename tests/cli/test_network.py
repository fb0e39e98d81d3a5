"""Commands that reach the provider through a proxy, and what is told where it cannot be reached."""

from __future__ import annotations

import io
import re
import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.aliyun import reporter, retry
from smsreceipt.aliyun.faults import Unreached
from smsreceipt.app import App
from smsreceipt.model import BEIJING, Instant
from smsreceipt.runs.access import connection_reporter
from smsreceipt.sandbox import Options, PastSend, Sandbox
from tests.aliyun.peer import certify
from tests.cli.program import Ended, Program, report
from tests.proxy import HttpProxy

UID = "1000000001"
REPORTS = f"Alicom-Queue-{UID}-SmsReport"
NOON = datetime.now(BEIJING).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
YESTERDAY = NOON.date().isoformat()
PHONE = "13800000001"
#: Names that only the proxy can resolve.
NAMES = {"MNS": "mns.example.test", "DYBASEAPI": "dybaseapi.example.test", "DYSMSAPI": "dysmsapi.example.test"}
ENDPOINTS = {f"SMSRECEIPT_{service}_ENDPOINT": name for service, name in NAMES.items()}
PULL = ("pull", "--uid", UID, "--type", "SmsReport", "--no-settle", "--wait", "0")
DETAILS = ("query-details", "--date", YESTERDAY, "--phone", PHONE)
STATS = ("query-stats", "--from", YESTERDAY, "--to", YESTERDAY)
RECONCILE = ("reconcile", "--date", YESTERDAY)
COMMANDS = (PULL, DETAILS, STATS, RECONCILE)


class Company:
    """The program in a network from which only a proxy leads to the provider."""

    def __init__(self, program: Program, sandbox: Sandbox, context: ssl.SSLContext) -> None:
        self.program, self.sandbox, self._context = program, sandbox, context

    def proxy(self, **options: Any) -> HttpProxy:
        return HttpProxy(
            dict.fromkeys(NAMES.values(), int(self.sandbox.url.rpartition(":")[2])), inner=self._context, **options
        )

    def __call__(self, *args: str, **environ: str) -> Ended:
        keys = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "sandbox", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "sandbox-secret"}
        now = Instant(round(datetime.now(BEIJING).timestamp() * 1000))
        return self.program(*args, environ={**keys, **ENDPOINTS, **environ}, now=lambda: now)


@pytest.fixture
def company(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    certificate = certify(tmp_path / "both.pem", names=[*NAMES.values()])
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Sandbox(Options(port=0, seed=3)) as sandbox:
        at = NOON.timestamp()
        sandbox.remember(
            [PastSend(phone=PHONE, biz_id="1^0", sent=at, reported=at + 5, out_id="o", template_code="SMS_1")]
        )
        yield Company(program, sandbox, context)


def test_a_whole_pull_goes_through_the_proxy(company: Company) -> None:
    for n in range(40):
        company.sandbox.put(REPORTS, _text(n))
    with company.proxy(user="user:s3cret") as proxy:
        ended = company(*PULL, HTTPS_PROXY=proxy.url("user:s3cret"))
    assert (ended.code, len(ended.objects)) == (0, 40), ended.err
    assert "received=40 new=40" in ended.err
    assert {line.split()[1] for line in proxy.asked} == {f"{NAMES['MNS']}:443", f"{NAMES['DYBASEAPI']}:443"}
    assert company.sandbox.state()["deleted"] == 40


def _text(n: int) -> str:
    import base64
    import json

    return base64.b64encode(json.dumps(report(f"138{n:08}", f"{n}^0")).encode()).decode()


@pytest.mark.parametrize("command", [DETAILS, STATS, RECONCILE, (*PULL, "--peek")], ids=lambda words: words[0])
def test_every_other_command_that_asks_the_provider_goes_through_the_proxy(
    company: Company, command: tuple[str, ...]
) -> None:
    company.program.stdin = f"phone,biz_id,sent_at\n{PHONE},1^0,{YESTERDAY} 12:00:00\n".encode()
    assert company("sends", "import", "-").code == 0
    Path("smsreceipt.toml").write_text("")
    with company.proxy() as proxy:
        Path("smsreceipt.toml").write_text(f'proxy = "{proxy.url()}"')
        ended = company(*command, HTTPS_PROXY="http://127.0.0.1:9")  # the file counts
    assert ended.code in {0, 3}, ended.err
    assert proxy.asked
    assert "cannot reach" not in ended.err


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_proxy_that_wants_a_password_is_exit_2_at_once(company: Company, command: tuple[str, ...]) -> None:
    with company.proxy(user="u:s3cret") as proxy:
        bare = company(*command, HTTPS_PROXY=proxy.url())
        wrong = company(*command, HTTPS_PROXY=proxy.url("u:0ther"))
    assert (bare.code, wrong.code) == (2, 2)
    assert f"error: the proxy 127.0.0.1:{proxy.port} asks for a user and a password (HTTPS_PROXY)\n" in bare.err
    assert "refuses the user and the password" in wrong.err
    assert "hint: Write it as http://HOST:PORT or http://USER:PASSWORD@HOST:PORT" in wrong.err
    assert "0ther" not in wrong.err


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_proxy_that_permits_nothing_is_exit_5_at_once(company: Company, command: tuple[str, ...]) -> None:
    with company.proxy(status=403) as proxy:
        ended = company(*command, HTTPS_PROXY=proxy.url())
    assert ended.code == 5
    assert f"the proxy 127.0.0.1:{proxy.port} does not let us reach d" in ended.err
    assert len(proxy.asked) == 1


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("variable", "value", "error"),
    [
        ("HTTPS_PROXY", "socks5h://u:s3cret@p:1080", "HTTPS_PROXY: socks5h proxies are not supported"),
        ("all_proxy", "http://u:s3cret@", "all_proxy is not the address of a proxy"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_exit_2_and_names_its_place(
    company: Company, command: tuple[str, ...], variable: str, value: str, error: str
) -> None:
    ended = company(*command, **{variable: value})
    assert ended.code == 2
    assert f"error: {error}\n" in ended.err
    assert "s3cret" not in ended.err


def test_a_proxy_in_the_file_that_cannot_be_used_is_named_with_the_file(company: Company) -> None:
    Path("smsreceipt.toml").write_text('proxy = "socks5://p:1"')
    assert company(*STATS).err.startswith("error: smsreceipt.toml: proxy: socks5 proxies are not supported\n")


def test_loopback_is_reached_without_the_proxy(company: Company) -> None:
    direct = dict.fromkeys(ENDPOINTS, company.sandbox.url)
    ended = company(*STATS, **direct, HTTPS_PROXY="socks5://p", HTTP_PROXY="socks5://p", ALL_PROXY="socks5://p")
    assert ended.code == 0, ended.err


def shown(program: Program, **environ: str) -> list[str]:
    rows = program("config", "show", "--json", environ=environ).objects
    return [row[key] for row in rows if row["name"] == "proxy" for key in ("value", "from")]


def test_config_show_tells_the_proxy_and_no_password(program: Program) -> None:
    assert shown(program) == ["none", "default"]
    assert shown(program, https_proxy="http://u:s3cret@p:1") == ["http://***@p:1", "environment"]
    assert shown(program, ALL_PROXY="socks5://u:s3cret/@p:1") == ["socks5://***@p:1", "environment"]
    Path("smsreceipt.toml").write_text('proxy = "http://u:s3cret@q:1"')
    assert shown(program, HTTPS_PROXY="http://p:1") == ["http://***@q:1", "smsreceipt.toml"]
    Path("smsreceipt.toml").write_text('proxy = ""')
    assert shown(program, HTTPS_PROXY="http://p:1") == ["none", "smsreceipt.toml"]
    Path("smsreceipt.toml").write_text("proxy = 1")
    assert program("config", "show").err == "error: smsreceipt.toml: proxy: must be a text\n"


@pytest.fixture
def closed() -> Iterator[str]:
    """An address that refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delays are short, and every failure is told."""
    monkeypatch.setattr(retry, "CONNECT_CAP", 0.01)
    monkeypatch.setattr(reporter, "PERIOD", 0.0)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_provider_that_cannot_be_reached_is_told_first_and_again_at_the_end(
    company: Company, closed: str, command: tuple[str, ...]
) -> None:
    environ = dict.fromkeys(ENDPOINTS, f"http://{closed}")
    ended = company(*command, **environ)
    lines = ended.err.splitlines()
    reached = re.escape(f"cannot reach {closed} (connection refused)")
    told = [line for line in lines if re.fullmatch(reached + r"; trying again, \d+ s left", line)]
    assert ended.code == 5
    assert 1 <= len(told) <= 7
    assert f"error: cannot reach {closed} (connection refused)" in lines
    hint = next(line for line in lines if line.startswith("hint: "))
    assert all(word in hint for word in ("DNS", "HTTPS_PROXY", "SMSRECEIPT_*_ENDPOINT", "run the same command again"))
    quiet = company(*command, "-q", **environ)
    assert "trying again" not in quiet.err
    assert "error: cannot reach" in quiet.err


@pytest.mark.usefixtures("hasty")
def test_queues_that_cannot_be_reached_though_tokens_come_end_the_run_too(company: Company, closed: str) -> None:
    environ = {**dict.fromkeys(ENDPOINTS, company.sandbox.url), "SMSRECEIPT_MNS_ENDPOINT": f"http://{closed}"}
    ended = company(*PULL, "--type", "SmsUp", **environ)
    assert ended.code == 5
    assert ended.err.startswith(f"cannot reach {closed} (connection refused); trying again, ")
    assert ended.err.count("error: ") == 1


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_proxy_that_cannot_be_reached_is_told_by_its_name(
    company: Company, closed: str, command: tuple[str, ...]
) -> None:
    ended = company(*command, HTTPS_PROXY=f"http://{closed}")
    assert ended.code == 5
    assert f"cannot reach the proxy {closed} (connection refused); trying again, " in ended.err
    assert f"error: cannot reach the proxy {closed} (connection refused)\n" in ended.err


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_name_that_cannot_be_resolved_is_told(
    company: Company, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    ended = company(*command)
    assert ended.code == 5
    assert re.search(r"cannot reach \w+\.example\.test \(its name cannot be resolved\); trying again, ", ended.err)


@pytest.mark.parametrize("command", [PULL, DETAILS], ids=lambda words: words[0])
def test_a_connection_that_hangs_is_told_while_it_does(
    company: Company, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    from smsreceipt.aliyun import blocking

    monkeypatch.setattr(blocking, "CONNECT", 1.5)
    monkeypatch.setattr(retry.Budget, "unreached", lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # TCP connects by itself; the TLS handshake never begins
        host = f"127.0.0.1:{deaf.getsockname()[1]}"
        ended = company(*command, **dict.fromkeys(ENDPOINTS, f"https://{host}"))
    assert ended.err.startswith(f"still connecting to {host} ...\n")
    assert ended.code == 5
    assert f"error: cannot reach {host} (timed out while connecting, after " in ended.err


def test_the_line_stands_above_the_live_line_of_a_terminal(tmp_path: Path) -> None:
    err = io.StringIO()
    app = App({}, tmp_path, None, None, err, stderr_is_tty=True, columns=40)
    with app.progress():
        app.live_line.draw("200 of 1,000")
        connection_reporter(app).failed(Unreached("cannot reach x"), 9)
        app.live_line.draw("201 of 1,000")
    blank = "\r" + " " * 39 + "\r"
    assert f"{blank}cannot reach x; trying again, 9 s left\n\r201 of 1,000" in err.getvalue()
