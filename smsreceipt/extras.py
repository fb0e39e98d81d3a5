"""How an extra is added to this installation: the command that hints name where a package is missing."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from pathlib import Path

_PIPX, _UV = "pipx_metadata.json", "uv-receipt.toml"  # each marks an environment that its tool made
#: Extras that one of these files names.
_EXTRAS = re.compile(r'(?:"package_or_url": "[^"]*?|extras = )\[([^]]*)]')
_LINK = re.compile(r'install-path = "(.+)/[^/"]+"')


def install_command(extra: str, prefix: Path | None = None, home: Path | None = None) -> str:
    """The command that adds an extra to the environment at *prefix*, by default the one that this program runs in.

    It keeps the extras that are there, and the place where the program was installed from.
    """
    prefix = prefix or Path(sys.prefix)
    home = home or Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home raises RuntimeError for an unknown user
    isolated = (prefix / "pyvenv.cfg").is_file()
    before = "" if not isolated or os.access(prefix, os.W_OK) else "sudo "
    if (prefix / _PIPX).is_file():
        # `pipx inject` refuses the package of the environment itself in some versions.
        place = _environment({"PIPX_HOME": prefix.parent.parent, "PIPX_BIN_DIR": _linked_from(prefix)}, home)
        return f"{before}{place}pipx install --force {_requirement(prefix, _PIPX, extra)}"
    if (prefix / _UV).is_file():
        link = _LINK.search(_text(prefix / _UV))
        place = _environment({"UV_TOOL_DIR": prefix.parent, "UV_TOOL_BIN_DIR": Path(link[1]) if link else None}, home)
        return f"{before}{place}uv tool install --force {_requirement(prefix, _UV, extra)}"
    python = shlex.quote(str(prefix / "bin" / "python3"))
    wanted = shlex.quote(f"smsreceipt[{extra}]")
    if re.search(r"^uv = ", _text(prefix / "pyvenv.cfg"), re.MULTILINE):  # has no pip
        return f"{before}uv pip install --python {python} {wanted}"
    return f"{before}{python} -m pip install {wanted}"


def _linked_from(prefix: Path) -> Path | None:
    """The folder of the link by which this program was called; None where it was called without one."""
    called = Path(sys.argv[0]).absolute()
    linked = called.is_symlink() and called.resolve().parent == (prefix / "bin").resolve()
    return called.parent if linked else None


def _environment(variables: dict[str, Path | None], home: Path) -> str:
    """The assignments that name these folders, unless they are in the home directory, as they are by default."""
    if all(folder is None or folder.is_relative_to(home) for folder in variables.values()):
        return ""
    return "".join(f"{name}={shlex.quote(str(folder))} " for name, folder in variables.items() if folder)


def _requirement(prefix: Path, marker: str, extra: str) -> str:
    """What a tool is asked for that installs the program anew, quoted."""
    listed = _EXTRAS.search(_text(prefix / marker))
    extras = {extra, *re.findall(r"[\w-]+", listed[1] if listed else "")}
    return shlex.quote(f"smsreceipt[{','.join(sorted(extras))}]{_origin(prefix)}")


def _origin(prefix: Path) -> str:
    """Where the program was installed from, as a requirement names it; "" for an index of packages."""
    for file in prefix.glob("lib/python*/site-packages/smsreceipt-*.dist-info/direct_url.json"):
        told = json.loads(file.read_text("utf-8"))  # https://packaging.python.org/specifications/direct-url/
        vcs = told.get("vcs_info")
        return f" @ {vcs['vcs']}+{told['url']}@{vcs['commit_id']}" if vcs else f" @ {told['url']}"
    return ""


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError:
        return ""
