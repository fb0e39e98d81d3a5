"""Options: those that every command takes, and their precedence: configuration file < environment < option.

Common options may stand before or after the command's name; the one nearest to the end counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from smsreceipt import language
from smsreceipt.cli.translated import Sections
from smsreceipt.cli.words import Words, parts
from smsreceipt.settings import Setting, Settings

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from smsreceipt.cli.option_check import OptionCheck
    from smsreceipt.config import Config, Schema

_SETTINGS, _CONFIG, _FAULT = "smsreceipt.settings", "smsreceipt.config", "smsreceipt.config_fault"
#: A setting replaces another one of the same or a lower rank. Options are read from left to right, those of a group
#: before those of its command.
_RANK = {ParameterSource.DEFAULT_MAP: 1, ParameterSource.ENVIRONMENT: 2, ParameterSource.COMMANDLINE: 3}


def settings_of(ctx: click.Context) -> Settings:
    """The settings of the common options read so far; a command shares them with its groups."""
    settings: Settings = ctx.meta.setdefault(_SETTINGS, {})
    return settings


def record_setting(ctx: click.Context, option: str, name: str, value: object) -> None:
    """Set *name* to the value of the parameter *option*, unless it is set with a higher rank."""
    source = ctx.get_parameter_source(option)
    rank = _RANK.get(source, 0) if source else 0
    settings = settings_of(ctx)
    if not rank or (name in settings and settings[name].rank > rank):
        return
    origin = str(ctx.meta[_CONFIG].path) if rank == 1 else {2: "environment", 3: "option"}[rank]
    settings[name] = Setting(value, origin, rank)


class Option(click.Option):
    """An option that is also a key of the configuration file."""

    def __init__(
        self, *args: Any, common: bool = False, example: str | int | None = None, in_template: bool = True, **attrs: Any
    ) -> None:
        """*common*: every command has the option.

        *example*: the value in the template of `config init`, if the option has no default. *in_template*: False for
        what no file should decide, such as deleting without confirmation.
        """
        if isinstance(attrs.get("type"), click.IntRange | click.FloatRange):
            attrs.setdefault("metavar", "N")  # click's own is INTEGER RANGE
        super().__init__(*args, **attrs)
        self.common, self.example, self.in_template = common, example, in_template

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """As in click: the names of the option, and of its variable in the user's language."""
        names, found, variable = super().get_error_hint(ctx).partition(" (env var: ")
        if not found:
            return names
        return language._("{names} (env var: {variable})", names=names, variable=variable.removesuffix(")"))

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """As in click; several words with commas between them are as good as an option that is repeated."""
        return super().type_cast_value(ctx, parts(self.type, value) if self.multiple and value else value)


def option(*flags: str, **attrs: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add an option to a command; *attrs* are those of :class:`Option`."""
    return click.option(*flags, cls=Option, **attrs)


def _sets(name: str, *, when_true: object = None) -> Callable[[click.Context, click.Parameter, Any], None]:
    """A callback that sets *name* to the value of the option, or to *when_true* if the option is a flag that is given.

    Such a flag with the value False unsets *name* if it has the value *when_true*.
    """

    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        if not param.name or ctx.resilient_parsing:
            return
        if when_true is None:
            record_setting(ctx, param.name, name, value)
        elif value:
            _refuse_contradiction(ctx, param.name, name, when_true)
            record_setting(ctx, param.name, name, when_true)
        elif name in (settings := settings_of(ctx)) and settings[name].value == when_true:
            record_setting(ctx, param.name, name, None)

    return callback


def _refuse_contradiction(ctx: click.Context, option: str, name: str, value: object) -> None:
    """Refuse --mask with --reveal. One before and one after the command's name are allowed: the later counts."""
    if name != "mask" or ctx.get_parameter_source(option) is not ParameterSource.COMMANDLINE:
        return
    if ctx.meta.setdefault(f"smsreceipt.mask.{id(ctx)}", value) != value:
        raise click.UsageError(language._("--mask and --reveal contradict each other"), ctx)


def _set_language(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Speak the language of the configuration from now on; cli.main has read words and environment before."""
    if param.name and not ctx.resilient_parsing:
        record_setting(ctx, param.name, "lang", value)
        setting = settings_of(ctx).get("lang")
        if setting is not None and setting.rank == _RANK[ParameterSource.DEFAULT_MAP]:
            language.use(setting.value)


def _complete_path(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete file names."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def _common(*flags: str, sets: str, when_true: object = None, **attrs: Any) -> Option:
    """A common option that sets *sets*; *also*: names of further environment variables."""
    name = max(flags, key=len).lstrip("-")
    variables = [f"SMSRECEIPT_{name.replace('-', '_').upper()}", *attrs.pop("also", ())]
    return Option(
        flags,
        common=True,
        envvar=variables if len(variables) > 1 else variables[0],
        show_envvar=True,
        allow_from_autoenv=False,
        expose_value=False,
        default=None,
        callback=attrs.pop("callback", None) or _sets(sets, when_true=when_true),
        **attrs,
    )


def _read_config(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Load the configuration file before the other options of the command are read, for their defaults."""
    if ctx.resilient_parsing or param.name is None:
        return
    record_setting(ctx, param.name, "config", value)
    if isinstance(ctx.command, Command) and ctx.command.reads_config:
        config = load_config(ctx, tolerant=ctx.command.config_faults)
        ctx.meta[_CONFIG] = config
        ctx.default_map = config.defaults(command_path(ctx), like=ctx.command.like)


def command_path(ctx: click.Context) -> tuple[str, ...]:
    """The words that name the command, without the program's name: ("rejects", "retry")."""
    words: list[str] = []
    at: click.Context | None = ctx
    while at is not None and at.parent is not None:
        words.insert(0, at.info_name or "")
        at = at.parent
    return tuple(words)


def load_config(ctx: click.Context, *, tolerant: bool = False) -> Config:
    """The configuration: of the named file, else ./smsreceipt.toml, else the platform's; empty where there is no file.

    Raises UsageError, which names the file and the key, for a file that cannot be read or is not valid; *tolerant*:
    notes it instead, and the configuration is empty.
    """
    from smsreceipt import config, errors

    named = settings_of(ctx).get("config")
    try:
        path = config.expanded(named.value) if named is not None and named.value else config.find()
        return config.load(path, schema(ctx)) if path else config.Config()
    except errors.UsageError as exc:
        if not tolerant:
            raise
        ctx.meta[_FAULT] = exc
        return config.Config()


def schema(ctx: click.Context) -> Schema:
    """The keys that a configuration file may have. The keys of a command are listed when the file has its table.

    A command that is called like a common option has no table: the key is the option.
    """
    keys: dict[str, Any] = {key: check for key, check in _checks(common_options()).items() if key != "config"}
    root = ctx.find_root()
    if isinstance(root.command, click.Group):
        commands = {name: _CommandKeys(root.command, root, name) for name in root.command.list_commands(root)}
        keys = commands | keys
    return keys


class _CommandKeys:
    """The keys of a command, listed when they are needed: to import every command would slow down all of them."""

    def __init__(self, group: click.Group, ctx: click.Context, name: str) -> None:
        self._group, self._ctx, self._name = group, ctx, name

    def __call__(self) -> dict[str, Any]:
        command = self._group.get_command(self._ctx, self._name)
        keys: dict[str, Any] = {**_checks(own_options(command))} if command else {}
        if isinstance(command, click.Group):
            keys |= {name: _CommandKeys(command, self._ctx, name) for name in command.list_commands(self._ctx)}
        return keys


def _checks(options: Sequence[Option]) -> dict[str, OptionCheck]:
    from smsreceipt.cli.option_check import OptionCheck  # not for --help

    return {long_name(option): OptionCheck(option) for option in options}


def own_options(command: click.Command) -> list[Option]:
    """The options of the command that are not common to all commands."""
    return [param for param in command.params if isinstance(param, Option) and not param.common]


def long_name(option: click.Option) -> str:
    """The name of the option in a configuration file."""
    return max(option.opts, key=len).lstrip("-")


def common_options() -> list[Option]:
    """New copies of the options that every command takes."""
    return [
        _common(
            "--store",
            sets="store",
            metavar="PATH|URL",
            shell_complete=_complete_path,
            help="Where the receipts are kept.",
            example="~/receipts.db",
        ),
        _common(
            "--config",
            sets="config",
            metavar="FILE",
            shell_complete=_complete_path,
            help="Read defaults from here.",
            is_eager=True,
            callback=_read_config,
            in_template=False,
        ),
        _common(
            "--profile",
            sets="profile",
            metavar="NAME",
            help="Profile of ~/.aliyun/config.json with the credentials.",
            also=["ALIBABA_CLOUD_PROFILE"],
            example="default",
        ),
        _common(
            "-o",
            "--output",
            sets="output",
            type=Words(["table", "json", "csv", "excel"]),
            help="table on a terminal, json (an object a line) when piped, unless told; excel is a CSV for Excel.",
            example="json",
        ),
        _common("--json", sets="output", when_true="json", is_flag=True, help="The same as -o json."),
        _common(
            "--mask",
            sets="mask",
            when_true="mask",
            is_flag=True,
            help="Mask phone numbers and texts (tables always do).",
        ),
        _common(
            "--reveal",
            sets="mask",
            when_true="reveal",
            is_flag=True,
            help="Show phone numbers and texts in tables too.",
        ),
        _common(
            "--lang",
            sets="lang",
            type=Words(language.LANGUAGES, language.named),
            callback=_set_language,
            help="The language of help, messages and tables; unless told that of the locale.",
            example="zh",
        ),
        _common("-v", "--verbose", sets="verbose", count=True, help="Say more; -vv says still more."),
        _common("-q", "--quiet", sets="quiet", is_flag=True, help="Say nothing but errors."),
        _common("--no-color", sets="no-color", is_flag=True, help="No colours (NO_COLOR does the same)."),
        _common(
            "--log-format",
            sets="log-format",
            type=Words(["text", "json"]),
            help="Messages on standard error as text, or as JSON objects, one a line.",
            example="json",
        ),
        _common("--debug", sets="debug", is_flag=True, help="Show the traceback of an internal error."),
        _common(
            "--insecure-http", sets="insecure-http", is_flag=True, help="Allow endpoints without TLS beyond loopback."
        ),
        _common(
            "--insecure-db", sets="insecure-db", is_flag=True, help="Allow a database without TLS beyond loopback."
        ),
    ]


class Command(Sections):
    """A command that takes the common options and passes its settings to the App before it runs.

    *data*: the command only prints, so that it fails with exit code 2 if standard output is closed. *reads_config*:
    False for a command that must not load the configuration file. *config_faults*: it runs without a valid one.
    *like*: a command whose table of the configuration holds for this one too, as far as its own table does not tell.
    *chinese_help*: makes the help in Chinese, where the catalogue does not have it.
    """

    def __init__(
        self,
        *args: Any,
        data: bool = False,
        reads_config: bool = True,
        config_faults: bool = False,
        like: str = "",
        chinese_help: Callable[[], str] | None = None,
        **attrs: Any,
    ) -> None:
        super().__init__(*args, **attrs)
        self.like, self.chinese_help = like, chinese_help
        self.data, self.reads_config, self.config_faults = data, reads_config, config_faults
        _add_common_options(self)

    def invoke(self, ctx: click.Context) -> Any:
        """Configure the App, then run the command."""
        from smsreceipt.app import App
        from smsreceipt.config import Config

        app = ctx.find_object(App) or App.of_process()
        ctx.obj = ctx.find_root().obj = app
        app.configure(settings_of(ctx), ctx.meta.get(_CONFIG) or Config(), ctx.meta.get(_FAULT))
        if self.data:
            app.require_stdout()
        return super().invoke(ctx)


class Group(Sections, click.Group):
    """A group that takes the common options for its commands."""

    def __init__(self, *args: Any, **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        _add_common_options(self)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands in the order in which they were added."""
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As in click, but help that is asked for before a command's name is that of the command."""
        if not ctx.resilient_parsing and {*ctx.help_option_names} & {*args}:
            _, words, given = self.make_parser(ctx).parse_args([*args])
            if words and self.get_help_option(ctx) in given:
                args = [words[0], "--help", *words[1:]]
        return super().parse_args(ctx, args)


Group.command_class = Command


def _add_common_options(command: click.Command) -> None:
    """Add the common options and -h; show the environment variables of all options in the help."""
    for param in command.params:
        if isinstance(param, click.Option) and not param.is_eager:
            param.show_envvar = True
    own = {flag for param in command.params for flag in param.opts}
    if "--output" in own:  # names a file: the command prints no objects
        own.add("--json")
    command.params.extend(option for option in common_options() if own.isdisjoint(option.opts))
    command.context_settings = {
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        **command.context_settings,
    }


def cli_command(name: str, **attrs: Any) -> Callable[[Callable[..., Any]], Command]:
    """Make a command of a function whose first parameter is the App; *attrs* are those of :class:`Command`."""

    def wrap(function: Callable[..., Any]) -> Command:
        made = click.command(name, cls=Command, **attrs)(click.pass_obj(function))
        assert isinstance(made, Command)  # noqa: S101
        return made

    return wrap
