"""The start is cheap, and completion knows what exists."""

import subprocess
import sys
from pathlib import Path

import pytest

from smsreceipt import __version__
from smsreceipt.cli import COMMANDS, tool
from smsreceipt.cli.commands.completion import script
from tests.cli.program import Program

ROOT = Path(__file__).parents[2]
FILES = {"bash": "smsreceipt.bash", "zsh": "_smsreceipt", "fish": "smsreceipt.fish"}


def loaded(*words: str) -> set[str]:
    """The modules that a run of the program imports."""
    code = (
        "import sys\nfrom smsreceipt.cli import tool\nfrom smsreceipt.cli.main import run\n"
        f"run(tool, {list(words)!r})\nprint(*sys.modules, file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ended.stderr.splitlines()[-1].split())


def test_help_imports_no_command_and_nothing_heavy() -> None:
    heavy = {"rich", "msgspec", "apsw", "requests", "aliyunsdkcore", "mns", "asyncio", "platformdirs", "tomllib", "ssl"}
    for words in (["--help"], ["-h"], ["--version"], []):
        modules = loaded(*words)
        assert not heavy & modules
        assert {name for name in modules if name.startswith("smsreceipt")} == {
            "smsreceipt",
            "smsreceipt.cli",
            "smsreceipt.cli.main",
            "smsreceipt.cli.options",
            "smsreceipt.cli.translated",
            "smsreceipt.cli.words",
            "smsreceipt.errors",
            "smsreceipt.exits",
            "smsreceipt.language",
            "smsreceipt.settings",
            "smsreceipt.streams",
        }


def test_a_script_that_reads_json_pays_for_no_table(tmp_path: Path) -> None:
    modules = loaded("list", "--store", str(tmp_path / "x.db"))
    assert not {"rich", "requests", "aliyunsdkcore", "mns", "smsreceipt.output.terminal"} & modules


def test_version(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    assert program("--version").code == 0
    assert capsys.readouterr().out == f"smsreceipt {__version__}\n"


def test_without_a_command_there_is_help_and_a_usage_error() -> None:
    for words, first in (((), b"Usage: smsreceipt [OPTIONS]"), (("rejects",), b"Usage: smsreceipt rejects [OPTIONS]")):
        ended = subprocess.run([sys.executable, "-m", "smsreceipt", *words], capture_output=True, check=False)
        assert (ended.returncode, ended.stdout, ended.stderr.startswith(first)) == (2, b"", True)


def complete(words: str, at: int) -> list[str]:
    return [line.partition(",")[2] for line in offered(words, at)]


def offered(words: str, at: int) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-m", "smsreceipt"],
        env={
            "_SMSRECEIPT_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(at),
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout.splitlines()


def test_a_tab_offers_commands_and_options() -> None:
    assert complete("smsreceipt ", 1) == list(COMMANDS)
    assert complete("smsreceipt re", 1) == [name for name in COMMANDS if name.startswith("re")]
    assert complete("smsreceipt rejects ", 2) == ["list", "show", "retry", "drop"]
    assert "--history" in complete("smsreceipt list --h", 2)
    assert complete("smsreceipt --output ", 2) == ["table", "json", "csv", "excel"]


@pytest.mark.parametrize("words", ["--queue my=smsr", "--queue my = smsr", "--queue = my = smsr"])
def test_a_tab_offers_kinds_after_the_name_of_a_queue(words: str) -> None:
    words = f"smsreceipt pull {words}"
    assert complete(words, len(words.split()) - 1) == ["SmsReport"]
    assert complete("smsreceipt pull --queue my", 3) == [""]
    assert len(complete("smsreceipt pull --queue my =", 4)) > 10


def test_a_tab_offers_kinds_codes_and_files() -> None:
    assert complete("smsreceipt list --kind smsr", 3) == ["SmsReport"]
    assert "SecretReport" in complete("smsreceipt status --kind ", 3)
    assert complete("smsreceipt explain mobile_in", 2) == ["MOBILE_IN_BLACK"]
    for words in ("smsreceipt --store x", "smsreceipt list --config x"):
        assert offered(words, len(words.split()) - 1) == ["file,x"]


def test_a_description_with_a_comma_reaches_fish_whole() -> None:
    assert "string split --max 1 " in script("fish")


@pytest.mark.parametrize("shell", FILES)
def test_the_scripts_in_completions_are_what_the_program_prints(shell: str, program: Program) -> None:
    assert (ROOT / "completions" / FILES[shell]).read_text() == script(shell) == program("completion", shell).out


@pytest.mark.parametrize(
    "shell",
    [
        "bash",
        pytest.param("zsh", marks=pytest.mark.needs("zsh")),
        pytest.param("fish", marks=pytest.mark.needs("fish")),
    ],
)
def test_the_shells_accept_them(shell: str) -> None:
    ended = subprocess.run([shell, "-n", ROOT / "completions" / FILES[shell]], capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_the_tool_knows_exactly_the_commands_of_its_table() -> None:
    context = tool.make_context("smsreceipt", ["list"])
    assert tool.list_commands(context) == list(COMMANDS)
    assert tool.get_command(context, "nonsense") is None


def test_no_core_dump_can_be_written() -> None:
    code = (
        "import resource; from smsreceipt.cli import main as boundary; boundary.forbid_core_dumps();"
        "print(resource.getrlimit(resource.RLIMIT_CORE))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "(0, 0)\n"
