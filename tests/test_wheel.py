"""What users install: the wheel, in an environment that holds nothing of ours but what the wheel asks for."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import smsreceipt
from smsreceipt.cli import manual
from smsreceipt.runs import installation

ROOT = Path(__file__).parent.parent
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]  # built once, not once per worker


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    ours = ("SMSRECEIPT_", "ALIBABA_CLOUD_", "PYTHON")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        command, cwd=cwd, env=inherited | environment, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    built = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    assert built.returncode == 0, built.stdout + built.stderr
    [path] = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def program(wheel: Path) -> Path:
    venv = wheel.parent / "venv"
    made = run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=wheel.parent)
    assert made.returncode == 0, made.stderr
    # Its own pip would take as long to unpack as all the rest; what is never imported need not be compiled.
    pip = (sys.executable, "-m", "pip", "--python", venv / "bin" / "python")
    installed = run(*pip, "install", "--quiet", "--disable-pip-version-check", "--no-compile", wheel, cwd=wheel.parent)
    assert installed.returncode == 0, installed.stderr
    return venv / "bin" / "smsreceipt"


@pytest.fixture
def sandbox(program: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment that a sandbox of the installed program asks its users to export."""
    load = tmp_path / "load.ndjson"
    body = {
        "phone_number": "13800000001", "send_time": "2026-11-20 15:49:55", "report_time": "2026-11-20 15:49:58",
        "success": True, "err_code": "DELIVERED", "err_msg": "用户接收成功", "sms_size": "1", "biz_id": "9006^0",
    }  # fmt: skip
    load.write_text(json.dumps({"kind": "SmsReport", "body": body}) + "\n")
    process = subprocess.Popen(
        [program, "sandbox", "--port", "0", "--uid", "1000000001", "--load", load],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        exports = {}
        for line in process.stdout:
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                exports[name] = value.strip("'\"")
            elif line.startswith("# ready"):
                break
        yield exports
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_it_holds_the_package_with_its_data_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    data = {
        str(path.relative_to(ROOT))
        for kind in ("sql", "tsv", "j2", "po", "typed")
        for path in ROOT.glob(f"smsreceipt/**/*.{kind}")
    }
    assert {Path(name).suffix for name in data} == {".sql", ".tsv", ".j2", ".po", ".typed"}
    assert data <= set(names)
    released = f"smsreceipt-{smsreceipt.__version__}"
    assert {name.split("/")[0] for name in names} == {"smsreceipt", f"{released}.dist-info", f"{released}.data"}


def test_it_brings_man_pages_completions_and_units(wheel: Path, program: Path) -> None:
    share = f"smsreceipt-{smsreceipt.__version__}.data/data/share"
    shared = {name.removeprefix(f"{share}/") for name in zipfile.ZipFile(wheel).namelist() if name.startswith(share)}
    assert {
        f"{folder}/{name}".removeprefix("share/") for folder in manual.FOLDERS.values() for name in manual.pages()
    } <= shared
    assert {f"smsreceipt/systemd/{name}" for name in installation.shared_units()} <= shared
    assert all(unit.isascii() for unit in installation.shared_units().values())
    assert {
        "bash-completion/completions/smsreceipt", "zsh/site-functions/_smsreceipt",
        "fish/vendor_completions.d/smsreceipt.fish", "smsreceipt/grafana.json", "smsreceipt/prometheus-alerts.yml",
    } <= shared  # fmt: skip
    man = program.parent.parent / "share" / "man"
    assert ".SH NAME\n" in (man / "man1" / "smsreceipt-pull.1").read_text()
    assert ".SH 名称\n" in (man / "zh_CN" / "man1" / "smsreceipt-pull.1").read_text(encoding="utf-8")


def test_it_starts_and_knows_its_version(program: Path, tmp_path: Path) -> None:
    assert "pull" in run(program, "--help", cwd=tmp_path).stdout
    assert smsreceipt.__version__ in run(program, "--version", cwd=tmp_path).stdout


def test_a_store_that_does_not_exist_yet_is_an_empty_one(program: Path, tmp_path: Path) -> None:
    listed = run(program, "list", "--json", cwd=tmp_path, SMSRECEIPT_STORE=str(tmp_path / "none.db"))
    assert (listed.returncode, listed.stdout) == (0, "")


def test_it_explains_codes_from_its_own_tables(program: Path, tmp_path: Path) -> None:
    explained = run(program, "explain", "DELIVERED", "--json", cwd=tmp_path)
    assert json.loads(explained.stdout)["category"] == "delivered"


def test_it_writes_a_report_with_its_own_template(program: Path, tmp_path: Path) -> None:
    made = run(program, "report", "-", cwd=tmp_path, SMSRECEIPT_STORE=str(tmp_path / "none.db"))
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("<!DOCTYPE html>")


def test_it_pulls_from_its_own_sandbox(program: Path, tmp_path: Path, sandbox: dict[str, str]) -> None:
    queue = "Alicom-Queue-1000000001-SmsReport"
    environment = sandbox | {"SMSRECEIPT_STORE": str(tmp_path / "receipts.db")}
    pulled = run(program, "pull", "--queue", queue, "--wait", "0", cwd=tmp_path, **environment)
    assert pulled.returncode == 0, pulled.stderr
    assert pulled.stderr.splitlines()[-1].startswith("received=1 new=1 duplicate=0 rejected=0 deleted=1 undeleted=0")
    [receipt] = run(program, "list", "--json", cwd=tmp_path, **environment).stdout.splitlines()
    assert json.loads(receipt)["phone"] == "13800000001"
