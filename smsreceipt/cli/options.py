"""The options that every command takes, wherever they stand, and the one precedence: file < environment < option."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from smsreceipt.settings import Setting, Settings

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from smsreceipt.config import Config, Schema

_SETTINGS = "smsreceipt.settings"
#: A later setting of the same rank wins: options are read from left to right, a command's after its group's.
_RANK = {ParameterSource.DEFAULT_MAP: 1, ParameterSource.ENVIRONMENT: 2, ParameterSource.COMMANDLINE: 3}


def settings_of(ctx: click.Context) -> Settings:
    """What has been said so far about the common options; shared by a command and its groups."""
    settings: Settings = ctx.meta.setdefault(_SETTINGS, {})
    return settings


def record_setting(ctx: click.Context, option: str, name: str, value: object) -> None:
    """Note that the parameter *option*, being read now, says *value* about the setting *name*."""
    source = ctx.get_parameter_source(option)
    rank = _RANK.get(source, 0) if source else 0
    settings = settings_of(ctx)
    if not rank or (name in settings and settings[name].rank > rank):
        return
    origin = {1: str(ctx.meta.get("smsreceipt.config", "")), 2: "environment", 3: "option"}[rank]
    settings[name] = Setting(value, origin, rank)


def _says(name: str, *, when_true: object = None) -> Callable[[click.Context, click.Parameter, Any], None]:
    """A callback: the option's value, or *when_true* for a flag that is set, is what it says about *name*.

    Such a flag that is switched off takes back its own word, never what another option says.
    """

    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        if not param.name or ctx.resilient_parsing:
            return
        if when_true is None:
            record_setting(ctx, param.name, name, value)
        elif value:
            _refuse_contradiction(ctx, param.name, name, when_true)
            record_setting(ctx, param.name, name, when_true)
        elif name in (said := settings_of(ctx)) and said[name].value == when_true:
            record_setting(ctx, param.name, name, None)

    return callback


def _refuse_contradiction(ctx: click.Context, option: str, name: str, value: object) -> None:
    """--mask and --reveal side by side are a slip; apart, as before and after the command's name, the later counts."""
    if name != "mask" or ctx.get_parameter_source(option) is not ParameterSource.COMMANDLINE:
        return
    if ctx.meta.setdefault(f"smsreceipt.mask.{id(ctx)}", value) != value:
        raise click.UsageError("--mask and --reveal contradict each other", ctx)


def _complete_path(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Leave it to the shell to offer files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def _common(*flags: str, says: str, help: str, when_true: object = None, **attrs: Any) -> click.Option:  # noqa: A002
    name = max(flags, key=len).lstrip("-")
    variables = [f"SMSRECEIPT_{name.replace('-', '_').upper()}", *attrs.pop("also", ())]
    return click.Option(
        flags,
        help=help,
        envvar=variables if len(variables) > 1 else variables[0],
        show_envvar=True,
        allow_from_autoenv=False,
        expose_value=False,
        default=None,
        callback=attrs.pop("callback", None) or _says(says, when_true=when_true),
        **attrs,
    )


def _flag(*flags: str, says: str, help: str, when_true: object = None) -> click.Option:  # noqa: A002
    return _common(*flags, says=says, help=help, when_true=when_true, is_flag=True)


def _read_config(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Read the configuration before any other option of the command is, for its defaults. Groups only take note."""
    if ctx.resilient_parsing or param.name is None:
        return
    record_setting(ctx, param.name, "config", value)
    if isinstance(ctx.command, Command) and ctx.command.reads_config:
        _use(ctx, load_config(ctx))


def _use(ctx: click.Context, config: Config) -> None:
    ctx.meta["smsreceipt.config"] = config.path
    ctx.meta["smsreceipt.config.loaded"] = config
    ctx.default_map = config.defaults(command_path(ctx))


def command_path(ctx: click.Context) -> tuple[str, ...]:
    """The words that name the command, without the program's: ("rejects", "retry")."""
    words: list[str] = []
    at: click.Context | None = ctx
    while at is not None and at.parent is not None:
        words.insert(0, at.info_name or "")
        at = at.parent
    return tuple(words)


def load_config(ctx: click.Context) -> Config:
    """The configuration file that counts now: the one named, else ./smsreceipt.toml, else the platform's, else none.

    Raises UsageError naming the key and the file.
    """
    from pathlib import Path

    from smsreceipt import config

    named = settings_of(ctx).get("config")
    if named is not None and named.value:
        return config.load(Path(named.value).expanduser(), schema(ctx))
    found = config.find()
    return config.load(found, schema(ctx)) if found else config.Config()


def schema(ctx: click.Context) -> Schema:
    """What a configuration file may hold. A command's own keys are looked up only when the file has its table."""
    keys: dict[str, Any] = {key: check for key, check in _keys(common_options()) if key != "config"}
    root = ctx.find_root()
    if isinstance(root.command, click.Group):
        for name in root.command.list_commands(root):
            keys[name] = _Later(root.command, root, name)
    return keys


class _Later:
    """The schema of a command, made when it is needed: importing every command would slow down all of them."""

    def __init__(self, group: click.Group, ctx: click.Context, name: str) -> None:
        self._group, self._ctx, self._name = group, ctx, name

    def __call__(self) -> dict[str, Any]:
        command = self._group.get_command(self._ctx, self._name)
        if command is None:  # pragma: no cover - the names come from the group itself
            return {}
        if isinstance(command, click.Group):
            return {name: _Later(command, self._ctx, name) for name in command.list_commands(self._ctx)}
        common = {param.name for param in common_options()}
        return dict(_keys([param for param in command.params if param.name not in common]))


class OptionKey:
    """One key of a configuration file: what it sets, and what is wrong with a value."""

    def __init__(self, param: click.Option) -> None:
        self.name = param.name or ""
        self._param = param

    def fault(self, value: object) -> str | None:
        """What is wrong with the value, if anything is."""
        if self._param.multiple:
            return "must be a list" if not isinstance(value, list) else next(filter(None, map(self._one, value)), None)
        return self._one(value)

    def _one(self, value: object) -> str | None:
        param, kind = self._param, self._param.type
        if param.is_flag and not param.count:
            return None if isinstance(value, bool) else "must be true or false"
        if param.count or isinstance(kind, click.types.IntParamType):
            wanted, fits = "must be a whole number", isinstance(value, int) and not isinstance(value, bool)
        elif isinstance(kind, click.types.FloatParamType):
            wanted, fits = "must be a number", isinstance(value, int | float) and not isinstance(value, bool)
        else:
            wanted, fits = "must be a text", isinstance(value, str)
        if not fits:
            return wanted
        try:
            kind.convert(value, param, None)
        except click.BadParameter as exc:
            return exc.message
        return None


def long_name(option: click.Option) -> str:
    """The option as a configuration file spells it."""
    return max(option.opts, key=len).lstrip("-")


def _keys(params: Sequence[click.Parameter]) -> Iterator[tuple[str, OptionKey]]:
    for param in params:
        if isinstance(param, click.Option) and param.name != "help":
            yield long_name(param), OptionKey(param)


def common_options() -> list[click.Option]:
    """Fresh copies of the options every command takes."""
    return [
        _common(
            "--store",
            says="store",
            metavar="PATH|URL",
            shell_complete=_complete_path,
            help="Where the receipts are kept.",
        ),
        _common(
            "--config",
            says="config",
            metavar="FILE",
            shell_complete=_complete_path,
            help="Read defaults from here.",
            is_eager=True,
            callback=_read_config,
        ),
        _common(
            "--profile",
            says="profile",
            metavar="NAME",
            help="Profile of ~/.aliyun/config.json with the credentials.",
            also=["ALIBABA_CLOUD_PROFILE"],
        ),
        _common(
            "-o",
            "--output",
            says="output",
            type=click.Choice(["table", "json", "csv"]),
            help="table on a terminal, json (an object a line) when piped, unless told.",
        ),
        _flag("--json", says="output", when_true="json", help="The same as -o json."),
        _flag("--mask", says="mask", when_true="mask", help="Mask phone numbers and texts (tables always do)."),
        _flag("--reveal", says="mask", when_true="reveal", help="Show phone numbers and texts in tables too."),
        _common("-v", "--verbose", says="verbose", count=True, help="Say more; -vv says still more."),
        _flag("-q", "--quiet", says="quiet", help="Say nothing but errors."),
        _flag("--no-color", says="no-color", help="No colours (NO_COLOR does the same)."),
        _flag("--debug", says="debug", help="Show the traceback of an internal error."),
        _flag("--insecure-http", says="insecure-http", help="Allow endpoints without TLS beyond loopback."),
    ]


class _Sections(click.Command):
    """Writes a command's own options first, then those that every command takes."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Two sections instead of one long list."""
        common = {option.name for option in common_options()}
        own: list[tuple[str, str]] = []
        shared: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                (shared if param.name in common else own).append(record)
        for title, records in (("Options", own), ("Common options", shared)):
            with formatter.section(title):
                formatter.write_dl(records)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)


class Command(_Sections):
    """A command that takes the common options and gets its App ready before it runs.

    With *data*, its whole purpose is what it prints: without a standard output it ends with exit code 2.
    """

    def __init__(self, *args: Any, data: bool = False, reads_config: bool = True, **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        self.data, self.reads_config = data, reads_config
        _finish(self)

    def invoke(self, ctx: click.Context) -> Any:
        """Settle the settings, then run the command."""
        from smsreceipt.app import App
        from smsreceipt.config import Config

        app = ctx.find_object(App) or App.of_process()
        ctx.obj = ctx.find_root().obj = app
        app.settle(settings_of(ctx), ctx.meta.get("smsreceipt.config.loaded") or Config())
        if self.data:
            app.need_stdout()
        return super().invoke(ctx)


class Group(_Sections, click.Group):
    """A group that takes the common options too, for its commands."""

    def __init__(self, *args: Any, **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        _finish(self)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order in which they were added, which is that of use."""
        return list(self.commands)


Group.command_class = Command


def _finish(command: click.Command) -> None:
    """Add the common options after the command's own; name every option's variable in its help; know -h."""
    for param in command.params:
        if isinstance(param, click.Option) and not param.is_eager:
            param.show_envvar = True
    command.params.extend(common_options())
    command.context_settings = {
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        **command.context_settings,
    }


def command(name: str, **attrs: Any) -> Callable[[Callable[..., Any]], Command]:
    """Make a function that takes the App first into a command; *attrs* are those of :class:`Command`."""

    def wrap(function: Callable[..., Any]) -> Command:
        made = click.command(name, cls=Command, **attrs)(click.pass_obj(function))
        assert isinstance(made, Command)  # noqa: S101
        return made

    return wrap
