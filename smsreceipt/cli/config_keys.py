"""The keys of the configuration file that set options, derived from the options of all commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import click

from smsreceipt.cli import tool
from smsreceipt.cli.option_check import OptionCheck
from smsreceipt.cli.options import Option, common_options, long_name, own_options
from smsreceipt.runs.config_file import ConfigKey


def config_keys() -> list[ConfigKey]:
    """All keys that set options: those of every command first, then those of single commands."""
    options = [((), option) for option in common_options()]
    return [_config_key(words, option) for words, option in (*options, *options_of_commands())]


def variables() -> dict[str, Callable[[str], str | None]]:
    """The environment variables of all options, and what tells what is wrong with the text of each."""
    options = [((), option) for option in common_options()]
    return {
        _config_key(words, option).variable: OptionCheck(option).fault_of_text
        for words, option in (*options, *options_of_commands())
    }


def options_of_commands(
    group: click.Group = tool, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Option]]:
    """Every option that is not common to all commands, with the words that name its command."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if found is not None:
            yield from (((*words, name), option) for option in own_options(found))
        if isinstance(found, click.Group):
            yield from options_of_commands(found, (*words, name))


def _config_key(words: tuple[str, ...], option: Option) -> ConfigKey:
    name = long_name(option)
    return ConfigKey(
        command=words,
        name=name,
        parameter=option.name or "",
        variable="_".join(("SMSRECEIPT", *words, name)).replace("-", "_").upper(),
        help=option.help or "",
        value=value_in_toml(option),
        in_template=option.in_template,
    )


def value_in_toml(option: Option) -> str:
    """The default of *option* in TOML; its example where it has no default."""
    if option.is_flag and not option.count:
        return "false"
    if option.count:
        return "0"
    if isinstance(option.default, str | int | float):
        return json.dumps(option.default)
    if option.example is None and option.in_template:
        raise TypeError(f"{long_name(option)} has neither a default nor an example")
    return json.dumps([option.example] if option.multiple else option.example, ensure_ascii=False)
