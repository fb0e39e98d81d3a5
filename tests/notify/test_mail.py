"""E-mail to a server on loopback."""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest

from smsreceipt.notify.mail import Mail
from smsreceipt.notify.message import Attachment, Item, Message
from smsreceipt.notify.robots import NotTold
from tests.aliyun.peer import certify
from tests.cli.program import Program, report
from tests.notify.test_robots import message

NO_ANSWERS: Mapping[str, str] = {}
PASSWORD = "canaryPasswordOfTheMail"


class Server(socketserver.ThreadingTCPServer):
    """Takes mail. *tls*: from the first byte; *starttls*: when it is asked for. *answers* replace answers by verb."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, tls: ssl.SSLContext | None, starttls: ssl.SSLContext | None, answers: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.starttls, self.answers = starttls, answers
        self.mails: list[EmailMessage] = []
        self.receivers: list[str] = []
        self.logins: list[str] = []
        self.secured = tls is not None
        self.plugs: list[ssl.SSLSocket] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no error of the server."""


class _Session(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        self.say("220 loopback")
        while line := self.rfile.readline():
            if not self.answer(line.decode().strip()):
                return

    def say(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(text.encode() + b"\r\n")

    def answer(self, line: str) -> bool:
        verb = line.split(maxsplit=1)[0].upper() if line else ""
        if verb in self.server.answers:
            if not self.server.answers[verb]:
                return False  # cut
            self.say(self.server.answers[verb])
        elif verb == "EHLO":
            self.say(f"250-loopback\r\n250-{'STARTTLS' if self.server.starttls else 'SIZE'}\r\n250 AUTH PLAIN")
        elif verb == "STARTTLS" and self.server.starttls:
            self.say("220 go on")
            self.connection = self.server.starttls.wrap_socket(self.connection, server_side=True)
            self.server.plugs.append(self.connection)
            self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
            self.server.secured = True
        elif verb == "AUTH":
            login = base64.b64decode(line.rsplit(maxsplit=1)[-1]).decode()
            self.server.logins.append(login)
            self.say("235 ok" if PASSWORD in login else "535 no")
        elif verb == "RCPT":
            self.server.receivers.append(line.split(":", 1)[1])
            self.say("550 no such user" if "nobody" in line else "250 ok")
        elif verb == "DATA":
            self.say("354 go on")
            lines = []
            while (piece := self.rfile.readline()) != b".\r\n":
                lines.append(piece.removeprefix(b"."))
            found = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
            self.server.mails.append(found)
            self.say("250 queued")
        elif verb == "QUIT":
            self.say("221 bye")
            return False
        else:
            self.say("250 ok")
        return True


@contextmanager
def serving(
    tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, answers: Mapping[str, str] = NO_ANSWERS
) -> Iterator[Server]:
    server = Server(tls, starttls, answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        for plug in server.plugs:
            plug.close()
        thread.join()


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = certify(tmp_path / "peer.pem")
    made.load_cert_chain(pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    return made


ONE = "from=alarm@example.com&to=ops@example.com"


def account(scheme: str, port: int, query: str = ONE, key: str = PASSWORD) -> Mail:
    return Mail.at(f"{scheme}://alarm%40example.com@127.0.0.1:{port}?{query}", key, where="mail: X")


def test_mail_over_tls_carries_the_report_when_asked(context: ssl.SSLContext) -> None:
    told = Message("smsreceipt：1 个告警", [Item("成功率 65.2 %", "smsreceipt stats", True, {})], "", [
        Attachment("report-2026-11-20.html", "html", b"<p>1</p>")
    ])  # fmt: skip
    with serving(tls=context) as server:
        account("smtps", server.port, "from=alarm@example.com&to=a@example.com&to=b@example.com&report=yes").send(told)
        account("smtps", server.port).send(told)
    first, second = server.mails
    assert server.logins[0] == f"\0alarm@example.com\0{PASSWORD}"
    assert (first["Subject"], first["To"]) == ("smsreceipt：1 个告警", "a@example.com, b@example.com")
    body = first.get_body()
    assert body is not None
    assert "成功率 65.2 %" in body.get_content()
    assert [part.get_filename() for part in first.iter_attachments()] == ["report-2026-11-20.html"]
    assert [*second.iter_attachments()] == []


def mailing(port: int) -> dict[str, str]:
    return {"MAIL": f"smtp://127.0.0.1:{port}?from=alarm@example.com&to=ops@example.com&report=yes"}


@pytest.mark.each_engine
def test_an_alarm_by_mail_carries_the_page_of_the_day(program: Program) -> None:
    today = {"send_time": "2026-11-21 08:00:00", "report_time": "2026-11-21 08:00:04"}
    program.keep("SmsReport", report("13800001234", "1^0", **today))
    program.keep("SmsUp", b"{")
    with serving() as server:
        ended = program("watch", "--once", "--notify", "mail:env:MAIL", "--lang", "zh", environ=mailing(server.port))
    assert (ended.code, ended.err.count("\n")) == (3, 1)
    (mail,) = server.mails
    (page,) = mail.iter_attachments()
    assert (page.get_filename(), page.get_content_type()) == ("report-2026-11-21.html", "text/html")
    text = page.get_content()
    assert '<html lang="zh-CN">' in text
    assert '"delivered":1,' in text
    assert "13800001234" not in text


def test_an_alarm_is_told_though_its_report_cannot_be_made(program: Program, tmp_path: Path) -> None:
    program.keep("SmsUp", b"{")
    config = tmp_path / "conf.toml"
    config.write_text('[stats]\nprefixes = "nowhere.dat"\n')
    with serving() as server:
        words = ("--config", str(config), "watch", "--once", "--notify", "mail:env:MAIL")
        ended = program(*words, environ=mailing(server.port))
    assert ended.code == 3
    assert "the report could not be attached: " in ended.err
    assert [[*mail.iter_attachments()] for mail in server.mails] == [[]]


def test_starttls_comes_before_the_password(context: ssl.SSLContext) -> None:
    with serving(starttls=context) as server:
        account("smtp", server.port).send(message())
    assert server.secured
    assert len(server.mails) == len(server.logins) == 1


def test_without_tls_only_loopback_gets_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    real = socket.create_connection
    with serving() as server:
        account("smtp", server.port, key="").send(message())
        monkeypatch.setattr(socket, "create_connection", lambda at, *more: real(("127.0.0.1", at[1]), *more))
        far = Mail.at(f"smtp://a@mail.example.com:{server.port}?{ONE}", PASSWORD, where="")
        with pytest.raises(NotTold, match="offers no TLS"):
            far.send(message())
    assert (len(server.mails), server.logins) == (1, [])


@pytest.mark.parametrize(
    ("answers", "told", "again"),
    [
        ({"AUTH": "535 5.7.8 canary is wrong"}, r"refuses user and password \(535\)", False),
        ({"MAIL": "451 try later"}, r"answered \(451\)", True),
        ({"DATA": "552 too large"}, r"answered \(552\)", False),
        ({"MAIL": ""}, "broke off", True),
        ({"EHLO": "garbage\r\nmore garbage", "HELO": "garbage"}, "127.0.0.1", True),
    ],
)
def test_refusals_are_told_without_the_servers_words(answers: dict[str, str], told: str, again: bool) -> None:
    with serving(answers=answers) as server, pytest.raises(NotTold, match=told) as refused:
        account("smtp", server.port).send(message())
    assert "canary" not in str(refused.value)
    assert refused.value.again is again


@pytest.mark.parametrize("query", ["to=nobody@example.com", "to=nobody@example.com&to=ops@example.com"])
def test_a_receiver_that_the_server_refuses_is_counted(query: str) -> None:
    with serving() as server, pytest.raises(NotTold, match="takes no mail for 1 of") as refused:
        account("smtp", server.port, f"from=alarm@example.com&{query}").send(message())
    assert "nobody" not in str(refused.value)
