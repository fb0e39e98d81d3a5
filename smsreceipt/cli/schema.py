"""The keys of the configuration file, derived from the options of all commands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from smsreceipt.cli.options import Option, common_options, long_name
from smsreceipt.config import ConfigKey, Schema


def schema() -> Schema:
    """The keys that a configuration file may have. The keys of a command are listed when the file has its table."""
    from smsreceipt.cli import COMMANDS, tool

    context = click.Context(tool, info_name="smsreceipt")
    keys: dict[str, Any] = {key: check for key, check in _checks(common_options()) if key != "config"}
    return keys | {name: _CommandKeys(tool, context, name) for name in COMMANDS}


class _CommandKeys:
    """The keys of a command, listed when they are needed: to import every command would slow down all of them."""

    def __init__(self, group: click.Group, ctx: click.Context, name: str) -> None:
        self._group, self._ctx, self._name = group, ctx, name

    def __call__(self) -> dict[str, Any]:
        command = self._group.get_command(self._ctx, self._name)
        if isinstance(command, click.Group):
            return {name: _CommandKeys(command, self._ctx, name) for name in command.list_commands(self._ctx)}
        return dict(_checks(_own_options(command))) if command else {}


class OptionCheck:
    """Checks the value of one key as the option itself would."""

    def __init__(self, param: click.Option) -> None:
        self.name = param.name or ""
        self._param = param

    def fault(self, value: object) -> str | None:
        """What is wrong with the value; None for a valid one."""
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


def _checks(options: Sequence[click.Option]) -> Iterator[tuple[str, OptionCheck]]:
    for option in options:
        yield long_name(option), OptionCheck(option)


def _own_options(command: click.Command) -> list[Option]:
    """The options of the command that other commands do not have."""
    common = {option.name for option in common_options()}
    return [param for param in command.params if isinstance(param, Option) and param.name not in common]


def own_options() -> Iterator[tuple[tuple[str, ...], Option]]:
    """Every option that is not common to all commands, with the words that name its command."""
    from smsreceipt.cli import tool

    def walk(group: click.Group, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Option]]:
        context = click.Context(group)
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            if isinstance(found, click.Group):
                yield from walk(found, (*words, name))
            elif found is not None:
                yield from (((*words, name), option) for option in _own_options(found))

    yield from walk(tool, ())


def config_keys() -> list[ConfigKey]:
    """All keys that set options: those of every command first, then those of single commands."""
    options = [((), option) for option in common_options()]
    return [_config_key(words, option) for words, option in (*options, *own_options())]


def _config_key(words: tuple[str, ...], option: Option) -> ConfigKey:
    name = long_name(option)
    return ConfigKey(
        command=words,
        name=name,
        parameter=option.name or "",
        variable="_".join(("SMSRECEIPT", *words, name)).replace("-", "_").upper(),
        help=option.help or "",
        value=_value(option),
        in_template=option.in_template,
    )


def _value(option: Option) -> str:
    """The default in TOML; the example where there is no default."""
    if option.is_flag and not option.count:
        return "false"
    if option.count:
        return "0"
    if isinstance(option.default, str | int | float):
        return json.dumps(option.default)
    return json.dumps([option.example] if option.multiple else option.example, ensure_ascii=False)
