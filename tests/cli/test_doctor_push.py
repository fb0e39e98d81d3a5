"""`doctor --push URL`: does to a callback what the console does, and tells what is wrong with it."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.model import Instant
from smsreceipt.runs.doctor import callback
from tests.cli.listening import SECRET, Listen
from tests.cli.program import Ended, Program

PATH = f"/{SECRET}/SmsReport"


class Callback(BaseHTTPRequestHandler):
    """A callback that is set up well; cases break one thing."""

    protocol_version = "HTTP/1.1"
    delay = 0.0
    limit = 1 << 21
    status: Mapping[str, int] = {}  #: by method
    secret = True  #: it is compared
    upgrade = "ignored"
    interim = 0  #: the status of an answer before each

    def do_GET(self) -> None:
        self._take("GET")

    def do_POST(self) -> None:
        self._take("POST")

    def _take(self, method: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Upgrade") and self.upgrade == "cut":
            self.close_connection = True
            return
        if length > self.limit:
            self.close_connection = True
            self._answer(413)
            return
        self.rfile.read(length)
        time.sleep(self.delay)
        if self.headers.get("Upgrade") and self.upgrade == "refused":
            self._answer(400)
        elif self.secret and self.path != PATH:
            self._answer(404)
        else:
            self._answer(self.status.get(method, 200))

    def _answer(self, status: int) -> None:
        body = b'{"code":0}' if status == 200 else b""
        if self.interim:
            self.send_response(self.interim)
            self.end_headers()
        self.send_response(status)
        if status == 301:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        pass


@contextmanager
def serving(**broken: Any) -> Iterator[str]:
    handler = type("Broken", (Callback,), broken)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def look(program: Program, url: str, **seams: Any) -> Ended:
    """The whole of `doctor`; only the callback is called, because there is no key, and no queue is configured."""
    environ = {f"SMSRECEIPT_{name}_ENDPOINT": "http://127.0.0.1:1" for name in ("MNS", "DYBASEAPI", "DYSMSAPI")}
    return program("doctor", "--push", url, environ=environ, now=_now, **seams)


def _now() -> Instant:
    return Instant(time.time_ns() // 1_000_000)


def rows(ended: Ended) -> dict[str, dict[str, Any]]:
    """The findings about the callback."""
    return {each["check"]: each for each in ended.objects if each["check"].startswith("push")}


#: What is broken, the check that finds it, its state, what it finds, and what to do.
BROKEN: Mapping[str, tuple[dict[str, Any], str, str, str, str]] = {
    "slower than the provider waits": (
        {"delay": 0.75},
        "push POST",
        "fail",
        "after 7[5-9]\\d ms; .* 700 ms",
        "slow proxy",
    ),
    "nearly as slow": ({"delay": 0.4}, "push GET", "warn", "after 4\\d\\d ms of the 700 ms", "slow proxy"),
    "GET refused": ({"status": {"GET": 405}}, "push GET", "fail", "GET is answered 405", "limit_except"),
    "POST refused": ({"status": {"POST": 405}}, "push POST", "fail", "POST is answered 405", "limit_except"),
    "login asked for": ({"status": {"GET": 401, "POST": 401}}, "push POST", "fail", "answered 401", "login"),
    "nobody behind the proxy": ({"status": {"GET": 502, "POST": 502}}, "push POST", "fail", "502", "listen` running"),
    "redirect": ({"status": {"GET": 301, "POST": 301}}, "push GET", "fail", "301", "no redirect"),
    "upgrade that ends the connection": ({"upgrade": "cut"}, "push Upgrade", "fail", "GET: ", 'Upgrade ""'),
    "upgrade that is refused": ({"upgrade": "refused"}, "push Upgrade", "fail", "answered 400", 'Upgrade ""'),
    "body limit": ({"limit": 65536}, "push size", "fail", "1,000,000 bytes is answered 413", "client_max_body_size"),
    "any secret will do": ({"secret": False}, "push wrong secret", "fail", "anybody may push", "compares the secret"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_broken_is_found_and_told_with_what_to_do(program: Program, broken: str) -> None:
    attributes, check, state, found, fix = BROKEN[broken]
    with serving(**attributes) as url:
        ended = look(program, url + PATH)
    row = rows(ended)[check]
    assert row["state"] == state, row
    assert re.search(found, row["found"]), row
    assert re.search(fix, row["fix"]), row
    assert SECRET not in ended.out + ended.err


@pytest.mark.parametrize("interim", [100, 102, 103])
def test_interim_answers_are_passed_over(program: Program, interim: int) -> None:
    with serving(interim=interim) as url:
        found = rows(look(program, url + PATH))
    assert {found[check]["state"] for check in ("push GET", "push POST", "push size", "push wrong secret")} == {"ok"}


def test_a_wrong_secret(program: Program) -> None:
    with serving() as url:
        found = rows(look(program, f"{url}/another-secret-in-the-path/SmsReport"))
    assert (found["push GET"]["state"], found["push GET"]["found"]) == ("fail", "GET is answered 404, not 200")
    assert "listen` prints" in found["push GET"]["fix"]
    assert found["push size"]["state"] == found["push Upgrade"]["state"] == "skipped"


def test_nobody_listens_and_it_is_told_once(program: Program) -> None:
    found = rows(look(program, f"http://127.0.0.1:1{PATH}"))
    assert (found["push GET"]["state"], found["push GET"]["found"]) == ("fail", "no connection: connection refused")
    assert {found[name]["state"] for name in ("push POST", "push Upgrade", "push size", "push wrong secret")} == {
        "skipped"
    }


def test_a_name_that_nobody_knows(program: Program) -> None:
    row = rows(look(program, f"https://nothing.invalid{PATH}"))["push address"]
    assert (row["state"], row["found"]) == ("fail", "nothing.invalid cannot be resolved")
    assert row["fix"].endswith("getent hosts nothing.invalid")


def test_an_address_that_the_provider_cannot_reach(program: Program) -> None:
    with serving() as url:
        row = rows(look(program, url + PATH))["push address"]
    assert (row["state"], "checked from this machine" in row["found"]) == ("warn", True)


@pytest.mark.parametrize("url", ["ftp://x/y", "sms.example.com/secret", "http://[x"])
def test_what_is_no_url(program: Program, url: str) -> None:
    row = rows(look(program, url))["push"]
    assert (row["state"], row["fix"]) == ("fail", "The one of the console: https://HOST/SECRET/SmsReport")


def test_a_path_without_secret(program: Program) -> None:
    with serving(secret=False) as url:
        row = rows(look(program, f"{url}/sms/SmsReport"))["push wrong secret"]
    assert (row["state"], row["found"]) == ("warn", "the path holds no secret: anybody may push")


def test_one_that_takes_the_connection_and_never_answers(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback, "_PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        row = rows(look(program, f"http://127.0.0.1:{server.getsockname()[1]}{PATH}"))["push GET"]
    assert (row["state"], row["found"]) == ("fail", "GET is not answered within 0 s")


def test_the_listener_itself_is_well_and_stores_nothing(program: Program, tmp_path: Path) -> None:
    with Listen(program.store) as listen:
        url = f"http://127.0.0.1:{listen.port}"
        found = rows(look(program, f"{url}{PATH}"))
        assert {name: row["state"] for name, row in found.items()} == {
            "push address": "warn",
            "push GET": "ok",
            "push POST": "ok",
            "push Upgrade": "ok",
            "push size": "ok",
            "push wrong secret": "ok",
        }
        (status,) = program("status").objects
        assert (status["receipts"], status["rejects"]) == (0, 0)
        from_file = rows(look(program, url))  # the secret is that of the file beside the store
        assert (from_file["push GET"]["state"], from_file["push wrong secret"]["state"]) == ("ok", "ok")
        placeholder = rows(look(program, f"{url}/{SECRET}/{{kind}}"))
        assert placeholder["push POST"]["state"] == "ok"


def test_a_host_alone_needs_the_secret_file(program: Program) -> None:
    row = rows(look(program, "https://sms.example.com"))["push"]
    assert (row["state"], row["fix"]) == ("fail", "Start `smsreceipt listen` first.")
