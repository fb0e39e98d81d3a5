"""The demo's commands sign with the sandbox's key, whatever the user's own surroundings say."""

import io
from pathlib import Path

import pytest

from smsreceipt.cli.app import App
from smsreceipt.cli.demo import _Story
from smsreceipt.sandbox import Options, Sandbox


def test_the_users_own_profile_takes_no_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SMSRECEIPT_PROFILE", "work")
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "work")
    monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "token")
    Path("smsreceipt.toml").write_text('profile = "work"\n')
    app = App({}, tmp_path, None, None, None)
    with Sandbox(Options(port=0, generate=20)) as sandbox:
        story = _Story(app, sandbox, tmp_path / "demo.db")
        words = ["pull", "--uid", "1000000001", "--type", "SmsReport", "--peek", "--max", "2"]
        assert story._run(words, quiet=True).count(b"\n") == 2


def test_paragraphs_fit_the_terminal_and_commands_stay_whole(tmp_path: Path) -> None:
    said = io.StringIO()
    app = App({}, tmp_path, None, None, said, columns=40)
    with Sandbox(Options(port=0)) as sandbox:
        story = _Story(app, sandbox, tmp_path / "demo.db")
        story._note("word " * 30)
        story._run(["status"], more=" > file", quiet=True)
    *words, _blank, command = said.getvalue().splitlines()
    assert max(map(len, words)) <= 40
    assert command == f"$ smsreceipt --store {tmp_path / 'demo.db'} status > file"
