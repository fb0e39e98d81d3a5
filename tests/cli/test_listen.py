"""`smsreceipt listen`, the real program: what it stores, prints, says and refuses, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from smsreceipt.decode import reread
from smsreceipt.model import BEIJING, Instant, Send, StoredReceipt, beijing_day
from smsreceipt.store import Query, Store, opening
from tests import postgres
from tests.cli.listening import SECRET, Listen, until
from tests.cli.program import CALL, CALL_ENDED, FAILED, REPLY, Program, report
from tests.ports import free_port

pytestmark = pytest.mark.slow

#: One receipt of each type that both services push, by the provider's documentation.
PUSHED: dict[str, dict[str, object]] = {
    "SmsReport": report(),
    "SmsUp": REPLY,
    "SignSmsReport": {
        "sign_name": "阿里云", "sign_status": "approved", "reason": "", "create_date": "2026-11-20 10:00:00",
        "order_id": "20260101", "remark": "",
    },
    "TemplateSmsReport": {
        "template_code": "SMS_1001", "template_name": "x", "template_type": "验证码", "template_status": "approved",
        "reason": "", "remark": "", "template_content": "x", "create_date": "2026-11-20 10:00:00",
        "order_id": "20260102",
    },
    "SecretStartReport": {
        **CALL, "call_id": "call-2", "called_display_no": "15800000000", "id": "10145685123456", "city": "北京",
        "control_type": "CONTINUE", "unconnected_cause": 0,
    },
    "SecretReport": CALL_ENDED,
    "SecretSmsIntercept": {
        "id": "42", "partner_key": "FC100000012345678", "pool_key": "FC100000012345678", "sub_id": 1, "sms_type": 1,
        "send_no": "13700002222", "secret_no": "17000000001", "receive_no": "13900001111", "sms_content": "您好",
        "status": 1, "sms-intercept-type": "NORMAL", "call_id": "", "code": "DELIVRD",
        "start_time": "2026-11-20 10:00:00",
    },
    "SecretRecording": {
        "pool_key": "FC100000012345678", "call_id": "call-3", "subs_id": 1, "call_time": 1553774465000, "out_id": "1",
    },
}  # fmt: skip


class Place:
    """Where a listener stores: a file, or a database."""

    def __init__(self, folder: Path, url: str | None) -> None:
        self.path, self._url = folder / "receipts.db", url
        self.location = url or str(self.path)

    def listen(self, *words: str, **more: Any) -> Listen:
        return Listen(self.path, *words, location=self._url, **more)

    def opened(self) -> Store:
        return opening.open_store(self.location, readonly=True, reread=reread)

    def stored(self, **query: Any) -> list[StoredReceipt]:
        with closing(self.opened()) as reader:
            return [*reader.list(Query(history=True, **query))]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Another process holds the lock that a commit needs."""
        if self._url:
            import psycopg

            with closing(psycopg.connect(self._url)) as db:
                db.execute("LOCK TABLE smsreceipt.statement")
                yield
        else:
            with closing(apsw.Connection(str(self.path))) as other:
                other.execute("BEGIN IMMEDIATE")
                yield

    def replace(self) -> None:
        """Put an empty store, or none, in its place."""
        if self._url:
            postgres.execute(self._url, "DROP SCHEMA smsreceipt CASCADE")
        else:
            self.path.rename(self.path.with_name("moved.db"))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.needs("postgres"))])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        yield Place(tmp_path, None)
        return
    with postgres.database() as url:
        yield Place(tmp_path, url)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "receipts.db"


def test_a_push_is_stored_printed_once_and_summed_up(store: Place) -> None:
    bad = {"success": "perhaps"}
    with store.listen() as listen:
        assert listen.ask("GET", f"/{SECRET}/SmsReport") == (200, {"code": 0, "msg": "成功"})
        assert listen.push(report("13800008000", "1^0"), report("13800008000", "2^0"), kind="SmsReport") == 200
        assert listen.push(report("13800008000", "2^0"), bad, kind="smsreport") == 200
        assert listen.ask("GET", "/healthz") == (200, {"code": 0, "msg": "成功"})
        assert listen.stop() == 143
        assert [each["biz_id"] for each in listen.printed] == ["1^0", "2^0"]
        assert {(each["source"], each["origin"]) for each in listen.printed} == {("push", "/SmsReport")}
        assert listen.talk.splitlines()[-1].startswith("received=4 new=2 duplicate=1 rejected=1 pushes=2 refused=0 ")
        assert 0 < int(listen.summary["p99_ms"]) <= int(listen.summary["max_ms"]) < 700
    assert [(each.receipt.biz_id, each.times_seen) for each in store.stored()] == [("1^0", 1), ("2^0", 2)]


def test_every_type_by_its_path_and_by_its_fields(store: Place) -> None:
    with store.listen() as listen:
        for kind, fields in PUSHED.items():
            assert listen.push(fields, kind=kind) == 200
        assert listen.push(*PUSHED.values()) == 200
        assert listen.push_bytes(json.dumps(PUSHED["SmsUp"]).encode()) == 200  # one object is an array of one
        assert listen.push() == 200  # nor does an empty one hurt
        assert listen.stop(signal.SIGINT) == 130
    assert {each.receipt.kind: each.times_seen for each in store.stored()} == {**dict.fromkeys(PUSHED, 2), "SmsUp": 3}


def test_one_bad_of_a_hundred_costs_the_others_nothing_and_garbage_is_kept(store: Place) -> None:
    hundred = [json.dumps(report(biz_id=f"{n}^0")) for n in range(100)]
    hundred[50] = '{"biz_id": }'
    with store.listen() as listen:
        assert listen.push_bytes(f"[{','.join(hundred)}]".encode(), f"/{SECRET}/SmsReport") == 200
        for garbage in (b"not json", b"\xff\xfe", b"[{]", b"", b"[" * 5_000, b"{}"):
            assert listen.push_bytes(garbage) == 200
        assert listen.push_bytes(b"stranger", "/wrong") == 404
        assert listen.stop(signal.SIGHUP) == 129
        assert listen.summary["new"] == "99"
    with closing(store.opened()) as reader:
        bodies = {reader.reject_body(each.id) for each in reader.rejects()}
    assert {b'{"biz_id": }', b"not json", b"\xff\xfe", b"{}"} <= bodies
    assert b"stranger" not in bodies


def test_a_signed_answer_outweighs_forged_pushes_and_the_contradiction_is_listed(store: Place, tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.location = store.location
    program.keep("SmsReport", *(report(biz_id=f"{n}^0") for n in range(0, 40, 2)))  # these were heard before
    with store.listen() as listen:
        later = {**FAILED, "report_time": "2026-11-20 23:00:00"}
        assert listen.push(*(report(biz_id=f"{n}^0", **later) for n in range(40)), kind="SmsReport") == 200
        assert listen.stop() == 143
    program.keep("SmsReport", *(report(biz_id=f"{n}^0") for n in range(1, 40, 2)))  # and these after
    assert {each["outcome"] for each in program("list", "--json").objects} == {"delivered"}
    assert len(program("list", "--conflicts", "--json").objects) == 80


def test_identical_pushes_at_once_are_one_statement(store: Place) -> None:
    body = json.dumps([report()]).encode()
    wire = f"POST /{SECRET} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    with store.listen() as listen:
        lines = [socket.create_connection(("127.0.0.1", listen.port), timeout=10) for _ in range(20)]
        for line in lines:
            line.sendall(wire)
        assert {line.recv(4096)[:12] for line in lines} == {b"HTTP/1.1 200"}
        for line in lines:
            line.close()
        assert listen.stop() == 143
        assert len(listen.printed) == 1
    (one,) = store.stored()
    assert one.times_seen == 20


def test_several_listeners_share_a_store(store: Place) -> None:
    with store.listen() as first, store.listen() as second:
        for n in range(10):
            assert first.push(report(biz_id=f"{n}^0"), kind="SmsReport") == 200
            assert second.push(report(biz_id=f"{n}^0"), report(biz_id=f"{n}^1"), kind="SmsReport") == 200
        assert (first.stop(), second.stop()) == (143, 143)
        assert len(first.printed) + len(second.printed) == 20
    assert len(store.stored()) == 20


def test_nothing_of_a_push_is_told_and_no_url_in_it_is_called(store: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere, store.listen("-vvv") as listen:
        elsewhere.setblocking(False)
        url = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/canary"
        recording = {**PUSHED["SecretReport"], "record_url": url, "ring_record_url": url, "phone_no": "13811112222"}
        reply = {**REPLY, "phone_number": "13811112222", "content": f"canary {url}"}
        assert listen.push(recording, reply, {"url": url, "canary": "13811112222"}) == 200
        assert listen.push_bytes(f"canary 13811112222 {url}".encode()) == 200
        assert listen.ask("GET", f"/{SECRET}/../canary")[0] == 404
        assert listen.stop() == 143
        assert listen.summary["received"] == "4"
        assert not re.search("canary|13811112222", listen.talk)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def test_on_first_use_a_secret_is_made_and_told_once(file: Path) -> None:
    with Listen(file, secret=None, preexec_fn=lambda: os.umask(0)) as listen:
        found = listen.said(r"\n  http://127\.0\.0\.1:\d+/([0-9a-f]{32})\n")
        assert stat.S_IMODE(listen.file.stat().st_mode) == 0o600
        assert listen.push(report(), secret=found[1]) == 200
        listen.stop()
    with Listen(file, secret=None) as listen:
        assert listen.push(report(), secret=found[1]) == 200
        listen.stop()
        assert found[1] not in listen.talk
    assert found[1].encode() not in file.read_bytes()
    assert sorted(path.suffix for path in file.parent.glob("*receipts*")) == [".db", ".secret"]


@pytest.mark.slow
def test_secrets_are_rotated_without_a_restart(store: Place) -> None:
    new = "the-secret-that-comes-next"
    with store.listen() as listen:
        listen.file.write_text(f"{new}\n{SECRET}\n")
        listen.said("the secret file has changed")
        assert [listen.push(report(), secret=each) for each in (new, SECRET)] == [200, 200]
        listen.file.write_text("short\n")
        listen.said("warning: line 1 of the secret file .* is no secret for a path; the secrets before count on")
        assert listen.push(report(), secret=new) == 200
        listen.file.write_text(f"{new}\n")
        until(lambda: listen.push(report()) == 404)
        assert listen.push(report(), secret=new) == 200
        assert listen.stop() == 143
        assert new not in listen.talk


def test_metrics_tell_of_answers_and_receipts_and_of_nobody(store: Place) -> None:
    port = free_port()
    with store.listen(metrics=f"127.0.0.1:{port}") as listen:
        assert listen.push(report(), report(), {"success": 1}, kind="SmsReport") == 200
        assert listen.push_bytes(b"x" * (1 << 20) + b"x") == 413
        assert listen.push_bytes(b"", "/wrong") == 404
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
        listen.stop()
    numbers = dict(re.findall(r"^(smsreceipt_[^ ]+) ([\d.]+)$", text, re.MULTILINE))
    assert numbers['smsreceipt_receipts_total{result="new"}'] == "1.0"
    assert numbers['smsreceipt_receipts_total{result="duplicate"}'] == "1.0"
    assert numbers['smsreceipt_receipts_total{result="rejected"}'] == "1.0"
    assert numbers['smsreceipt_pushes_total{status="200"}'] == "1.0"
    assert numbers['smsreceipt_pushes_total{status="413"}'] == "1.0"
    assert numbers["smsreceipt_unauthorized_requests_total"] == "1.0"
    assert numbers["smsreceipt_strangers_total"] == "1.0"  # its old name, kept for one version
    assert numbers['smsreceipt_push_seconds_bucket{le="0.7"}'] == "2.0"
    assert numbers["smsreceipt_push_seconds_count"] == "2.0"
    assert numbers["smsreceipt_pushes_in_hand"] == "0.0"
    assert "13800008000" not in text
    told = "\n".join(line.rpartition(" ")[0] for line in text.splitlines())  # figures may hold any three digits
    assert not re.search(f"{SECRET}|138|phone", told)


def test_metrics_tell_the_delivery_rate_and_the_latency_of_today(store: Place) -> None:
    port, now = free_port(), datetime.now(BEIJING).replace(microsecond=0)
    times = {"send_time": f"{now:%Y-%m-%d %H:%M:%S}", "report_time": f"{now + timedelta(seconds=4):%Y-%m-%d %H:%M:%S}"}
    failed: dict[str, Any] = {"success": False, "err_code": "MOBILE_IN_BLACK"}
    with closing(opening.open_store(store.location, readonly=False, reread=reread)) as opened:
        opened.add_sends(
            [Send("13800008000", "9", beijing_day(Instant(round(time.time() * 1000))) - 3, None, "", "", "", None)]
        )
    with store.listen(metrics=f"127.0.0.1:{port}") as listen:
        sent = [report(biz_id="1", **times), report(biz_id="2", **times, **failed), report(biz_id="3")]
        assert listen.push(*sent, kind="SmsReport") == 200
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
        listen.stop()
    assert 'smsreceipt_delivery_rate{kind="SmsReport"} 0.5' in text
    assert "smsreceipt_oldest_open_send_days 3.0" in text
    assert 'smsreceipt_latency_seconds_bucket{kind="SmsReport",le="3"} 0.0' in text
    assert 'smsreceipt_latency_seconds_bucket{kind="SmsReport",le="5"} 1.0' in text
    assert 'smsreceipt_latency_seconds_sum{kind="SmsReport"} 4.0' in text


def test_a_locked_store_is_503_and_waited_for(store: Place) -> None:
    with store.listen() as listen:
        assert listen.push(report(biz_id="0^0")) == 200
        with store.locked():
            for n in range(2):
                began = time.monotonic()
                assert listen.push(report(biz_id=f"{n}^1")) == 503
                assert time.monotonic() - began < 0.65
            assert listen.ask("GET", "/healthz")[0] == 503
            assert listen.ask("GET", f"/{SECRET}/SmsReport")[0] == 200  # the console's probe needs no store
        until(lambda: listen.ask("GET", "/healthz")[0] == 200)
        assert [listen.push(report(biz_id=f"{n}^1")) for n in range(2)] == [200, 200]
        assert listen.stop() == 143
        assert listen.talk.count("is locked by another process; waiting") == 1
        assert listen.summary["refused"] == "2"
    assert len(store.stored()) == 3


#: Runs the program behind it with laps of half a second.
_SHORT_LAPS = (
    "import runpy, sys; from smsreceipt.runs import listen; listen._PERIOD = 0.5;"
    " sys.argv = sys.argv[3:]; runpy.run_module('smsreceipt', run_name='__main__')"
)


def test_answers_that_take_half_of_what_the_provider_allows_are_a_warning(store: Place) -> None:
    with store.listen(wrap=(sys.executable, "-c", _SHORT_LAPS)) as listen:
        assert listen.push(report(biz_id="1^0")) == 200
        with store.locked():
            assert listen.push(report(biz_id="2^0")) == 503
        found = listen.said(
            r"warning: 1 % of the last minute's answers took (\d+) ms or more; the provider waits 700 ms"
        )
        assert 350 < int(found[1]) < 700
        assert listen.stop() == 143


def test_a_stop_does_not_wait_for_a_locked_store(store: Place) -> None:
    with store.listen() as listen, store.locked():
        assert listen.push(report()) == 503
        began = time.monotonic()
        assert listen.stop() == 143
        assert time.monotonic() - began < 5
    assert store.stored() == []


def test_a_store_that_was_replaced_ends_the_run_with_7(store: Place) -> None:
    with store.listen() as listen:
        assert listen.push(report(biz_id="1^0")) == 200
        store.replace()
        assert listen.push(report(biz_id="2^0")) == 503
        assert listen.ended() == 7
        assert re.search("was replaced or deleted while in use|has not the", listen.talk)
        assert listen.summary["received"] == "1"


def test_losing_standard_output_loses_no_work(store: Place) -> None:
    with Path("/dev/full").open("wb") as full, store.listen(stdout=full) as listen:
        assert [listen.push(report(biz_id=f"{n}^0")) for n in range(3)] == [200] * 3
        assert listen.stop() == 143
        assert listen.talk.count("standard output: No space left on device") == 1
    reading, writing = os.pipe()
    with store.listen(stdout=writing) as listen:
        os.close(writing)
        os.close(reading)
        assert [listen.push(report(biz_id=f"{n}^1")) for n in range(3)] == [200] * 3
        assert listen.stop() == 143
    assert len(store.stored()) == 6


def test_what_goes_to_dev_null_is_stored_all_the_same(store: Place) -> None:
    with store.listen(stdout=subprocess.DEVNULL) as listen:
        assert listen.push(*(report(biz_id=f"{n}^0") for n in range(500))) == 200
        assert listen.stop() == 143
        assert listen.summary["new"] == "500"
    assert len(store.stored()) == 500


def test_a_reader_that_pauses_holds_back_the_provider_and_loses_nothing(store: Place) -> None:
    reading, writing = os.pipe()
    with store.listen(stdout=writing) as listen:
        os.close(writing)
        sent, status = 0, 200
        while status == 200:
            status = listen.push(*(report(biz_id=f"{sent}^{n}") for n in range(1_000)), kind="SmsReport")
            sent += status == 200
            assert sent < 40
        assert status == 503
        assert sent >= 20
        with os.fdopen(reading, "rb") as reader:
            lines = sum(1 for _ in zip(range(sent * 1_000), reader, strict=False))
        assert lines == sent * 1_000
        assert listen.stop() == 143
