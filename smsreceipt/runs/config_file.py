"""Shows the effective settings with their origins, and writes a configuration file to start with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from smsreceipt import language
from smsreceipt.app import App
from smsreceipt.config import ENDPOINTS, FILE, directory, expanded
from smsreceipt.errors import UsageError
from smsreceipt.language import N_, _
from smsreceipt.output.objects.settings import SETTINGS, SettingRow
from smsreceipt.output.printer import print_rows
from smsreceipt.permissions import unusable
from smsreceipt.runs.private_file import write_private

_COMMON = (
    "config",
    "store",
    "profile",
    "output",
    "mask",
    "lang",
    "verbose",
    "quiet",
    "no-color",
    "log-format",
    "debug",
    "insecure-http",
    "insecure-db",
)
_HEAD = (
    N_("smsreceipt: defaults for the command line. An environment variable beats this file, an option beats both."),
    N_("Keys of accounts do not belong here: they come from ALIBABA_CLOUD_* or ~/.aliyun/config.json."),
)
_PROXY = '#proxy = "http://proxy.example.com:3128"'
_PROXY_HELP = N_("HTTP proxy for calls to the provider; empty for none. Unless said, HTTPS_PROXY decides.")
_QUEUES_HELP = N_("The queues that pull drains, and their message types; the console names them.")
_QUEUES = (
    "[queues]",
    *(f'#"Alicom-Queue-1234567890123456-{kind}" = "{kind}"' for kind in ("SmsReport", "SmsUp")),
)
_ENDPOINTS_HELP = N_("The provider's own unless said: only VPC and international accounts need these.")
_ENDPOINTS = (
    "[endpoints]",
    *(f'#{name} = "{example}"' for name, example in ENDPOINTS.items()),
)
#: What most people set, by command; "": for every command.
_FIRST = {
    "": ("store", "profile"),
    "pull": ("workers", "wait"),
    "listen": ("bind", "secret-file", "metrics-bind"),
    "reconcile": ("min-age", "qps"),
    "watch": ("notify",),
    "prune": ("older-than",),
}


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """A key that sets an option."""

    command: tuple[str, ...]  #: the words that name its command; () for an option of every command
    name: str
    parameter: str  #: the name of the parameter, under which a Config has the value
    variable: str  #: the environment variable of the same option
    help: str
    value: str  #: in TOML: the default of the option, else an example
    in_template: bool  #: whether the file that `config init` writes has it

    @property
    def path(self) -> str:
        """The key with its tables: rejects.retry.kind."""
        return ".".join([*self.command, self.name])


def show(app: App, keys: Iterable[ConfigKey]) -> None:
    """Print the common settings, endpoints and queues, and those of *keys* that the file or the environment sets.

    Credentials are not read, so they cannot be shown.
    """
    print_rows(app, SETTINGS, [*_common(app), *_proxy(app), *_endpoints(app), *_queues(app), *_commands(app, keys)])


def _common(app: App) -> Iterator[SettingRow]:
    file = app.config.path
    defaults = {
        "config": str(file) if file else "none",
        "store": app.store_location,
        "output": app.output,
        "mask": _word(app.mask),
        "lang": language.chosen(),
        "profile": "none",
        "log-format": "text",
    }
    for name in _COMMON:
        setting = app.settings.get(name)
        if setting is not None and setting.value is not None:
            value = app.store_location if name == "store" and "://" in setting.value else _word(setting.value)
            yield SettingRow(name, value, setting.origin)
        else:
            origins = {"config": "found" if file else "default", "lang": "locale"}
            yield SettingRow(name, defaults.get(name, "no"), origins.get(name, "default"))


def _endpoints(app: App) -> Iterator[SettingRow]:
    for name in ENDPOINTS:
        variable, key = f"SMSRECEIPT_{name.upper()}_ENDPOINT", f"endpoints.{name}"
        if app.environ.get(variable):
            yield SettingRow(key, app.environ[variable], "environment")
        elif name in app.config.endpoints:
            yield SettingRow(key, app.config.endpoints[name], str(app.config.path))
        else:
            yield SettingRow(key, "the provider's", "default")


def _proxy(app: App) -> Iterator[SettingRow]:
    from smsreceipt.aliyun.proxies import hidden
    from smsreceipt.runs.access import proxies

    text, origin = proxies(app).named()
    if origin and app.config.proxy is not None:
        origin = str(app.config.path)
    elif origin:
        origin = "environment"
    yield SettingRow("proxy", hidden(text) or "none", origin or "default")


def _queues(app: App) -> Iterator[SettingRow]:
    for name, kind in app.config.queues.items():
        yield SettingRow(f"queues.{name}", kind, str(app.config.path))


def _commands(app: App, keys: Iterable[ConfigKey]) -> Iterator[SettingRow]:
    for key in keys:
        table = app.config.table(key.command)
        if not key.command:
            continue
        if app.environ.get(key.variable):
            yield SettingRow(key.path, app.environ[key.variable], "environment")
        elif key.parameter in table:
            yield SettingRow(key.path, _word(table[key.parameter]), str(app.config.path))


def _word(value: object) -> str:
    return {"True": "yes", "False": "no"}.get(str(value), str(value))


def init(app: App, keys: Sequence[ConfigKey], *, full: bool, force: bool) -> None:
    """Write the template to the file of --config, else to the platform's directory; only its owner can read it.

    *full*: with every key, not only those that most people set.

    Raises UsageError if the file cannot be written, and if it exists, unless *force* replaces it. After a crash the
    file is either whole or as it was before.
    """
    folder = directory()
    if not app.setting("config") and folder is None:
        raise UsageError(
            _("there is no place for the file: this user has no home directory"), hint=_("Name it: --config.")
        )
    path = expanded(app.setting("config") or str(folder and folder / FILE))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, (template if full else first_template)(keys).encode(), replace=force)
    except FileExistsError as exc:
        raise UsageError(_("{file} is there already", file=path), hint=_("Replace it with --force.")) from exc
    except OSError as exc:
        raise unusable(f"{path}", exc, path, write=True) from exc
    app.say(_("written: {file}", file=path))


def template(keys: Sequence[ConfigKey]) -> str:
    """Every key with its help and its default or an example, commented out."""
    tables = {command: [*table] for command, table in groupby(filter(_in_template, keys), lambda key: key.command)}
    lines = [*_head(), *_commented(tables.pop(())), f"# {_(_PROXY_HELP)}", _PROXY, *_provider()]
    for command, table in tables.items():
        lines += ["", f"[{'.'.join(command)}]", *_commented(table)]
    return "\n".join(lines) + "\n"


def first_template(keys: Sequence[ConfigKey]) -> str:
    """The keys that most people set, each on a line with its help, commented out."""
    of = {key.path: key for key in keys}
    lines = [*_head(), *map(_on_a_line, (of[path] for path in _FIRST[""])), f"{_PROXY}  # {_(_PROXY_HELP)}"]
    lines += _provider()
    for command, names in _FIRST.items():
        if command:
            lines += ["", f"[{command}]", *(_on_a_line(of[f"{command}.{name}"]) for name in names)]
    last = _("Every key there is: {command}", command="smsreceipt config init --full --config all.toml")
    return "\n".join([*lines, "", f"# {last}", ""])


def _head() -> list[str]:
    return [*(f"# {_(line)}" for line in _HEAD), ""]


def _provider() -> list[str]:
    """The tables of queues and endpoints."""
    return ["", f"# {_(_QUEUES_HELP)}", *_QUEUES, "", f"# {_(_ENDPOINTS_HELP)}", *_ENDPOINTS]


def _in_template(key: ConfigKey) -> bool:
    return key.in_template


def _commented(keys: Iterable[ConfigKey]) -> Iterator[str]:
    for key in keys:
        yield f"# {_(key.help)}"
        yield f"#{key.name} = {key.value}"


def _on_a_line(key: ConfigKey) -> str:
    return f"#{key.name} = {key.value}  # {_(key.help)}"
