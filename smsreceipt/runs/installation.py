"""Prints units of systemd and lines of cron for this installation: its program, its store, its user."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from smsreceipt.app import App
from smsreceipt.language import N_, _
from smsreceipt.store import opening

WATCHDOG = 300  #: seconds; longer than any retry, pause or wait for a locked store lasts
_PLAIN = re.compile(r"[A-Za-z0-9@:/._=+,-]+")
_BIND = "127.0.0.1:8080"
_ENV = ".config/smsreceipt/env"  # of the home directory; export lines with the keys


@dataclass(frozen=True, slots=True)
class Installation:
    """What units and lines name."""

    program: Sequence[str]  #: its first word is an absolute path
    store: str  #: an absolute path, or a URL without a password
    folder: Path  #: of the store and of its secrets; of a store in a database: of its secrets
    config: Path | None
    user: str
    home: Path

    @classmethod
    def of(cls, app: App) -> Installation:
        """The installation that this process runs from, with the settings of its command."""
        store = app.store_location if app.store_is_server else os.path.abspath(app.store_location)  # noqa: PTH100 - links stay
        config = app.config.path.absolute() if app.config.path else None
        folder = opening.secret_file(store).parent if app.store_is_server else Path(store).parent
        return cls(_program(sys.argv[0]), store, folder, config, _user(), app.home)

    @property
    def at_home(self) -> bool:
        """Whether something of it is in the home directory."""
        places = [Path(self.program[0]), self.folder, *([self.config] if self.config else [])]
        return any(place.is_relative_to(self.home) for place in places)


def _program(argument: str) -> Sequence[str]:
    """The words that start this program, from wherever."""
    script = Path(argument).absolute()
    if script.name == "smsreceipt" and os.access(script, os.X_OK):
        return [str(script)]
    return [os.path.abspath(sys.executable), "-m", "smsreceipt"]  # noqa: PTH100 - a venv's python is a link


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


@dataclass(frozen=True, slots=True)
class _Unit:
    """A service; the lines that only it has."""

    description: str
    command: Sequence[str]
    service: Sequence[str] = ()
    requires: Sequence[str] = ()
    on_calendar: str = ""  #: when its timer starts it; "": it runs always

    @property
    def lasting(self) -> bool:
        return not self.on_calendar


_RETRIED = ("Restart=on-failure", "RestartSec=30")
#: Name of a command --> its unit.
_UNITS = {
    "pull": _Unit(
        N_("Receive SMS and call receipts from queues"),
        ["pull", "--follow"],
        [*_RETRIED, "RestartPreventExitStatus=2 4 7"],
    ),
    "listen": _Unit(
        N_("Receive pushed SMS and call receipts"),
        ["listen"],
        ["Restart=always", "RestartSec=1", "RestartPreventExitStatus=2 7", "LimitNOFILE=4096"],
        ["Requires=smsreceipt-listen.socket"],
    ),
    "watch": _Unit(N_("Watch SMS receipts"), ["watch"], [*_RETRIED, "RestartPreventExitStatus=2 7"]),
    "forward": _Unit(
        N_("Hand SMS and call receipts on"), ["forward", "--follow"], [*_RETRIED, "RestartPreventExitStatus=2 3 7"]
    ),
    "reconcile": _Unit(
        N_("Fetch the SMS receipts that never came"),
        ["reconcile", "--date", "yesterday"],
        on_calendar="*-*-* 09:30:00 Asia/Shanghai",
    ),
    "prune": _Unit(
        N_("Delete old SMS and call receipts"), ["prune", "--yes"], on_calendar="*-*-01 03:30:00 Asia/Shanghai"
    ),
}
UNITS = tuple(_UNITS)  #: commands that have a unit


def systemd(app: App, names: Sequence[str]) -> None:
    """Print the units of these commands, each under the path where it belongs."""
    here = Installation.of(app)
    bind = str(app.config.table(("listen",)).get("bind", _BIND))
    files = {file: text for name in names for file, text in _files(name, here, bind).items()}
    _write(app, "\n".join(f"# /etc/systemd/system/{file}\n{text}" for file, text in files.items()))
    for name, key in (("prune", "older_than"), ("forward", "to")):
        if name in names and not app.config.table((name,)).get(key):
            needed = _("{name} needs {key} in [{name}] of the configuration", name=name, key=key.replace("_", "-"))
            app.say(f"hint: {needed}")
    if here.user == "root":
        app.say("hint: " + _("these units run as root: print them as the user who is to own the store"))
    _say_password(app, "/etc/smsreceipt/credentials")
    if not here.folder.is_dir():
        make = f"mkdir -m 700 {shlex.quote(str(here.folder))}"
        app.say("hint: " + _("the service cannot make this folder: {command}", command=make))


def _say_password(app: App, file: str) -> None:
    if opening.has_password(str(app.setting("store") or "")):
        app.say("hint: " + _("the password of the database is left out: write PGPASSWORD into {file}", file=file))


def _write(app: App, text: str) -> None:
    """Print lines of a file; where nobody reads them on a terminal, in UTF-8, which systemd wants."""
    app.write(app.encode(text) if app.stdout_is_tty else text.encode("utf-8", "surrogateescape"))


def shared_units() -> Mapping[str, str]:
    """The units for an installation for all users, with a user of its own, by their file names."""
    store = "/var/lib/smsreceipt/receipts.db"
    here = Installation(["/usr/local/bin/smsreceipt"], store, Path(store).parent, None, "smsreceipt", Path("/home"))
    return {file: text for name in UNITS for file, text in _files(name, here, _BIND).items()}


def _files(name: str, here: Installation, bind: str) -> dict[str, str]:
    """The units of a command by their file names."""
    unit, stem = _UNITS[name], f"smsreceipt-{name}"
    files = {f"{stem}.service": [*_service(unit, here)]}
    if name == "listen":
        socket = ["[Socket]", f"ListenStream={bind.removeprefix(':')}", "Backlog=1024"]
        files[f"{stem}.socket"] = [*socket, "", "[Install]", "WantedBy=sockets.target"]
    if unit.on_calendar:
        timer = ["[Timer]", f"OnCalendar={unit.on_calendar}", "RandomizedDelaySec=600", "Persistent=yes"]
        files[f"{stem}.timer"] = [*timer, "", "[Install]", "WantedBy=timers.target"]
    return {file: "\n".join([*lines, ""]) for file, lines in files.items()}


def _service(unit: _Unit, here: Installation) -> Iterator[str]:
    yield from ("[Unit]", f"Description={_(unit.description)}", *unit.requires)
    yield from ("Wants=network-online.target", "After=network-online.target", "")
    yield from ("[Service]", *(_lasting() if unit.lasting else ["Type=oneshot"]))
    yield f"ExecStart={' '.join(map(_quoted, [*here.program, *unit.command]))}"
    yield f"Environment={_quoted(f'SMSRECEIPT_STORE={here.store}')}"
    if here.config is not None:
        yield f"Environment={_quoted(f'SMSRECEIPT_CONFIG={here.config}')}"
    yield "# " + _("Lines such as ALIBABA_CLOUD_ACCESS_KEY_ID=..., without export; mode 0600.")
    yield "EnvironmentFile=-/etc/smsreceipt/credentials"
    yield from (f"User={here.user}", "UMask=0077", "StandardOutput=null", "SuccessExitStatus=143", *unit.service)
    yield from ("NoNewPrivileges=yes", "ProtectSystem=strict")
    if not here.at_home:
        yield "ProtectHome=yes"
    yield f"ReadWritePaths={_quoted(str(here.folder))}"
    if unit.lasting:
        yield from ("", "[Install]", "WantedBy=multi-user.target")


def _lasting() -> list[str]:
    """A service that says when it works, and is started again when it makes no progress any more."""
    return ["Type=notify", f"TimeoutStartSec={WATCHDOG}", f"WatchdogSec={WATCHDOG}"]


def _quoted(word: str) -> str:
    """A word as systemd reads it."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return word if _PLAIN.fullmatch(word.replace("%%", "")) else f'"{word.replace("$", "$$")}"'


def cron(app: App, available: Collection[str]) -> None:
    """Print lines for the crontab of this user; of the commands that are *available*."""
    here = Installation.of(app)
    head = _(
        "crontab -e, as {user}. {file} holds export lines with the keys, mode 0600.", user=here.user, file=f"~/{_ENV}"
    )
    lines = [f"# {head}"]
    for name, when, words, end in _lines(app):
        if name in available:
            lines.append(f"{when}  {_shell(here, words)}{end}".replace("%", "\\%"))
    _write(app, "\n".join([*lines, ""]))
    _say_password(app, f"~/{_ENV}")


def _lines(app: App) -> Iterator[tuple[str, str, Sequence[str], str]]:
    """A command, its time, its words, and what follows them."""
    yield "pull", "*/5 * * * *", ["pull", "-q"], " > /dev/null"
    if app.config.table(("watch",)).get("notify"):
        yield "watch", "*/5 * * * *", ["watch", "--once", "-q"], " > /dev/null 2>&1"
    else:
        words = ["status", "--max-age", "2h", "-q"]
        yield "status", "*/15 * * * *", words, ' > /dev/null || echo "no receipt for two hours"'
    yield "reconcile", "30 9 * * *", ["reconcile", "--date", "yesterday", "-q"], " > /dev/null"
    if app.config.table(("prune",)):
        yield "prune", "30 3 1 * *", ["prune", "--yes", "-q"], " > /dev/null"


def _shell(here: Installation, words: Sequence[str]) -> str:
    """A command line for sh, with the keys of the user's file if there is one."""
    options = ["--store", here.store, *(["--config", str(here.config)] if here.config else [])]
    keys = f'test ! -r "$HOME/{_ENV}" || . "$HOME/{_ENV}"'
    return f"{keys}; {shlex.join([*here.program, *words, *options])}"
