"""`smsreceipt config`: what counts now and where it comes from; a first file to start with."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import click

from smsreceipt.app import App
from smsreceipt.cli.options import Group, common_options, long_name
from smsreceipt.cli.options import command as make
from smsreceipt.config import ENDPOINTS, FILE, directory
from smsreceipt.errors import UsageError
from smsreceipt.output.objects.settings import SETTINGS, SettingRow
from smsreceipt.output.printer import print_rows

command = Group("config", help="Show the effective configuration, or write a first one.")


@make("show", data=True)
def show_command(app: App) -> None:
    """Show the effective settings, and where each comes from.

    The keys of the provider's accounts are never read here, so they cannot be shown.
    """
    rows = [SettingRow(*row) for row in (*_common(app), *_endpoints(app), *_queues(app), *_commands(app))]
    print_rows(app, SETTINGS, rows)


def _common(app: App) -> Iterator[tuple[str, str, str]]:
    file = app.config.path
    defaults = {
        "config": str(file) if file else "none",
        "store": app.store_location,
        "output": app.output,
        "mask": _word(app.mask),
        "profile": "none",
    }
    for name in (
        "config",
        "store",
        "profile",
        "output",
        "mask",
        "verbose",
        "quiet",
        "no-color",
        "debug",
        "insecure-http",
    ):
        said = app.settings.get(name)
        if said is not None and said.value is not None:
            yield name, _word(said.value), said.origin
        else:
            yield name, defaults.get(name, "no"), "found" if name == "config" and file else "default"


def _endpoints(app: App) -> Iterator[tuple[str, str, str]]:
    for name in ENDPOINTS:
        variable = f"SMSRECEIPT_{name.upper()}_ENDPOINT"
        if app.environ.get(variable):
            yield f"endpoints.{name}", app.environ[variable], "environment"
        elif name in app.config.endpoints:
            yield f"endpoints.{name}", app.config.endpoints[name], str(app.config.path)
        else:
            yield f"endpoints.{name}", "the provider's", "default"


def _queues(app: App) -> Iterator[tuple[str, str, str]]:
    for name, kind in app.config.queues.items():
        yield f"queues.{name}", kind, str(app.config.path)


def _commands(app: App) -> Iterator[tuple[str, str, str]]:
    """What the file and the environment say about the options of single commands."""
    for words, param in own_options():
        variable = f"SMSRECEIPT_{'_'.join(words)}_{param.name}".upper()
        name = ".".join([*words, long_name(param)])
        table = app.config.commands
        for word in words:
            table = table.get(word, {})
        if app.environ.get(variable):
            yield name, app.environ[variable], "environment"
        elif param.name in table:
            yield name, _word(table[param.name]), str(app.config.path)


def _word(value: object) -> str:
    return {"True": "yes", "False": "no"}.get(str(value), str(value))


def own_options() -> Iterator[tuple[tuple[str, ...], click.Option]]:
    """Every option that belongs to one command, with the words that name the command."""
    from smsreceipt.cli import tool

    def walk(group: click.Group, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Option]]:
        context = click.Context(group)
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            if isinstance(found, click.Group):
                yield from walk(found, (*words, name))
            elif found is not None:
                yield from (((*words, name), param) for param in _own(found))

    yield from walk(tool, ())


def _own(found: click.Command) -> list[click.Option]:
    common = {option.name for option in common_options()}
    return [param for param in found.params if isinstance(param, click.Option) and param.name not in common]


@make("init", reads_config=False)
@click.option("--force", is_flag=True, help="Replace the file that is there.")
def init_command(app: App, *, force: bool) -> None:
    """Write a commented configuration file to start with.

    To the platform's configuration directory, or where --config says. Only you can read it.
    """
    path = Path(app.setting("config") or directory() / FILE).expanduser()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, template().encode(), force=force)
    except FileExistsError as exc:
        raise UsageError(f"{path} is there already", hint="Replace it with --force.") from exc
    except OSError as exc:
        raise UsageError(f"{path}: {exc.strerror}") from exc
    app.say(f"written: {path}")


def _write(path: Path, content: bytes, *, force: bool) -> None:
    """The whole file or none of it, readable by its owner alone, on the disk when this returns."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if force:
            new.replace(path)
        else:
            os.link(new, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
    parent = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def template() -> str:
    """The file that `config init` writes: the keys there are, with their help and defaults, commented out."""
    lines = [
        "# smsreceipt: defaults for the command line. An environment variable beats this file, an option beats both.",
        "# Keys of accounts do not belong here: they come from ALIBABA_CLOUD_* or ~/.aliyun/config.json.",
        "",
    ]
    lines += [line for option in common_options() if option.name not in _UNSAID for line in _commented(option)]
    lines += ["", "[queues]", '# "Alicom-Queue-1234567890123456-SmsReport" = "SmsReport"']
    lines += ["", "# The provider's own unless said: only VPC and international accounts need these.", "[endpoints]"]
    lines += [f'# {name} = "{_EXAMPLES[name]}"' for name in ENDPOINTS]
    table = ""
    for words, option in own_options():
        if (*words, option.name) in _DANGEROUS:
            continue
        if table != ".".join(words):
            table = ".".join(words)
            lines += ["", f"[{table}]"]
        lines += _commented(option, ".".join(words))
    return "\n".join(lines) + "\n"


def _commented(option: click.Option, words: str = "") -> list[str]:
    return [f"# {option.help}", f"#{long_name(option)} = {_value(option, words)}"]


def _value(option: click.Option, words: str) -> str:
    """The default, so that taking the # away changes nothing; where there is none, an example that can stand."""
    if option.is_flag and not option.count:
        return "false"
    if option.count:
        return "0"
    if isinstance(option.default, str | int | float):
        return json.dumps(option.default)
    name = long_name(option)
    example = _EXAMPLES.get(f"{words}.{name}", _EXAMPLES.get(name, 1))
    return json.dumps([example] if option.multiple else example, ensure_ascii=False)


#: What no file should decide: where it is itself, to drop unasked, to write over itself, to read all rejects as one.
_UNSAID = frozenset({"config"})
_DANGEROUS = frozenset(
    {
        ("rejects", "drop", "yes"),
        ("sends", "forget", "yes"),
        ("config", "init", "force"),
        ("rejects", "retry", "everything"),
        ("rejects", "retry", "kind"),
    }
)

#: Values for keys that have no default.
_EXAMPLES: dict[str, str | int] = {
    "mns": "1493622401794734.mns.ap-southeast-1.aliyuncs.com",
    "dybaseapi": "dybaseapi.ap-southeast-1.aliyuncs.com",
    "dysmsapi": "dysmsapi.ap-southeast-1.aliyuncs.com",
    "store": "~/receipts.db",
    "profile": "default",
    "output": "json",
    "queue": "Alicom-Queue-1234567890123456-SmsReport",
    "uid": "1234567890123456",
    "type": "SmsReport",
    "for": "10m",
    "kind": "SmsReport",
    "phone": "13800000001",
    "biz-id": "900619746936498440^0",
    "out-id": "order-1000",
    "call-id": "4f3a00000062290c",
    "outcome": "failed",
    "code": "MOBILE_IN_BLACK",
    "source": "mns",
    "date": "today",
    "since": "2d",
    "until": "today",
    "max": 1000,
    "after": 0,
    "limit": 100,
    "max-age": "2h",
    "load": "messages.ndjson",
    "seed": 1,
    "fault": "duplicate=0.1",
}


for _command in (show_command, init_command):
    command.add_command(_command)
