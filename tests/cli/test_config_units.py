"""`config systemd` and `config cron`: units that systemd accepts, and lines that a bare shell runs."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
from pathlib import Path

import pytest

from smsreceipt.cli import COMMANDS
from smsreceipt.cli.commands.help import context_of
from smsreceipt.language import LANGUAGES
from smsreceipt.runs import installation
from smsreceipt.runs.installation import UNITS
from smsreceipt.sandbox import Options, Sandbox
from smsreceipt.store import opening
from tests.cli.program import Program

QUEUE = "Alicom-Queue-1000000001-SmsReport"
AVAILABLE = [name for name in UNITS if name in COMMANDS]


def files(text: str) -> dict[str, str]:
    """The files in what was printed, by their names."""
    parts = re.split(r"^# /etc/systemd/system/(\S+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def configured(program: Program, text: str) -> str:
    path = program.home / "smsreceipt.toml"
    path.touch(0o600)
    path.write_text(text)
    return str(path)


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("language", LANGUAGES)
def test_systemd_accepts_every_unit(program: Program, tmp_path: Path, language: str) -> None:
    program.location = str(tmp_path / "a folder" / "100% $x.db")
    ended = program("config", "systemd", *AVAILABLE, "--lang", language)
    assert ended.code == 0, ended.err
    found = files(ended.out)
    assert len(found) >= len(AVAILABLE) + 2  # a socket and a timer
    for name, text in found.items():
        (tmp_path / name).write_text(text)
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(tmp_path / name for name in found)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"SYSTEMD_LOG_LEVEL": "warning"},
    )
    ours = [line for line in verified.stderr.splitlines() if "smsreceipt-" in line]
    assert (verified.returncode, ours) == (0, []), verified.stderr


def test_the_units_name_this_program_this_store_and_this_user(program: Program) -> None:
    config = configured(program, '[listen]\nbind = "0.0.0.0:9000"\n')
    ended = program("config", "systemd", "pull", "listen", "--config", config)
    found = files(ended.out)
    assert [*found] == ["smsreceipt-pull.service", "smsreceipt-listen.service", "smsreceipt-listen.socket"]
    pull = found["smsreceipt-pull.service"].splitlines()
    assert f"ExecStart={sys.executable} -m smsreceipt pull --follow" in pull
    assert f"Environment=SMSRECEIPT_STORE={program.store}" in pull
    assert f"Environment=SMSRECEIPT_CONFIG={config}" in pull
    assert f"ReadWritePaths={program.store.parent}" in pull
    assert f"User={pwd.getpwuid(os.geteuid()).pw_name}" in pull
    assert {"Type=notify", "WatchdogSec=300"} <= set(pull)
    assert "ProtectHome=yes" not in pull, "the store is in the home directory"
    assert "ListenStream=0.0.0.0:9000" in found["smsreceipt-listen.socket"]


def test_descriptions_and_comments_are_in_the_language_of_the_user_and_nothing_else(program: Program) -> None:
    for words in (["systemd", *AVAILABLE], ["cron"]):
        english, chinese = (program("config", *words, "--lang", each).out.splitlines() for each in LANGUAGES)
        assert all(line.isascii() for line in english)
        told = [(one, other) for one, other in zip(english, chinese, strict=True) if one != other]
        assert {re.sub(r"^(# |Description=).*", r"\1", one) for one, _other in told} <= {"# ", "Description="}
        assert len(told) == (2 * len(AVAILABLE) if words != ["cron"] else 1)
        assert all(re.search("[\u4e00-\u9fff]", other) for _one, other in told)


def test_units_are_utf_8_in_a_file_and_in_the_encoding_of_a_terminal(program: Program) -> None:
    description = "从队列接收短信和通话回执"
    for terminal, encoding in ((False, "utf-8"), (True, "gb18030")):
        ended = program("config", "systemd", "--lang", "zh", terminal=terminal, encoding="gb18030")
        assert f"Description={description}\n" in ended.raw.decode(encoding)


def test_a_path_that_is_no_text_is_printed_as_it_is(program: Program) -> None:
    program.location = os.fsdecode(os.fsencode(program.home) + b"/\xff.db")
    assert b"/\xff.db" in program("config", "cron").raw


def test_without_a_name_it_is_the_unit_of_pull(program: Program) -> None:
    assert [*files(program("config", "systemd").out)] == ["smsreceipt-pull.service"]


def test_a_store_in_a_database_is_named_without_its_password(program: Program) -> None:
    program.location = "postgresql://me:geheim@db.example.com/receipts"
    for words, file in ((["systemd"], "/etc/smsreceipt/credentials"), (["cron"], "~/.config/smsreceipt/env")):
        ended = program("config", *words)
        assert "postgresql://me" in ended.out
        assert "geheim" not in ended.out + ended.err
        assert f"write PGPASSWORD into {file}\n" in ended.err
    program.location = "postgresql://me@db.example.com/receipts"
    assert "PGPASSWORD" not in program("config", "cron").err


def test_the_service_of_a_store_in_a_database_reaches_its_secrets(program: Program) -> None:
    """Those of callback URLs, the key of forgotten numbers, and sends that are noted."""
    program.location = "postgresql://me@db.example.com/receipts"
    folder = opening.secret_file(program.location).parent
    ended = program("config", "systemd", "listen")
    assert f"ReadWritePaths={folder}\n" in ended.out
    program.home = folder.parent
    assert "ProtectHome" not in program("config", "systemd", "listen").out


def test_the_script_that_was_started_is_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "smsreceipt"
    script.touch(0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    program = Program(tmp_path)
    assert f"ExecStart={script} pull --follow\n" in program("config", "systemd").out


def lines(text: str) -> list[str]:
    """The commands of a crontab, as cron hands them to the shell."""
    found = [line for line in text.splitlines() if not line.startswith("#")]
    return [re.sub(r"^(\S+ ){5} *", "", line).replace("\\%", "%") for line in found]


@pytest.mark.slow
def test_the_lines_of_cron_run_in_a_bare_shell(program: Program) -> None:
    program.location = str(program.home / "it's 100%.db")
    config = configured(program, f'[queues]\n"{QUEUE}" = "SmsReport"\n[pull]\nwait = 0\n')
    with Sandbox(Options(port=0)) as sandbox:
        sandbox.put_object(QUEUE, {"phone_number": "13800000001", "biz_id": "1^0", "success": True})
        keys = program.home / ".config" / "smsreceipt" / "env"
        keys.parent.mkdir(parents=True)
        keys.write_text("".join(f"export {name}='{value}'\n" for name, value in sandbox.environment().items()))
        printed = lines(program("config", "cron", "--config", config).out)
        assert len(printed) == 3
        codes = {}
        for line in printed:
            bare = ["env", "-i", f"HOME={program.home}", "PATH=/usr/bin:/bin", "sh", "-c", line]
            ended = subprocess.run(bare, capture_output=True, text=True, check=False, cwd="/")
            assert ended.stdout == "", line
            codes[line.split(" smsreceipt ", 1)[1].split()[0]] = (ended.returncode, ended.stderr)
    assert codes["pull"] == codes["status"] == (0, "")
    assert codes["reconcile"][0] == 3, "nothing was imported"
    [receipt] = program("list", "--json").objects
    assert receipt["phone"] == "13800000001"


def test_the_lines_of_cron_are_those_that_are_configured(program: Program) -> None:
    config = configured(program, '[watch]\nnotify = ["exec:true"]\n')
    printed = program("config", "cron", "--config", config).out
    assert "watch --once -q" in printed
    assert "status" not in printed
    assert "prune" not in printed


def test_a_missing_file_of_keys_does_not_end_the_shell(program: Program) -> None:
    line = lines(program("config", "cron").out)[1]
    ended = subprocess.run(
        ["env", "-i", f"HOME={program.home}", "sh", "-c", line], capture_output=True, text=True, check=False, cwd="/"
    )
    assert ended.stdout == "no receipt for two hours\n"


def test_every_unit_names_a_command_with_valid_options() -> None:
    for name in AVAILABLE:
        command = installation._UNITS[name].command
        known = {flag for param in context_of([command[0]]).command.params for flag in param.opts}
        assert {word for word in command if word.startswith("--")} <= known
