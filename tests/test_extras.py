"""The command of a hint adds an extra to the installation that prints it."""

import json
import os
from pathlib import Path

import pytest

from smsreceipt.extras import install_command


def prefix(at: Path, files: dict[str, str] | None = None) -> Path:
    """A made-up environment with these files."""
    at.mkdir(parents=True)
    (at / "pyvenv.cfg").write_text("home = /usr/bin\n")
    for name, text in (files or {}).items():
        (at / name).write_text(text)
    return at


def installed_from(at: Path, told: object) -> None:
    folder = at / "lib/python3.13/site-packages/smsreceipt-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "direct_url.json").write_text(json.dumps(told))


def of_pipx(asked: str) -> str:
    return json.dumps({"main_package": {"package": "smsreceipt", "package_or_url": asked}}, indent=4)


def of_uv(requirement: str, link: str) -> str:
    entry = f'{{ name = "smsreceipt", install-path = "{link}", from = "smsreceipt" }}'
    return f"[tool]\nrequirements = [{{ {requirement} }}]\nentrypoints = [\n    {entry},\n]\n"


def test_an_environment_of_its_own(tmp_path: Path) -> None:
    at = prefix(tmp_path / "venv")
    assert install_command("parquet", at, tmp_path) == f"{at}/bin/python3 -m pip install 'smsreceipt[parquet]'"
    spaced = prefix(tmp_path / "my venv")
    assert install_command("xlsx", spaced, tmp_path).startswith(f"'{spaced}/bin/python3' -m pip")


def test_an_environment_of_uv_has_no_pip(tmp_path: Path) -> None:
    at = prefix(tmp_path / "venv", {"pyvenv.cfg": "home = /usr/bin\nuv = 0.13.9\n"})
    wanted = f"uv pip install --python {at}/bin/python3 'smsreceipt[parquet]'"
    assert install_command("parquet", at, tmp_path) == wanted


def test_a_user_whom_no_table_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    at = prefix(tmp_path / "venv")
    assert install_command("parquet", at) == f"{at}/bin/python3 -m pip install 'smsreceipt[parquet]'"


def test_no_environment_at_all(tmp_path: Path) -> None:
    assert install_command("xlsx", Path("/usr"), tmp_path) == "/usr/bin/python3 -m pip install 'smsreceipt[xlsx]'"


def test_pipx_keeps_its_extras_and_the_place_of_its_package(tmp_path: Path) -> None:
    at = prefix(tmp_path / ".local/pipx/venvs/smsreceipt", {"pipx_metadata.json": of_pipx("smsreceipt")})
    assert install_command("postgres", at, tmp_path) == "pipx install --force 'smsreceipt[postgres]'"
    (at / "pipx_metadata.json").write_text(of_pipx("/src/smsreceipt[xlsx,notify]"))
    assert install_command("xlsx", at, tmp_path) == "pipx install --force 'smsreceipt[notify,xlsx]'"
    installed_from(at, {"url": "file:///src/smsreceipt", "dir_info": {}})
    wanted = "pipx install --force 'smsreceipt[notify,parquet,xlsx] @ file:///src/smsreceipt'"
    assert install_command("parquet", at, tmp_path) == wanted


def test_uv_keeps_its_extras_and_the_place_of_its_package(tmp_path: Path) -> None:
    receipt = of_uv('name = "smsreceipt"', f"{tmp_path}/.local/bin/smsreceipt")
    at = prefix(tmp_path / ".local/share/uv/tools/smsreceipt", {"uv-receipt.toml": receipt})
    assert install_command("notify", at, tmp_path) == "uv tool install --force 'smsreceipt[notify]'"
    more = of_uv('name = "smsreceipt", extras = ["xlsx", "parquet"]', f"{tmp_path}/.local/bin/smsreceipt")
    (at / "uv-receipt.toml").write_text(more)
    installed_from(at, {"url": "https://git.example.com/s.git", "vcs_info": {"vcs": "git", "commit_id": "0a1b"}})
    wanted = "uv tool install --force 'smsreceipt[notify,parquet,xlsx] @ git+https://git.example.com/s.git@0a1b'"
    assert install_command("notify", at, tmp_path) == wanted


def test_what_others_own_needs_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = prefix(tmp_path / "venv")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    assert install_command("xlsx", at, tmp_path).startswith(f"sudo {at}/bin/python3 ")


def test_an_installation_for_all_users_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    pipx = prefix(tmp_path / "opt/pipx/venvs/smsreceipt", {"pipx_metadata.json": of_pipx("smsreceipt")})
    wanted = f"PIPX_HOME={tmp_path}/opt/pipx pipx install --force 'smsreceipt[xlsx]'"
    assert install_command("xlsx", pipx, home) == wanted
    link, program = tmp_path / "usr/local/bin/smsreceipt", pipx / "bin/smsreceipt"
    for file in (link, program):
        file.parent.mkdir(parents=True)
    program.touch()
    link.symlink_to(program)
    monkeypatch.setattr("sys.argv", [str(link)])
    assert install_command("xlsx", pipx, home) == wanted.replace(" pipx ", f" PIPX_BIN_DIR={link.parent} pipx ")
    monkeypatch.setattr("sys.argv", [str(program)])
    assert install_command("xlsx", pipx, home) == wanted
    receipt = of_uv('name = "smsreceipt"', "/usr/local/bin/smsreceipt")
    uv = prefix(tmp_path / "opt/uv/smsreceipt", {"uv-receipt.toml": receipt})
    folders = f"UV_TOOL_DIR={tmp_path}/opt/uv UV_TOOL_BIN_DIR=/usr/local/bin"
    assert install_command("xlsx", uv, home) == f"{folders} uv tool install --force 'smsreceipt[xlsx]'"


def test_this_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    at = prefix(tmp_path / "venv")
    monkeypatch.setattr("sys.prefix", str(at))
    assert install_command("xlsx") == f"{at}/bin/python3 -m pip install 'smsreceipt[xlsx]'"
