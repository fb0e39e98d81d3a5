"""recordings list and fetch against the sandbox: what is printed, stored on disk, noted, and how it ends."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.aliyun import blocking, retry
from smsreceipt.model import BEIJING, Instant
from smsreceipt.sandbox import FAULTS, Options, Sandbox
from tests.cli.program import CALL_ENDED, Ended, Program
from tests.sources.recordings.peer import ObjectPeer

pytestmark = pytest.mark.each_engine

KEYS = [
    "pool_key", "call_id", "recording", "called_at", "state", "days_left", "expires_at", "size", "file", "sha256",
    "fetched_at", "reason",
]  # fmt: skip
POOL = str(CALL_ENDED["pool_key"])
CONTENT = b"ID3" + os.urandom(40_000)


def days_ago(days: float) -> datetime:
    return datetime.now(BEIJING).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=days)


DAY = days_ago(2)


class Desk:
    """The program, and a provider with recordings."""

    def __init__(self, program: Program, sandbox: Sandbox) -> None:
        self.program, self.sandbox, self.folder = program, sandbox, program.home / "recordings"

    @property
    def environ(self) -> dict[str, str]:
        return {name: text for name, text in self.sandbox.environment().items() if name != "SMSRECEIPT_STORE"}

    def __call__(self, *args: str, **seams: Any) -> Ended:
        now = Instant(round(time.time() * 1000))
        seams = {"now": lambda: now, "environ": {**self.environ, **seams.pop("environ", {})}, **seams}
        return self.program("recordings", *args, **seams)

    def fetch(self, *args: str, **seams: Any) -> Ended:
        return self("fetch", "--to", str(self.folder), *args, **seams)

    def process(self, *args: str, **more: Any) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "smsreceipt", "--store", self.program.location, "recordings", "fetch"]
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **self.environ}
        return subprocess.Popen(
            [*words, "--to", str(self.folder), *args],
            env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **more,
        )  # fmt: skip

    def announce(self, call_id: str, at: datetime = DAY, content: bytes | None = CONTENT, pool: str = POOL) -> None:
        """A SecretRecording; without *content* the provider has no file."""
        self.announce_all({call_id: content}, at, pool)

    def announce_all(self, contents: Mapping[str, bytes | None], at: datetime = DAY, pool: str = POOL) -> None:
        """A SecretRecording for each call, in one commit."""
        for call_id, content in contents.items():
            if content is not None:
                self.sandbox.record(pool, call_id, at.timestamp(), content)
        call_time = int(at.timestamp() * 1000)
        told = {"pool_key": pool, "sub_id": 1, "call_time": call_time}
        self.program.keep("SecretRecording", *({**told, "call_id": call_id} for call_id in contents))

    def report(self, call_id: str, link: str, at: datetime = DAY, **fields: Any) -> None:
        """A SecretReport with a link."""
        times = dict.fromkeys(("call_time", "start_time", "release_time"), f"{at:%Y-%m-%d %H:%M:%S}")
        self.program.keep("SecretReport", {**CALL_ENDED, **times, "call_id": call_id, "record_url": link, **fields})

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }

    def states(self) -> dict[str, str]:
        return {each["call_id"]: each["state"] for each in self("list").objects}


Make = Callable[..., Desk]


@pytest.fixture
def make(program: Program) -> Iterator[Make]:
    running: list[Sandbox] = []

    def made(**options: Any) -> Desk:
        running.append(Sandbox(Options(port=0, seed=1, **options)))
        running[-1].start()
        return Desk(program, running[-1])

    yield made
    for sandbox in running:
        sandbox.stop()


@pytest.fixture
def desk(make: Make) -> Desk:
    return make()


def summary(ended: Ended) -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", ended.err.splitlines()[-1]))


def test_recordings_are_listed_fetched_once_and_noted(desk: Desk) -> None:
    desk.announce("call-1")
    desk.report("call-2", desk.sandbox.record(POOL, "call-2", DAY.timestamp(), CONTENT[:-1]))
    desk.report("call-3", "")
    listed = desk("list")
    assert [(each["call_id"], each["state"], each["days_left"]) for each in listed.objects] == [
        ("call-1", "open", 27 + (datetime.now(BEIJING).hour < 12)), ("call-2", "open", listed.objects[0]["days_left"]),
    ]  # fmt: skip
    assert [*listed.objects[0]] == KEYS
    done = desk.fetch()
    assert done.code == 0, done.err
    name = f"{DAY:%Y-%m-%d}/{POOL}-call-"
    assert desk.files() == {f"{name}1.mp3": CONTENT, f"{name}2.mp3": CONTENT[:-1]}
    first = next(each for each in done.objects if each["call_id"] == "call-1")
    assert (first["state"], first["size"]) == ("fetched", len(CONTENT))
    assert first["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert first["file"] == str(desk.folder.resolve() / f"{name}1.mp3")
    assert summary(done)["fetched"] == "2"
    again = desk.fetch()
    assert (again.code, again.out) == (0, "")
    assert (summary(again)["known"], summary(again)["bytes"]) == ("2", "0")
    assert desk.sandbox.state()["calls"] == {"QueryRecordFileDownloadUrl": 1}
    assert next(each for each in desk("list", "--state", "fetched").objects if each["call_id"] == "call-1") == first


def test_a_dry_run_asks_and_writes_nothing(desk: Desk) -> None:
    desk.announce("call-1")
    done = desk.fetch("--dry-run")
    assert (done.code, [each["state"] for each in done.objects]) == (0, ["open"])
    assert done.err.endswith("recordings=1 planned=1 known=0 expired=0 dry_run=yes\n")
    assert not desk.folder.exists()
    assert desk.sandbox.state()["calls"] == {}


def test_what_was_moved_away_is_fetched_again_only_when_that_is_said(desk: Desk) -> None:
    desk.announce("call-1")
    desk.fetch()
    [name] = desk.files()
    (desk.folder / name).unlink()
    assert summary(desk.fetch())["known"] == "1"
    assert desk.files() == {}
    assert summary(desk.fetch("--again"))["fetched"] == "1"
    assert summary(desk.fetch("--again"))["known"] == "1"
    assert desk.files() == {name: CONTENT}


def test_filters_are_those_of_the_call(desk: Desk) -> None:
    desk.announce("call-1")
    desk.announce("call-2", days_ago(5))
    desk.announce("call-3", days_ago(40))
    for words, expected in (
        (["--date", f"{DAY:%Y-%m-%d}"], ["call-1"]),
        (["--since", "4d"], ["call-1"]),
        (["--until", "4d"], ["call-2"]),
        (["--call-id", "call-2", "--call-id", "call-3"], ["call-3", "call-2"]),
        (["--since", "60d"], ["call-3", "call-2", "call-1"]),
        (["--state", "fetched"], []),
    ):
        assert [each["call_id"] for each in desk("list", *words).objects] == expected, words
    assert desk("list", "--date", "today", "--since", "2d").code == 2
    assert desk("list", "--call-id", " ").code == 2


def test_what_is_expired_or_absent_is_said_once(desk: Desk) -> None:
    desk.announce("old", days_ago(31))
    desk.announce("none", content=None)
    desk.announce("young", datetime.now(BEIJING) - timedelta(minutes=5), content=None)
    done = desk.fetch("--since", "60d")
    assert done.code == 3
    found = {each["call_id"]: (each["state"], each["reason"]) for each in done.objects}
    assert found == {
        "old": ("expired", None),
        "none": ("absent", "isv.ILLEGAL_ARGUMENT"),
        "young": ("waiting", "isv.ILLEGAL_ARGUMENT"),
    }
    assert "recordings that expired before they were fetched: 1\n" in done.err
    assert "recordings that the provider does not have: 1\n" in done.err
    again = desk.fetch("--since", "60d", "-q")
    assert (again.code, again.err) == (0, "")
    assert [each["call_id"] for each in again.objects] == ["young"]
    assert desk("list", "--state", "absent").objects[0]["call_id"] == "none"


def test_expiring_ones_are_an_alarm(desk: Desk) -> None:
    desk.announce("soon", days_ago(28))
    desk.announce("later")
    desk.announce("none", days_ago(29), content=None)
    assert desk.fetch("--call-id", "none").code == 3
    for words in (["list"], ["fetch", "--dry-run"]):
        alarm = desk(*words, "--fail-on-expiring", "3d", "-q")
        assert (alarm.code, alarm.err) == (3, "recordings that are not fetched and expire within 3 days: 1\n"), words
        assert desk(*words, "--fail-on-expiring", "1h").code == 0
    assert desk.fetch("--fail-on-expiring", "3d").code == 0
    assert desk("list", "--fail-on-expiring", "3d").code == 0


def test_hostile_ids_stay_in_the_folder(desk: Desk) -> None:
    for number, call_id in enumerate(
        ("../../../tmp/evil", "/etc/passwd", "..", "a\\b", ".hidden", "录音\u202e", "x" * 3000)
    ):
        desk.announce(call_id, pool=("FC1", "../FC2", "")[number % 2])
    done = desk.fetch()
    assert (done.code, summary(done)["fetched"]) == (0, "7"), done.err
    day = f"{DAY:%Y-%m-%d}"
    assert {path.split("/")[0] for path in desk.files()} == {day}
    assert all(re.fullmatch(r"2[\d-]+/[A-Za-z0-9_-]{3,80}\.mp3", path) for path in desk.files())
    assert {path.name for path in desk.program.home.iterdir()} <= {
        "recordings",
        "receipts.db",
        "receipts.db-wal",
        "receipts.db-shm",
        "home",
    }
    table = desk("list", "-o", "table", terminal=True).out
    assert "\u202e" not in table


def test_a_link_to_another_host_is_not_followed(desk: Desk) -> None:
    with ObjectPeer(CONTENT) as other:
        desk.report("call-1", other.url)
        refused = desk.fetch()
        assert (refused.code, refused.objects[0]["state"]) == (3, "refused")
        assert refused.objects[0]["reason"] == f"127.0.0.1:{other.endpoint.port} is not the provider's object store"
        reason = refused.objects[0]["reason"]
        assert f"recordings whose links are not followed: 1 ({reason})\n" in refused.err
        assert other.asked == []
        allowed = desk.fetch("--any-host")
        assert (allowed.code, allowed.objects[0]["state"], len(other.asked)) == (0, "fetched", 1)


@pytest.mark.parametrize("other", ["SecretStartReport", "SecretReport"])
def test_a_notice_without_a_time_has_that_of_its_call(desk: Desk, other: str) -> None:
    desk.sandbox.record(POOL, "c-1", DAY.timestamp(), CONTENT)
    came = Instant(round(DAY.timestamp() * 1000) + 60_000)
    told = {"pool_key": POOL, "call_id": "c-1"}
    desk.program.keep("SecretRecording", {**told, "call_time": None}, received_at=came)
    (row,) = desk("list").objects
    assert (row["state"], row["expires_at"]) == ("expired", None)  # nobody can ask for it
    desk.program.keep(other, {**told, "call_time": f"{DAY:%Y-%m-%d %H:%M:%S}"}, received_at=came)
    assert desk.states() == {"c-1": "open"}
    ended = desk.fetch()
    assert (ended.code, desk.states()) == (0, {"c-1": "fetched"}), ended.err


def test_the_tone_before_the_answer_is_a_recording_of_its_own(desk: Desk) -> None:
    link = desk.sandbox.record(POOL, "tone", DAY.timestamp(), CONTENT)
    desk.report("call-1", desk.sandbox.record(POOL, "call-1", DAY.timestamp(), b"ID3 call"), ring_record_url=link)
    assert desk.fetch().code == 0
    name = f"{DAY:%Y-%m-%d}/{POOL}-call-1"
    assert desk.files() == {f"{name}.mp3": b"ID3 call", f"{name}-ring.mp3": CONTENT}


def test_a_report_that_comes_again_with_a_link_is_enough(desk: Desk) -> None:
    desk.report("call-1", "")
    assert desk.states() == {}
    desk.report("call-1", desk.sandbox.record(POOL, "call-1", DAY.timestamp(), CONTENT))
    assert desk.states() == {"call-1": "open"}


def hits(share: float, sound: int) -> int:
    """How many faults the sandbox decides on before so many sound answers."""
    decisions, hit = random.Random(1), 0
    while sound:
        missed = decisions.random() >= share
        sound, hit = sound - missed, hit + (not missed)
    return hit


@pytest.mark.parametrize(
    ("fault", "share", "most"),
    # Three links a recording are asked for, and five failures in a row without a byte that counts end it. So few faults
    # do not end one, whichever recordings they hit. Each answer that is cut or stalls has some bytes.
    [
        ("oss-cut", 0.3, 99), ("oss-stall", 0.3, 99), ("oss-500", 0.15, 4), ("oss-length", 0.15, 4),
        ("oss-corrupt", 0.15, 4), ("oss-expire", 0.05, 2),
    ],
)  # fmt: skip
def test_faults_that_pass_cost_nothing(
    make: Make, monkeypatch: pytest.MonkeyPatch, fault: str, share: float, most: int
) -> None:
    assert 0 < hits(share, 12) <= most
    monkeypatch.setattr(blocking, "READ", 0.3 if fault == "oss-stall" else 5.0)
    monkeypatch.setattr("smsreceipt.sources.recordings.fetcher._PAUSE", 0.001)
    desk = make(faults={fault: share})
    desk.announce_all({f"call-{number}": CONTENT for number in range(12)})
    done = desk.fetch("--workers", "3")
    assert (done.code, summary(done)["fetched"]) == (0, "12"), done.err
    assert [*desk.files().values()] == [CONTENT] * 12


def test_files_without_md5_are_checked_too(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smsreceipt.sources.recordings.fetcher._PAUSE", 0.001)
    for share, code in ((0.15, 0), (1, 5)):
        desk = make(faults={"oss-corrupt": share})
        for number in range(6):
            call_id = f"call-{share}-{number}"
            desk.announce(call_id)
            desk.sandbox.record(POOL, call_id, DAY.timestamp(), CONTENT, in_parts=True)
        done = desk.fetch()
        assert done.code == code, done.err
        assert [*desk.files().values()] == [CONTENT] * 6
    assert "does not have the CRC64" in done.err


@pytest.mark.parametrize(
    ("fault", "code", "state"),
    [
        ("oss-corrupt", 5, "failed"), ("oss-length", 5, "failed"), ("oss-500", 5, "failed"),
        ("oss-expire", 5, "failed"), ("oss-redirect", 3, "refused"),
    ],
)  # fmt: skip
def test_faults_that_stay_leave_nothing_and_say_so(
    make: Make, monkeypatch: pytest.MonkeyPatch, fault: str, code: int, state: str
) -> None:
    monkeypatch.setattr("smsreceipt.sources.recordings.fetcher._PAUSE", 0.001)
    desk = make(faults={fault: 1})
    desk.announce("call-1")
    done = desk.fetch()
    assert (done.code, [each["state"] for each in done.objects]) == (code, [state]), done.err
    assert desk.files() == {}
    assert desk.states() == {"call-1": "open"}


def test_many_failures_in_a_row_end_the_run(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smsreceipt.sources.recordings.fetcher._PAUSE", 0.001)
    desk = make(faults={"oss-500": 1})
    desk.announce_all({f"call-{number}": CONTENT for number in range(60)})
    done = desk.fetch("--workers", "2")
    figures = summary(done) if "=" in done.err.splitlines()[-1] else {}
    line = next(line for line in done.err.splitlines() if line.startswith("recordings="))
    figures = dict(re.findall(r"(\w+)=(\S+)", line))
    assert done.code == 5
    assert 10 <= int(figures["failed"]) <= 16
    assert sum(int(figures[name]) for name in ("known", "fetched", "failed", "left")) == 60


def test_a_wrong_key_ends_with_4_and_links_of_reports_need_none(desk: Desk) -> None:
    desk.report("call-2", desk.sandbox.record(POOL, "call-2", DAY.timestamp(), CONTENT))
    assert desk.fetch(environ={"ALIBABA_CLOUD_ACCESS_KEY_ID": "", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": ""}).code == 0
    desk.announce("call-1")
    wrong = desk.fetch(environ={"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "wrong"})
    assert (wrong.code, wrong.objects[0]["state"]) == (4, "failed")


def test_an_unreachable_provider_ends_with_5(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BASE", 0.001)
    desk.announce("call-1")
    desk.sandbox.stop()
    done = desk.fetch()
    assert (done.code, done.objects[0]["state"]) == (5, "failed")
    desk.sandbox.start()
    assert desk.fetch().code == 0


@pytest.mark.of_a_file
def test_a_folder_that_cannot_be_used_is_a_usage_error(desk: Desk) -> None:
    desk.announce("call-1")
    desk.folder.write_text("a file")
    assert desk.fetch().code == 2
    done = desk("fetch", "--to", "/proc/recordings")
    assert done.code == 2
    assert "Traceback" not in done.err


@pytest.mark.of_a_file
@pytest.mark.slow
def test_a_full_disk_ends_with_6_and_leaves_nothing_by_half(desk: Desk) -> None:
    large = CONTENT * 60
    desk.announce("call-1")
    desk.announce("call-2", content=large)

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    process = desk.process("--workers", "1", preexec_fn=small_disk)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 6, err
    assert b"free space on that disk" in err
    assert [*desk.files().values()] == [CONTENT]
    assert desk.fetch().code == 0
    assert sorted(map(len, desk.files().values())) == [len(CONTENT), len(large)]


@pytest.mark.slow
def test_two_at_once_share_the_work(make: Make) -> None:
    desk = make(latency=20)
    desk.announce_all({f"call-{number}": CONTENT + bytes([number]) for number in range(40)})
    both = [desk.process("--workers", "4") for _ in range(2)]
    ended = [process.communicate(timeout=90) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert len(desk.files()) == 40
    assert set(desk.states().values()) == {"fetched"}
    assert {len(content) for content in desk.files().values()} == {len(CONTENT) + 1}


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_every_file_whole(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smsreceipt.sources.recordings.fetcher._PAUSE", 0.001)
    desk = make(latency=5, faults={"oss-cut": 0.3})
    contents = {f"call-{number}": CONTENT * 3 + bytes([number]) for number in range(36)}
    desk.announce_all(contents)
    killed = 0
    for number in range(5):  # each is killed while some of 4 files at once are written, and many are left
        process = desk.process("--workers", "4")
        before = time.monotonic()
        while process.poll() is None and time.monotonic() - before < 60:
            if len([*desk.folder.glob("*/*.mp3")]) > 6 * number:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.002)
        process.communicate(timeout=60)
        killed += process.returncode == -signal.SIGKILL
    assert killed == 5
    done = desk.fetch()
    assert done.code == 0, done.err
    assert desk.files() == {f"{DAY:%Y-%m-%d}/{POOL}-{call_id}.mp3": content for call_id, content in contents.items()}
    assert set(desk.states().values()) == {"fetched"}
    assert summary(desk.fetch())["known"] == "36"


@pytest.mark.slow
def test_the_first_signal_stops_it_and_it_goes_on_later(make: Make) -> None:
    desk = make(latency=50)
    desk.announce_all({f"call-{number}": CONTENT for number in range(30)})  # 1.5 s for two workers
    process = desk.process("--workers", "2")
    while not any(desk.folder.glob("*/*.mp3")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert 0 < len([state for state in desk.states().values() if state == "fetched"]) < 30
    done = desk.fetch()
    assert done.code == 0, done
    assert len(desk.files()) == 30, (done, desk.states(), err)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.startswith("oss-")])
def test_no_signature_of_a_link_is_ever_printed_or_noted(
    make: Make, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(blocking, "READ", 0.1)
    monkeypatch.setattr("smsreceipt.sources.recordings.fetcher._PAUSE", 0.001)
    desk = make(faults={fault: 1})
    desk.report("call-1", desk.sandbox.record(POOL, "call-1", DAY.timestamp(), CONTENT))
    desk.announce("call-2")
    desk.report("call-3", "https://evil.example/x.mp3?OSSAccessKeyId=LTAI&Signature=canary")
    printed = [desk.fetch("-vv", "--debug"), desk("list"), desk("list", "-o", "table"), desk.fetch("--dry-run")]
    for ended in printed:
        for word in ("Signature", "OSSAccessKeyId", "canary", "Traceback"):
            assert word not in ended.out + ended.err, ended
    store = desk.program.opened()
    try:
        noted = json.dumps([dict(store.notes(topic)) for topic in store.note_topics()])
    finally:
        store.close()
    assert "Signature" not in noted


def test_tables_speak_chinese(desk: Desk) -> None:
    desk.announce("call-1")
    table = desk("list", "-o", "table", environ={"LANG": "zh_CN.UTF-8"}, terminal=True, columns=120).out
    assert "未下载" in table
    assert "剩余" in table
