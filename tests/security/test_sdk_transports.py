"""The official SDKs bring transports of their own, with an old requests and urllib3. The program never uses them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import smsreceipt
from smsreceipt.model import BEIJING
from smsreceipt.sandbox import Options, PastSend, Sandbox
from tests.cli.program import report

pytestmark = pytest.mark.slow

#: Modules of the SDKs that open connections; what the program imports of the SDKs are requests, errors and signatures.
TRANSPORTS = (
    "aliyunsdkcore.client", "aliyunsdkcore.vendored", "aliyunsdkcore.http.http_response",
    "mns.mns_client", "mns.mns_http", "mns.account", "mns.queue",
)  # fmt: skip

#: Runs the program, and writes to the file argv[1] which package opens each socket.
WATCH = f"""
import sys
report = open(sys.argv.pop(1), "a", buffering=1)

def watch(event, _arguments):
    if event not in ("socket.connect", "socket.getaddrinfo"):
        return
    frame = sys._getframe()
    names = []
    while frame:
        names.append(frame.f_globals.get("__name__", ""))
        frame = frame.f_back
    print("sdk" if any(name.startswith({TRANSPORTS!r}) for name in names) else "ours", file=report)

sys.addaudithook(watch)
"""
PROGRAM = WATCH + "from smsreceipt.__main__ import main\nmain()\n"
OFFICIAL = (
    WATCH
    + """
from aliyunsdkcore.client import AcsClient
from aliyunsdkdybaseapi.request.v20170525.QueryTokenForMnsQueueRequest import QueryTokenForMnsQueueRequest
request = QueryTokenForMnsQueueRequest()
request.set_MessageType("SmsReport")
request.set_endpoint(sys.argv[1].removeprefix("http://"))
AcsClient("sandbox", "sandbox-secret", "cn-hangzhou").do_action_with_exception(request)
"""
)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Options(port=0)) as sandbox:
        sandbox.put_object("SmsReport", report("13800001234"))
        noon = (datetime.now(BEIJING) - timedelta(days=1)).replace(hour=12).timestamp()
        sandbox.remember([PastSend(phone="13800005678", biz_id="1^0", sent=noon, reported=noon)])
        yield sandbox


def opened(folder: Path, sandbox: Sandbox, script: str, *words: str) -> list[str]:
    """Who opened each socket of a process that runs *script*."""
    told = folder / "sockets"
    environment = {**os.environ, **sandbox.environment(), "SMSRECEIPT_STORE": str(folder / "store.db")}
    ran = subprocess.run(
        [sys.executable, "-c", script, str(told), *words],
        check=False,
        env=environment,
        cwd=folder,
        capture_output=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    return told.read_text().split()


@pytest.mark.parametrize(
    "words",
    [
        ("pull", "--uid", "1000000001", "--type", "SmsReport", "--wait", "0"),
        ("query-details", "--date", "yesterday", "--phone", "13800005678"),
        ("query-stats", "--from", "yesterday", "--to", "yesterday"),
    ],
    ids=lambda words: words[0],
)
def test_no_socket_is_opened_by_an_sdk(tmp_path: Path, sandbox: Sandbox, words: tuple[str, ...]) -> None:
    assert set(opened(tmp_path, sandbox, PROGRAM, *words)) == {"ours"}


def test_a_socket_of_an_sdk_would_be_noticed(tmp_path: Path, sandbox: Sandbox) -> None:
    assert "sdk" in opened(tmp_path, sandbox, OFFICIAL, sandbox.url)


def test_no_module_imports_a_transport_of_an_sdk() -> None:
    root = Path(smsreceipt.__file__).parent
    imported = {
        (str(path.relative_to(root)), name)
        for path in root.rglob("*.py")
        for name in names(ast.parse(path.read_text()))
    }
    assert any(name.startswith("aliyunsdkcore.") for _, name in imported)
    assert [each for each in imported if each[1].startswith(TRANSPORTS)] == []


def names(tree: ast.Module) -> Iterator[str]:
    """The absolute names that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
