"""`doctor` against broken set-ups: each is found, and told with the step that mends it; nothing is written."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event, Thread
from typing import Any
from urllib.error import HTTPError

import pytest

from smsreceipt.model import Instant
from smsreceipt.output.objects.doctor import State
from smsreceipt.runs.doctor import checks, local
from smsreceipt.runs.doctor.finding import Check, ok
from smsreceipt.runs.doctor.run import look
from smsreceipt.sandbox import Options, Sandbox
from smsreceipt.store.sqlite import files
from tests.cli.program import Ended, Program, report
from tests.proxy import HttpProxy

UID = "1000000001"
REPORTS = f"Alicom-Queue-{UID}-SmsReport"
REMOTE = "mns.example.test"


def now() -> Instant:
    return Instant(time.time_ns() // 1_000_000)


@dataclass
class Setup:
    """What a user has set up; whole, until a case breaks it."""

    program: Program
    sandbox: Sandbox
    environ: dict[str, str]
    monkeypatch: pytest.MonkeyPatch
    words: list[str] = field(default_factory=list)
    seams: dict[str, Any] = field(default_factory=lambda: {"now": now})
    secrets: set[str] = field(default_factory=lambda: {"sandbox-secret"})

    def __call__(self, *words: str, **seams: Any) -> Ended:
        return self.program("doctor", *self.words, *words, environ=self.environ, **{**self.seams, **seams})

    def config(self, text: str, mode: int = 0o600) -> None:
        path = self.program.home / "smsreceipt.toml"
        path.write_text(text)
        path.chmod(mode)
        self.words += ["--config", str(path)]

    def secret_file(self, text: str, mode: int = 0o600) -> None:
        path = self.program.store.with_suffix(".secret")
        path.write_text(text)
        path.chmod(mode)

    def profile(self, mode: int = 0o600, **profile: str) -> None:
        folder = self.program.home / ".aliyun"
        folder.mkdir()
        path = folder / "config.json"
        path.write_text(json.dumps({"current": "x", "profiles": [{"name": "x", "mode": "AK", **profile}]}))
        path.chmod(mode)
        self.without_key()

    def without_key(self) -> None:
        for name in [name for name in self.environ if name.startswith("ALIBABA_CLOUD")]:
            del self.environ[name]

    def endpoint(self, service: str, address: str) -> None:
        self.environ[f"SMSRECEIPT_{service.upper()}_ENDPOINT"] = address

    def queues(self, *names: str) -> None:
        self.environ = {name: value for name, value in self.environ.items() if "_PULL_" not in name}
        self.words += [word for name in names for word in ("--queue", name)]

    def store(self, *statements: str) -> None:
        """A store of the program, changed by SQL."""
        self.program.keep("SmsReport", report())
        db = sqlite3.connect(self.program.store)
        for each in statements:
            db.execute(each)
        db.commit()
        db.close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """One for each test: it limits the calls a second."""
    with Sandbox(Options(port=0, seed=1)) as running:
        yield running


@pytest.fixture
def setup(program: Program, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Setup:
    environ = {
        **{name: value for name, value in sandbox.environment().items() if name != "SMSRECEIPT_STORE"},
        "SMSRECEIPT_PULL_UID": UID,
        "SMSRECEIPT_PULL_TYPE": "SmsReport SmsUp",
        "LANG": "C.UTF-8",
    }
    return Setup(program, sandbox, environ, monkeypatch)


class Denying(BaseHTTPRequestHandler):
    """A service that knows the key, and refuses the actions in *denied*, with *status* and *code*."""

    denied: tuple[str, ...] = ()
    status, code = 403, "NoPermission"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        action = re.search(r"Action=(\w+)", self.path)
        refused = action is not None and action[1] in self.denied
        answer = {"Code": self.code if refused else "OK", "RequestId": "R-1", "Message": "x"}
        if action and action[1] == "QueryTokenForMnsQueue":
            answer |= {"MessageTokenDTO": {"AccessKeyId": "a", "AccessKeySecret": "b", "SecurityToken": "c"}}  # type: ignore[dict-item]
        body = json.dumps(answer).encode()
        self.send_response(self.status if refused else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        pass


def denied(*actions: str, status: int = 403, code: str = "NoPermission") -> Callable[[Setup], Iterator[None]]:
    def arrange(setup: Setup) -> Iterator[None]:
        if "QueryTokenForMnsQueue" not in actions:
            setup.queues()
        handler = type("Denying", (Denying,), {"denied": actions, "status": status, "code": code})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            for service in ("dybaseapi", "dysmsapi"):
                setup.endpoint(service, f"http://127.0.0.1:{server.server_address[1]}")
            yield
            server.shutdown()
            thread.join()

    return arrange


def proxied(**options: Any) -> Callable[[Setup], Iterator[None]]:
    def arrange(setup: Setup) -> Iterator[None]:
        with HttpProxy({}, **options) as proxy:
            for service in ("mns", "dybaseapi", "dysmsapi"):
                setup.endpoint(service, REMOTE)
            setup.environ["HTTPS_PROXY"] = proxy.url("user:canary-password") if options.get("user") else proxy.url()
            setup.secrets.add("canary-password")
            yield

    return arrange


def skewed(seconds: float) -> Callable[[Setup], Iterator[None]]:
    def arrange(setup: Setup) -> Iterator[None]:
        with Sandbox(Options(port=0, seed=1, skew=seconds)) as other:
            setup.environ |= {n: v for n, v in other.environment().items() if n.endswith("_ENDPOINT")}
            yield

    return arrange


def stalled(setup: Setup) -> Iterator[None]:
    """A service that takes the connection and never answers."""
    import socket

    setup.monkeypatch.setattr(checks, "_CALL", 0.3)
    setup.monkeypatch.setattr(checks, "_QUEUE", 0.4)
    with socket.create_server(("127.0.0.1", 0)) as server:
        setup.endpoint("mns", f"http://127.0.0.1:{server.getsockname()[1]}")
        yield


def spoken(said: bytes, *services: str) -> Callable[[Setup], Iterator[None]]:
    """Something that says this to whoever asks for these services, and hangs up."""

    class Speaking(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(said)

    def arrange(setup: Setup) -> Iterator[None]:
        with ThreadingTCPServer(("127.0.0.1", 0), Speaking) as server:
            thread = Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            for service in services or ("mns",):
                setup.endpoint(service, f"http://127.0.0.1:{server.server_address[1]}")
            yield
            server.shutdown()
            thread.join()

    return arrange


def poisoned(setup: Setup) -> Iterator[None]:
    with Sandbox(Options(port=0, seed=1)) as other:
        other.put(REPORTS, "no base64 at all")
        setup.environ |= {n: v for n, v in other.environment().items() if n.endswith("_ENDPOINT")}
        yield


def open_folder(setup: Setup) -> None:
    setup.store()
    setup.program.store.parent.chmod(0o777)


def full(free: int, least: int = 64 << 20) -> Callable[[Setup], None]:
    def arrange(setup: Setup) -> None:
        bodies = [report(f"138{n:08}", f"{n}^0") for n in range(1500)]
        setup.program.keep("SmsReport", *bodies, received_at=now())
        setup.monkeypatch.setattr(files, "free_bytes", lambda _path: free)
        setup.monkeypatch.setattr(local, "LEAST_FREE", least)

    return arrange


def env(**changes: str | None) -> Callable[[Setup], None]:
    def arrange(setup: Setup) -> None:
        for name, value in changes.items():
            if value is None:
                setup.environ.pop(name, None)
            else:
                setup.environ[name] = value

    return arrange


def steps(*each: Callable[[Setup], object]) -> Callable[[Setup], None]:
    def arrange(setup: Setup) -> None:
        for step in each:
            step(setup)

    return arrange


KEY, SECRET = "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
Arrange = Callable[[Setup], Any]
#: What is broken: how, the check that finds it, its state, what it finds, what to do, and the exit code.
BROKEN: Mapping[str, tuple[Arrange, str, str, str, str, int]] = {
    # keys
    "no key": (Setup.without_key, "keys", "fail", "no credentials", "ALIBABA_CLOUD_ACCESS_KEY_ID", 4),
    "half a key": (env(**{SECRET: None}), "keys", "fail", f"{SECRET} is not set", "aliyun configure", 4),
    "wrong secret": (
        env(**{SECRET: "canary"}), "keys",
        "fail", "SignatureDoesNotMatch", "Copy the AccessKey secret", 4,
    ),
    "wrong id": (env(**{KEY: "LTAIcanary"}), "keys", "fail", "InvalidAccessKeyId", "AccessKey", 4),
    "STS without token": (
        env(**{KEY: "STS.abc"}),
        "keys", "fail", "without its token", "ALIBABA_CLOUD_SECURITY_TOKEN", 4,
    ),
    "key with a line end": (env(**{SECRET: "abc\n"}), "keys", "fail", "white space", "ALIBABA_CLOUD", 4),
    "profile absent": (
        steps(
            lambda s: s.profile(access_key_id="sandbox", access_key_secret="sandbox-secret"),
            lambda s: s.words.extend(["--profile", "y"]),
        ),
        "keys", "fail", "has no profile y", "aliyun configure list", 2,
    ),
    "profile without key": (
        lambda s: s.profile(access_key_id="sandbox"),
        "keys", "fail", "no complete AccessKey", "Set", 4,
    ),
    "profile for all to read": (
        lambda s: s.profile(0o644, access_key_id="sandbox", access_key_secret="sandbox-secret"),
        "keys", "warn", "other users can read .*config.json", "chmod 600 /.*config.json", 3,
    ),
    "profile for all to read, with a wrong secret": (
        lambda s: s.profile(0o644, access_key_id="sandbox", access_key_secret="canary"),
        "keys", "fail", "SignatureDoesNotMatch", "Copy the AccessKey secret", 4,
    ),
    # clock
    "clock ten minutes slow": (skewed(600), "clock", "warn", r"(600|601|599) s behind", "timedatectl", 3),
    "clock ten minutes fast": (skewed(-600), "clock", "warn", r"(600|601|599) s ahead", "timedatectl", 3),
    "clock a day wrong": (
        lambda s: s.seams.update(now=lambda: Instant(now() - 86_400_000)),
        "clock", "fail", r"86,[34]\d\d s behind", "timedatectl", 4,
    ),
    # network
    "no DNS": (
        lambda s: s.endpoint("mns", "nothing.invalid"),
        "endpoint mns", "fail", "cannot be resolved", "getent hosts", 5,
    ),
    "closed port": (
        lambda s: s.endpoint("dybaseapi", "http://127.0.0.1:1"), "endpoint dybaseapi", "fail", "refused", "firewall", 5,
    ),
    "service that never answers": (stalled, "endpoint mns", "fail", "no answer within 0 s", "network", 5),
    "plain http": (
        lambda s: s.endpoint("dysmsapi", "http://example.test"),
        "endpoint dysmsapi", "fail", "plain http", "--insecure-http", 2,
    ),
    "endpoint with a path": (
        lambda s: s.endpoint("mns", "https://example.test/x"),
        "endpoint mns", "fail", "MNS_ENDPOINT: .* no path", "Such as ", 2,
    ),
    "proxy that refuses": (proxied(status=403), "endpoint mns", "fail", "does not let us reach", "permit this host", 5),
    "proxy that wants a password": (
        proxied(user="x:y"),
        "endpoint mns", "fail", "refuses the user and the password", "http://USER:PASSWORD@HOST", 2,
    ),
    "proxy of another kind": (
        steps(lambda s: s.endpoint("mns", REMOTE), lambda s: s.environ.update(HTTPS_PROXY="socks5://127.0.0.1:1")),
        "endpoint mns", "fail", "socks5 proxies are not supported", "http://", 2,
    ),
    "http where https is configured": (
        lambda s: s.endpoint("mns", s.environ["SMSRECEIPT_MNS_ENDPOINT"].replace("http:", "https:")),
        "endpoint mns", "fail", "TLS failed", "is right .*a firewall on the way", 5,
    ),
    "another service at that port": (
        spoken(b"220 mail.example ESMTP\r\n"), "endpoint mns", "fail", "cannot be read", "is right .*a gateway", 5,
    ),
    "firewall that ends connections": (spoken(b""), "endpoint mns", "fail", "broke off", "a firewall on the way", 5),
    "no DNS for a URL": (
        lambda s: s.endpoint("mns", "https://nothing.invalid:8443"),
        "endpoint mns", "fail", "cannot be resolved", "getent hosts nothing.invalid;", 5,
    ),
    "portal that redirects to its login": (
        spoken(b"HTTP/1.1 302 Found\r\nLocation: http://portal/\r\nContent-Length: 0\r\n\r\n", "dysmsapi"),
        "right QuerySendDetails", "fail", "answered 302", "A gateway or proxy", 5,
    ),
    "gateway that asks for a password": (
        spoken(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n", "dybaseapi"),
        f"queue {REPORTS}", "fail", "answered 407", "A gateway or proxy", 5,
    ),
    # queues
    "queue that does not exist": (
        lambda s: s.queues(f"{REPORTS}-other"), f"queue {REPORTS}-other", "fail", "does not exist", "console", 8,
    ),
    "queue of another account": (
        lambda s: s.queues("Alicom-Queue-77-SmsReport"),
        "queue Alicom-Queue-77-SmsReport", "fail", "", "account|queue", 4,
    ),
    "uid with letters": (env(SMSRECEIPT_PULL_UID="10000o1"), "queues", "fail", "is no number", "Alicom-Queue-UID", 2),
    "uid that is a queue": (
        env(SMSRECEIPT_PULL_UID=REPORTS),
        "queues", "fail", "is no number", f"--queue {REPORTS}", 2,
    ),
    "uid without type": (env(SMSRECEIPT_PULL_TYPE=None), "queues", "fail", "belong together", "--uid", 2),
    "queue without type": (lambda s: s.queues("my-queue"), "queues", "fail", "message type", "my-queue=SmsReport", 2),
    "queue named twice": (
        lambda s: s.queues("q=SmsReport", "q=SmsUp"),
        "queues", "fail", "given twice, as SmsReport and as SmsUp", "console", 2,
    ),
    "queue with a blank in its name": (
        lambda s: s.queues("my queue=SmsReport"),
        "queues", "fail", "my queue", "console", 2,
    ),
    "type with a slip": (
        lambda s: s.queues(f"{REPORTS}=SmsReprot"),
        f"queue {REPORTS}", "fail", "AccessDenied", "did you mean SmsReport", 4,
    ),
    "messages that cannot be read": (
        poisoned, f"queue {REPORTS}", "warn", "cannot be read as SmsReport", "pull --peek", 3,
    ),
    # rights
    "no right to ask for details": (
        denied("QuerySendDetails"), "right QuerySendDetails", "warn", "not permitted", "dysms:QuerySendDetails", 3,
    ),
    "no right to ask for totals": (
        denied("QuerySendStatistics"),
        "right QuerySendStatistics", "warn", "not permitted", "dysms:QuerySendStatistics", 3,
    ),
    "no right to queues": (
        denied("QueryTokenForMnsQueue"), f"queue {REPORTS}", "fail", "NoPermission", "dysms:QueryTokenForMnsQueue", 4,
    ),
    "service in trouble": (
        denied("QuerySendStatistics", status=500, code="InternalError"),
        "right QuerySendStatistics", "fail", "InternalError", "", 5,
    ),
    # configuration
    "key with a slip": (
        lambda s: s.config("stor = 'x'"),
        "configuration", "fail", "unknown key: stor", "Did you mean store", 2,
    ),
    "key of a command with a slip": (
        lambda s: s.config("[pull]\nworker = 8"), "configuration", "fail", "pull.worker", "workers", 2,
    ),
    "value of a wrong type": (
        lambda s: s.config("[pull]\nworkers = 'x'"),
        "configuration", "fail", "whole number", "config init", 2,
    ),
    "torn file": (lambda s: s.config("[queues\n"), "configuration", "fail", "line 1", "config init", 2),
    "queue twice in the file": (
        lambda s: s.config('[queues]\nq = "SmsUp"\nq = "SmsReport"'),
        "configuration", "fail", "overwrite a value", "config init", 2,
    ),
    "queue with a blank in the file": (
        lambda s: s.config('[queues]\n"a b" = "SmsUp"'),
        "configuration", "fail", "no name of a queue", "config init", 2,
    ),
    "file that others may change": (
        lambda s: s.config("", 0o666),
        "configuration", "fail", "others may change", "chmod go-w", 2,
    ),
    "file that is not there": (
        lambda s: s.words.extend(["--config", "absent.toml"]), "configuration", "fail", "absent.toml", "config init", 2,
    ),
    # environment
    "variable with a slip": (
        env(SMSRECEIPT_PULL_WORKER="8"),
        "environment", "warn", "PULL_WORKER sets nothing", "SMSRECEIPT_PULL_WORKERS", 3,
    ),
    "variable with a value that its option refuses": (
        env(SMSRECEIPT_PULL_WORKERS="many"),
        "environment", "fail", "SMSRECEIPT_PULL_WORKERS: 'many' is not a valid", "unset SMSRECEIPT_PULL_WORKERS", 2,
    ),
    "variable of which one value is none": (
        env(SMSRECEIPT_LIST_OUTCOME="delivered lost"),
        "environment", "fail", "'lost' is not one of", "unset SMSRECEIPT_LIST_OUTCOME", 2,
    ),
    "variable of nobody": (env(SMSRECEIPT_XYZZY="8"), "environment", "warn", "sets nothing", "unset|mean", 3),
    # store
    "text in place of the store": (
        lambda s: s.program.store.write_text("no store at all\n" * 100), "store", "fail", "not", "", 7,
    ),
    "store of a newer version": (
        lambda s: s.store("PRAGMA user_version = 999"), "store", "fail", "has schema 999", "newer smsreceipt", 7,
    ),
    "store that is a folder": (
        lambda s: s.program.store.mkdir(),
        "store", "fail", "is a directory", "Name a file in it", 2,
    ),
    "store for all to read": (
        steps(lambda s: s.store(), lambda s: s.program.store.chmod(0o644)),
        "store", "warn", "other users can read", "chmod 600", 3,
    ),
    "store in a folder for all to write": (
        open_folder,
        "store", "fail", "anybody may write", "directory of your own", 6,
    ),
    "store on another machine's disk": (
        steps(lambda s: s.store(), lambda s: s.monkeypatch.setattr(files, "_filesystem", lambda _: "nfs4")),
        "store", "fail", "network file system", "local disk", 6,
    ),
    "store that is read-only": (
        steps(lambda s: s.store(), lambda s: s.monkeypatch.setattr(files, "on_read_only_media", lambda _: True)),
        "store", "fail", "cannot be written", "another file with --store", 6,
    ),
    "store that nothing opens": (
        lambda s: s.words.extend(["--store", "mysql://h/d"]),
        "store", "fail", "not supported", "postgresql://", 2,
    ),
    "full disk": (full(1 << 20), "disk", "fail", "1.0 MB free", "Free space", 6),
    "disk that will be full": (full(5 << 20, least=0), "disk", "warn", r"full in \d+ days", "Free space", 3),
    # secret file
    "secret for all to read": (
        lambda s: s.secret_file("0123456789abcdef\n", 0o644), "secret file", "fail", "others can read", "chmod 600", 2,
    ),
    "secret that is too short": (
        lambda s: s.secret_file("canary\n"),
        "secret file", "fail", "line 1", "openssl rand", 2,
    ),
    "secret file without secret": (
        lambda s: s.secret_file("# none\n"),
        "secret file", "fail", "holds no secret", "Delete it", 2,
    ),
    "secret file that leads nowhere": (
        lambda s: s.program.store.with_suffix(".secret").symlink_to("/nonexistent/secret"),
        "secret file", "fail", "leads nowhere", "mounted", 2,
    ),
    # terminal
    "encoding of another time": (lambda s: s.seams.update(encoding="gbk"), "terminal", "warn", "gbk", "export LANG", 3),
    "locale C": (
        steps(
            lambda s: s.environ.update(LC_ALL="C"),
            lambda s: s.seams.update(terminal=True),
            lambda s: s.words.append("--json"),
        ),
        "terminal", "warn", "locale is C", "export LANG", 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_broken_is_found_and_told_with_what_to_do(setup: Setup, broken: str) -> None:
    arrange, check, state, found, fix, code = BROKEN[broken]
    arranged = arrange(setup)
    cleanup = arranged if hasattr(arranged, "__next__") else iter(())
    next(cleanup, None)
    try:
        ended = setup()
    finally:
        for _ in cleanup:
            pass
    (row,) = (each for each in ended.objects if each["check"] == check)
    assert re.fullmatch(state, row["state"]), row
    assert re.search(found, row["found"]), row
    assert re.search(fix, row["fix"] or ""), row
    assert row["fix"]
    assert ended.code == code, ended.out + ended.err
    assert all(secret not in ended.out + ended.err for secret in setup.secrets | {"canary"}), ended.out
    others = [each for each in ended.objects if each["state"] in {"fail", "warn"} and each["check"] != check]
    assert len(others) <= 2, others  # one cause is told once, or where it is plain to see


def test_there_are_forty_of_them() -> None:
    assert len(BROKEN) >= 40


def test_all_is_well(setup: Setup) -> None:
    setup.sandbox.put_object(REPORTS, report())
    before = {path: path.read_bytes() for path in setup.program.home.rglob("*") if path.is_file()}
    ended = setup()
    assert ended.code == 0, ended.out
    assert {each["state"] for each in ended.objects} == {"ok"}
    assert list(ended.objects[0]) == ["check", "state", "found", "fix", "seconds"]
    assert ended.err == f"ok={len(ended.objects)} warn=0 fail=0 skipped=0\n"
    assert re.search(r"SmsReport, 1 messages wait, the oldest came", ended.out)
    after = {path: path.read_bytes() for path in setup.program.home.rglob("*") if path.is_file()}
    assert after == before  # nothing was written, not even a store
    state = setup.sandbox.state()
    assert (state["queued"], state["invisible"], state["deleted"]) == (1, 0, 0)


def test_the_secret_of_forward_is_no_slip(setup: Setup) -> None:
    setup.environ["SMSRECEIPT_FORWARD_SECRET"] = "0123456789abcdef"
    ended = setup("--offline")
    assert (ended.code, {row["check"]: row["state"] for row in ended.objects}["environment"]) == (0, "ok")


def test_offline_calls_nobody(setup: Setup) -> None:
    for service in ("mns", "dybaseapi", "dysmsapi"):
        setup.endpoint(service, "nothing.invalid")
    ended = setup("--offline")
    assert ended.code == 0, ended.out
    skipped = [each["check"] for each in ended.objects if each["state"] == "skipped"]
    assert [each for each in skipped if each.startswith("endpoint")] == [
        "endpoint mns", "endpoint dybaseapi", "endpoint dysmsapi",
    ]  # fmt: skip
    assert f"queue {REPORTS}" in skipped
    assert "clock" in skipped


def test_without_queues_nothing_is_wrong_because_receipts_may_come_by_push(setup: Setup) -> None:
    setup.queues()
    ended = setup()
    (row,) = (each for each in ended.objects if each["check"] == "queues")
    assert (row["state"], row["fix"], ended.code) == ("skipped", "smsreceipt doctor --uid UID --type SmsReport", 0)


def test_the_worst_failure_gives_the_exit_code(setup: Setup) -> None:
    setup.endpoint("mns", "http://127.0.0.1:1")
    setup.program.store.write_text("no store at all\n" * 100)
    setup.environ["LC_ALL"] = "C"
    assert setup().code == 7


def test_an_empty_variable_is_none_as_for_the_command(setup: Setup) -> None:
    setup.environ |= {"SMSRECEIPT_PULL_MAX": "", "SMSRECEIPT_PULL_FOR": "", "SMSRECEIPT_LIST_OUTCOME": ""}
    found = {row["check"]: row["state"] for row in setup().objects}
    assert found["environment"] == "ok"


def test_a_warning_alone_is_exit_3_with_a_sentence_also_when_quiet(setup: Setup) -> None:
    setup.seams["encoding"] = "gbk"
    ended = setup("-q")
    assert (ended.code, ended.err) == (3, "things that a person should look at: 1\n")


def busy(setup: Setup, action: str, limit: int) -> None:
    """As many calls of the action within this second as the provider takes; no key is needed for that."""
    for _ in range(limit):
        with suppress(HTTPError):
            urllib.request.urlopen(f"{setup.sandbox.url}/?Action={action}").close()  # noqa: S310 - on loopback


def test_a_wrong_key_is_told_once_also_while_calls_are_throttled(setup: Setup) -> None:
    setup.environ |= {SECRET: "canary"}
    setup.queues("a=SmsReport", "b=SmsUp")
    busy(setup, "QuerySendStatistics", 20)
    states = {row["check"]: row["state"] for row in setup().objects}
    assert [check for check, state in states.items() if state == "fail"] == ["keys"]
    assert states["queue a"] == states["queue b"] == "skipped"


def test_a_right_is_not_judged_while_its_calls_are_throttled(setup: Setup) -> None:
    busy(setup, "QuerySendStatistics", 20)
    found = {row["check"]: row for row in setup().objects}
    assert found["right QuerySendStatistics"]["state"] == "skipped"
    assert "too many calls a second" in found["right QuerySendStatistics"]["found"]
    assert found["keys"]["state"] == found["right QuerySendDetails"]["state"] == "ok"


def test_a_check_that_hangs_costs_no_more_than_its_deadline(setup: Setup) -> None:
    arranged = stalled(setup)
    next(arranged)
    began = time.monotonic()
    ended = setup()
    assert time.monotonic() - began < 3
    assert ended.code == 5
    list(arranged)


def test_looking_back_at_a_large_store_may_take_too_long(setup: Setup) -> None:
    over = Event()
    slow = Check("outages", 0.05, lambda: ok(str(over.wait(5)), ""), late=0)
    setup("--offline")
    [finding] = look(setup.program.app, [slow], offline=True)
    over.set()
    assert (finding.state, finding.found[0]) == (State.SKIPPED, "no answer within 0 s")


@pytest.mark.parametrize("lines", [24, 12])
@pytest.mark.parametrize("chinese", [False, True])
def test_the_screen_is_never_longer_than_the_terminal(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, lines: int, chinese: bool
) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_, **__: os.terminal_size((80, lines)))
    setup.environ |= {"LANG": "zh_CN.UTF-8" if chinese else "C.UTF-8", SECRET: "canary"}
    setup.queues(*(f"q{n}=SmsReport" for n in range(30)))
    setup.secret_file("short\n")
    setup.config("stor = 1")
    ended = setup(terminal=True, stderr_is_tty=True, columns=80)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", ended.out).splitlines()
    assert len(shown) + 1 < lines
    assert "stor" in ended.out
    assert "smsreceipt doctor -v" in ended.out
    assert ("失败 3 项" if chinese else "3 failed") in ended.err
    assert "ok=" not in ended.err
    whole = setup("-v", terminal=True, columns=80).out
    assert sum("q29" in line for line in whole.splitlines()) == 1


def test_the_screen_lists_what_is_well_where_there_is_room(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_, **__: os.terminal_size((80, 40)))
    shown = setup(terminal=True, stderr_is_tty=True, columns=80)
    assert sum(line.startswith("\x1b[32m✓") for line in shown.out.splitlines()) == 18
    assert shown.err.splitlines()[-1].endswith("all is well")


def test_a_store_in_a_database_is_looked_at_too(setup: Setup, tmp_path: Path) -> None:
    from tests import postgres

    if not postgres.available():
        pytest.skip("no PostgreSQL")
    with postgres.database() as setup.program.location:
        ended = setup()
        rows = {each["check"]: each for each in ended.objects}
        assert (ended.code, rows["store"]["state"], rows["disk"]["state"]) == (0, "ok", "skipped")
