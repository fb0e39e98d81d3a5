"""How `smsreceipt listen` gets its socket and its secrets, and what it refuses to start with."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from smsreceipt.sources.push.secrets import PushSecrets
from tests.cli.listening import SECRET, Listen, until
from tests.cli.program import Program, report
from tests.cli.test_listen import Place
from tests.locks import locked


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "receipts.db"


def test_addresses_that_are_taken(store: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        program = Program(store.parent)
        ended = program("listen", "--bind", address, "--min-free", "0")
        assert (ended.code, ended.err.splitlines()[0]) == (
            2, f"error: --bind: cannot listen on {address}: Address already in use",
        )  # fmt: skip
        assert "--bind 127.0.0.1:" in ended.err
        assert not program.store.exists()
        listen = Listen(store, metrics=address)
        assert listen.ended() == 2
        assert f"error: --metrics-bind: cannot listen on {address}" in listen.talk


def test_an_address_of_another_machine_is_called_so(store: Path) -> None:
    ended = Program(store.parent)("listen", "--bind", "192.0.2.1:8080", "--min-free", "0")
    assert ended.code == 2
    assert "hint: This machine has no such address" in ended.err


def test_a_default_address_for_metrics_that_is_taken_is_a_warning(store: Path) -> None:
    with ExitStack() as stack:

        def take() -> bool:
            with suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", 9464)))
                return True
            return False

        with suppress(AssertionError):  # another run of the tests gives it back; who else has it does as well
            until(take)
        with Listen(store, metrics="") as listen:
            assert "warning: no metrics: --metrics-bind: cannot listen on 127.0.0.1:9464" in listen.talk
            assert listen.push(report()) == 200


@pytest.mark.parametrize("host", ["no..host", "x" * 70])
def test_a_host_that_cannot_even_be_looked_up_is_2(tmp_path: Path, host: str) -> None:
    program = Program(tmp_path)
    bound = program("listen", "--bind", f"{host}:80", "--min-free", "0")
    assert (bound.code, f"error: --bind: {host}:80 is no address of this machine" in bound.err) == (2, True)
    metrics = Listen(tmp_path / "receipts.db", metrics=f"{host}:80")
    assert metrics.ended() == 2
    assert f"error: --metrics-bind: cannot listen on {host}:80: no name of a host" in metrics.talk


@pytest.mark.parametrize("text", ["8080", "127.0.0.1", "127.0.0.1:99999", "::1:8080", "x:y", "127.0.0.1:"])
def test_an_address_that_cannot_be_is_2(tmp_path: Path, text: str) -> None:
    ended = Program(tmp_path)("listen", "--bind", text)
    assert ended.code == 2
    assert "is no address" in ended.err


def test_a_socket_that_was_passed_on_outlives_the_listener(store: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        number = door.fileno()
        with Listen(store, "--fd", str(number), bind="", pass_fds=[number]) as listen:
            assert listen.push(report(biz_id="1^0")) == 200
            assert listen.stop() == 143
        with socket.create_connection(door.getsockname(), timeout=20) as line:  # nobody is there to answer yet
            body = json.dumps([report(biz_id="2^0")]).encode()
            line.sendall(f"POST /{SECRET} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            with Listen(store, "--fd", str(number), bind="", pass_fds=[number]) as listen:
                answer = line.recv(4096).split(b" ")[1]
                assert answer in {b"200", b"503"}  # 503: on a busy machine its store is open later than the door
                if answer == b"503":
                    assert listen.push(report(biz_id="2^0")) == 200
                assert listen.stop() == 143
    assert len(Place(store.parent, None).stored()) == 2


def test_a_socket_passed_as_systemd_does(store: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        script = f'exec 3<&{door.fileno()}; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
        with Listen(store, bind="", wrap=("bash", "-c", script, "bash"), pass_fds=[door.fileno()]) as listen:
            assert listen.port == door.getsockname()[1]
            assert listen.push(report()) == 200
            assert listen.stop() == 143


def test_a_descriptor_that_is_no_listening_socket_is_2(store: Path) -> None:
    with socket.socket() as unbound, store.with_name("file").open("wb") as file:
        for descriptor, said in ((unbound, "is no listening TCP socket"), (file, "is no socket")):
            number = descriptor.fileno()
            listen = Listen(store, "--fd", str(number), bind="", pass_fds=[number])
            assert listen.ended() == 2
            assert f"error: descriptor {number} {said}" in listen.talk
    for number in (2**31, 2**70):
        ended = Program(store.parent)("listen", "--fd", str(number), "--min-free", "0")
        assert (ended.code, f"error: descriptor {number} is no socket" in ended.err) == (2, True)


def test_more_connections_than_the_system_allows_are_2(store: Path) -> None:
    ended = subprocess.run(
        ["bash", "-c", f"ulimit -n 200; exec {sys.executable} -m smsreceipt listen --store {store}"],
        capture_output=True, text=True, check=False, timeout=20, env={**os.environ, "HOME": str(store.parent)},
    )  # fmt: skip
    assert ended.returncode == 2
    assert "--max-connections 256: this process may open only 200 files" in ended.stderr


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (SECRET, 0o644, "others can read the secret file"),
        (SECRET, 0o640, "others can read the secret file"),
        ("# nothing\n\n", 0o600, "holds no secret"),
        ("fine-and-long-enough\nwith/slash-0123456789", 0o600, "line 2 of the secret file"),
        ("tooshort", 0o600, "line 1 of the secret file"),
    ],
)
def test_a_secret_file_that_cannot_be_trusted_is_refused(store: Path, text: str, mode: int, said: str) -> None:
    file = store.parent / "push.secret"
    file.write_text(text)
    file.chmod(mode)
    ended = Program(store.parent)("listen", "--secret-file", str(file), "--bind", "127.0.0.1:0", "--min-free", "0")
    assert (ended.code, said in ended.err, text in ended.err) == (2, True, False)


def test_a_byte_order_mark_is_no_part_of_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "push.secret"
    file.write_text(f"{SECRET}\n", "utf-8-sig")
    file.chmod(0o600)
    assert PushSecrets(file).current == SECRET


def test_a_secret_file_that_cannot_be_there_is_2(tmp_path: Path) -> None:
    program = Program(tmp_path)
    for path in ("x" * 300, "/dev/null/push.secret", str(tmp_path)):
        ended = program("listen", "--secret-file", path, "--bind", "127.0.0.1:0", "--min-free", "0")
        assert (ended.code, f"error: the secret file {path} cannot be " in ended.err) == (2, True)


def test_a_full_disk_at_the_start_is_6_before_anything_is_made(tmp_path: Path) -> None:
    program = Program(tmp_path)
    ended = program("listen", "--min-free", "900000GiB")
    assert ended.code == 6
    assert "less than --min-free" in ended.err
    assert not program.store.exists()


@pytest.mark.parametrize("exists", [True, False])
def test_it_serves_before_it_waits_for_a_locked_store(store: Path, exists: bool) -> None:
    if exists:
        Program(store.parent).keep("SmsReport", report())
        assert store.exists()
    with locked(store), Listen(store, ready=False) as listen:
        began = time.monotonic()
        assert listen.push(report("13800008000", "2^0")) == 503
        assert listen.ask("GET", "/healthz")[0] == 503
        assert time.monotonic() - began < 1.2  # two answers of at most 600 ms
        assert listen.ask("GET", f"/{SECRET}") == (200, {"code": 0, "msg": "成功"})
    with Listen(store) as listen:
        with locked(store):
            pass
        until(lambda: listen.ask("GET", "/healthz")[0] == 200)
        assert listen.push(report("13800008000", "2^0")) == 200
        assert listen.stop() == 143
    assert "2^0" in [each.receipt.biz_id for each in Place(store.parent, None).stored()]


def test_a_lock_that_goes_lets_it_begin_and_a_signal_ends_the_waiting(store: Path) -> None:
    Program(store.parent).keep("SmsReport", report())
    with locked(store), Listen(store, ready=False) as listen:
        assert listen.push(report("13800008000", "2^0")) == 503
        assert listen.stop() == 143
    other = locked(store)
    other.__enter__()
    with Listen(store, ready=False) as listen:
        assert listen.push(report("13800008000", "3^0")) == 503
        other.__exit__(None, None, None)
        until(lambda: listen.push(report("13800008000", "3^0")) == 200)
        assert listen.stop() == 143


def test_a_damaged_store_ends_it_at_once(store: Path) -> None:
    store.write_bytes(b"this is no store" * 1000)
    listen = Listen(store)
    assert listen.ended() == 7
    assert "error:" in listen.talk


def test_the_prefix_is_part_of_the_url_that_is_shown(store: Path) -> None:
    with Listen(store, "--path-prefix", "sms/cb/", secret=None) as listen:
        url = listen.said(r"\n  http://127\.0\.0\.1:\d+(/sms/cb/[0-9a-f]{32})\n")[1] + "/SmsReport"
        assert listen.ask("GET", url)[0] == 200
        assert listen.push_bytes(json.dumps([report()]).encode(), url) == 200


def test_a_path_with_the_secret_that_is_no_callback_url_is_said_at_once_and_others_are_not(store: Path) -> None:
    with Listen(store) as listen:
        assert listen.push_bytes(b"[]", "/not-the-secret-of-anybody/SmsReport") == 404
        assert listen.push_bytes(b"[]", f"/{SECRET}/SmsReport/SmsReport") == 404
        listen.said(r"warning: 1 request had the secret, but not one message type behind it, and was answered 404\n")
        assert listen.stop() == 143
    assert listen.talk.count("answered 404") == 1


def test_pushes_that_are_too_large_and_new_rejects_are_said_at_once(store: Path) -> None:
    with Listen(store) as listen:
        for _ in range(3):
            with suppress(OSError):
                listen.push_bytes(b"[" + b" " * (1 << 20) + b"]")
        listen.said(r"warning: \d pushes were too large and answered 413")
    with Listen(store) as listen:
        assert listen.push_bytes(b"this is no JSON") == 200
        listen.said(r"what could not be read is kept \(1 new, base64\): smsreceipt rejects list\n")
        assert listen.stop() == 143
