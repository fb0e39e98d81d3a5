"""Marked keys, tokens, numbers and a text: whatever goes wrong, they turn up only where they belong."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import click
import pytest

from smsreceipt.aliyun import credentials
from smsreceipt.aliyun.credentials import Credentials, Fixed
from smsreceipt.app import App
from smsreceipt.cli import COMMANDS, tool
from smsreceipt.model import BEIJING
from smsreceipt.sandbox import FAULTS, Options, PastSend, Sandbox
from tests.cli.program import CALL_ENDED, REPLY, Program, report

KEY_ID, SECRET, TOKEN = "LTAIcanaryKeyId", "canarySecretOfTheKey", "canaryTokenOfTheSts"
PHONES = ("13800001234", "13900005678", "17000009999")
TEXT = "canary 您的验证码是 246810"
RECEIPTS = {
    "SmsReport": report(PHONES[0]),
    "SmsUp": {**REPLY, "phone_number": PHONES[1], "content": TEXT},
    "SecretReport": {**CALL_ENDED, "phone_no": PHONES[0], "secret_no": PHONES[2], "peer_no": PHONES[1]},
}
POISON = json.dumps({**report(PHONES[0]), "success": "perhaps", "content": TEXT}, ensure_ascii=False)
QUEUES = [word for kind in RECEIPTS for word in ("--queue", f"Alicom-Queue-1000000001-{kind}")]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    shares = dict.fromkeys(FAULTS, 0.1) | {"throttle": 0.03, "stall": 0.0}
    sandbox = Sandbox(Options(port=0, seed=7, visibility=1, faults=shares))
    for kind, fields in RECEIPTS.items():
        sandbox.put_object(kind, *[{**fields, "out_id": str(n)} for n in range(20)])
    sandbox.put("Alicom-Queue-1000000001-SmsReport", base64.b64encode(POISON.encode()))
    noon = (datetime.now(BEIJING) - timedelta(days=1)).replace(hour=12).timestamp()
    sandbox.remember(
        PastSend(phone=phone, biz_id=f"{n}^0", sent=noon, reported=noon, content=TEXT) for n, phone in enumerate(PHONES)
    )
    sandbox.start()
    yield sandbox
    sandbox.stop()


def secrets_of(sandbox: Sandbox) -> set[bytes]:
    """Every key and token that the program held; the id of the published key is also the sandbox's name."""
    issued = sandbox._keys._tokens.values()
    assert issued
    found = {sandbox.environment()["ALIBABA_CLOUD_ACCESS_KEY_SECRET"].encode()}
    for token in issued:
        found |= {token.access_key_id.encode(), token.secret, token.security_token}
    return found


def people() -> set[bytes]:
    return {word.encode(code) for code in ("utf-8", "utf-16-le") for word in (*PHONES, TEXT, "246810")} | {
        json.dumps(TEXT).strip('"').encode()
    }


def found_in(data: bytes, words: set[bytes]) -> set[bytes]:
    return {word for word in words if word in data}


@pytest.mark.slow
def test_under_every_fault_secrets_turn_up_nowhere_and_people_only_in_the_store(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    store, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    elsewhere.mkdir()
    sent, bad = f"{datetime.now(BEIJING) - timedelta(days=1):%Y-%m-%d} 12:00:00", f"{PHONES[0]}{TEXT}"
    rows = [f"{phone},{biz_id},{sent},{TEXT}" for n, phone in enumerate((*PHONES, bad)) for biz_id in (f"{n}^0", "9^0")]
    (tmp_path / "sent.csv").write_text("\n".join(["phone,biz_id,sent_at,content", *rows, f"{PHONES[1]},,{TEXT}"]))
    environ = {
        **os.environ,
        **sandbox.environment(),
        "SMSRECEIPT_STORE": str(store / "receipts.db"),
        "HOME": str(elsewhere),
        "TMPDIR": str(elsewhere),
    }
    talk = b""
    for words in (
        ("pull", *QUEUES, "--wait", "0", "--for", "6s"),
        ("query-details", "--date", "yesterday", "--phone", PHONES[0], "--phone", PHONES[1], "--save"),
        ("sends", "import", str(tmp_path / "sent.csv")),
        ("sends", "list"),
        ("reconcile", "--date", "yesterday", "--min-age", "0s", "--dry-run", "--details", "-"),
        ("reconcile", "--date", "yesterday", "--min-age", "0s", "--details", "-"),
        ("reconcile", "--date", "yesterday", "--totals"),
        ("list", "--history", "--limit", "100"),
        ("show", "call-1"),
        ("rejects", "list"),
        ("status",),
        ("config", "show"),
    ):
        ended = subprocess.run(
            [sys.executable, "-X", "dev", "-m", "smsreceipt", "-vvv", "--debug", "-o", "table", *words],
            env=environ,
            cwd=elsewhere,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert ended.returncode in {0, 3, 5}, ended.stderr.decode()  # 5: with bad luck the retry budget is spent
        talk += ended.stdout + ended.stderr
    assert b"138****1234" in talk
    secrets = secrets_of(sandbox)
    assert not found_in(talk, secrets | people())
    left = b"".join(path.read_bytes() for path in elsewhere.rglob("*") if path.is_file())
    assert not found_in(left, secrets | people())
    kept = b"".join(path.read_bytes() for path in store.iterdir())
    assert not found_in(kept, secrets)
    assert found_in(kept, people())


@pytest.mark.parametrize("verbose", [(), ("-vvv", "--debug")])
def test_a_key_that_is_refused_is_not_named(program: Program, verbose: tuple[str, ...]) -> None:
    with Sandbox(Options(port=0)) as sandbox:
        environ = sandbox.environment() | {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": KEY_ID,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET,
            "ALIBABA_CLOUD_SECURITY_TOKEN": TOKEN,
        }
        ended = program(*verbose, "pull", *QUEUES, "--wait", "0", environ=environ)
    assert ended.code == 4
    assert not re.search("canary", ended.err + ended.out, re.IGNORECASE)


def test_a_bug_of_ours_quotes_nothing(program: Program) -> None:
    def opener(*_: object) -> None:
        raise RuntimeError(TEXT) from ValueError(f"{PHONES[0]} {SECRET}")

    ended = program("-vvv", "--debug", "status", opener=opener)
    assert ended.code == 1
    assert "builtins.RuntimeError" in ended.err
    assert "test_canary.py" in ended.err
    assert not found_in(ended.err.encode(), {PHONES[0].encode(), SECRET.encode(), b"246810"})


#: Ways past the boundary: a thread, a finalizer, and the end of the process.
PAST_THE_BOUNDARY = """
import atexit, sys, threading
import smsreceipt.cli.main as boundary

class Wreck:
    def __del__(self):
        raise RuntimeError(sys.argv[1])

def fail():
    raise RuntimeError(sys.argv[1]) from ValueError(sys.argv[1])

def leave(*_):
    for target in (fail, sys.exit):
        thread = threading.Thread(target=target, name=sys.argv[1])
        thread.start()
        thread.join()
    Wreck()
    fail()

boundary._Run.finish = leave
boundary.main()
"""


def test_exceptions_that_reach_nobody_quote_nothing() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PAST_THE_BOUNDARY, f"{PHONES[0]} {SECRET} {TEXT}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert not found_in(ended.stderr.encode(), {PHONES[0].encode(), SECRET.encode(), b"246810"})
    titles = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert titles == [
        "error: internal, in a thread",
        "error: internal, nobody to be told",
        "error: internal",
    ]
    assert ended.stderr.count("builtins.RuntimeError") == 3
    assert " in fail" in ended.stderr


def test_what_holds_a_key_does_not_show_it(tmp_path: Path) -> None:
    held = Credentials(KEY_ID, SECRET, TOKEN)
    environ = {"ALIBABA_CLOUD_ACCESS_KEY_ID": KEY_ID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET}
    app = App(environ, tmp_path, io.BytesIO(SECRET.encode()), io.BytesIO(), io.StringIO(SECRET))
    for each in (held, Fixed(held), credentials.load(environ, None, tmp_path), app):
        assert not re.search("canary", f"{each!r} {each} {[each]}", re.IGNORECASE)


def test_no_option_takes_a_secret() -> None:
    def options(command: click.Command, ctx: click.Context) -> Iterator[str]:
        for param in command.params:
            yield from param.opts if isinstance(param, click.Option) else ()
        if isinstance(command, click.Group):
            for name in command.list_commands(ctx):
                found = command.get_command(ctx, name)
                assert found is not None
                yield from options(found, ctx)

    words = set(options(tool, click.Context(tool)))
    assert len(words) > len(COMMANDS)
    named = {word for word in words if not word.endswith("-file")}  # the name of a file is no secret
    assert not [word for word in named if re.search(r"access|secret|password|credential|key|token(?!-life)", word)]


def test_a_number_read_from_standard_input_is_on_no_command_line(program: Program) -> None:
    program.keep("SmsReport", report(PHONES[0]), report(PHONES[1], "2^0"))
    code = "import sys; from smsreceipt.cli.main import main; sys.argv[0] = 'smsreceipt'; main()"
    ended = subprocess.run(
        [sys.executable, "-c", code, "--store", str(program.store), "--mask", "list", "--phone", "-"],
        input=PHONES[0].encode(),
        capture_output=True,
        check=True,
    )
    assert [json.loads(line)["phone"] for line in ended.stdout.splitlines()] == ["138****1234"]
    assert not found_in(ended.stdout + ended.stderr, people())


def test_the_program_itself_forbids_core_dumps() -> None:
    code = (
        "import atexit, resource, sys; from smsreceipt.cli.main import main;"
        "atexit.register(lambda: print(resource.getrlimit(resource.RLIMIT_CORE)));"
        "sys.argv = ['smsreceipt', '--version']; main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "(0, 0)"
