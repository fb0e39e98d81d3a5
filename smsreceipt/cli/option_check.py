"""Checks the values of a configuration file as the options would."""

from __future__ import annotations

import click

from smsreceipt.cli.words import parts
from smsreceipt.language import _

_NOWHERE = click.Context(click.Command("smsreceipt"))


class OptionCheck:
    """Checks the value of a key as its option itself would."""

    def __init__(self, option: click.Option) -> None:
        self.name = option.name or ""
        self._option = option

    def fault(self, value: object) -> str | None:
        """What is wrong with the value; None for a valid one."""
        if self._option.multiple:
            return (
                _("must be a list")
                if not isinstance(value, list)
                else next(filter(None, map(self._one, parts(self._option.type, value))), None)
            )
        return self._one(value)

    def fault_of_text(self, text: str) -> str | None:
        """What is wrong with the text of the option's environment variable; None for a valid one, or an empty one."""
        option = self._option
        if not text:
            return None  # click takes it for one that is not set
        try:
            option.type_cast_value(_NOWHERE, option.type.split_envvar_value(text) if option.multiple else text)
        except click.BadParameter as exc:
            return exc.message
        return None

    def _one(self, value: object) -> str | None:
        option, kind = self._option, self._option.type
        if option.is_flag and not option.count:
            return None if isinstance(value, bool) else _("must be true or false")
        if option.count or isinstance(kind, click.types.IntParamType):
            wanted, fits = _("must be a whole number"), isinstance(value, int) and not isinstance(value, bool)
        elif isinstance(kind, click.types.FloatParamType):
            wanted, fits = _("must be a number"), isinstance(value, int | float) and not isinstance(value, bool)
        else:
            wanted, fits = _("must be a text"), isinstance(value, str)
        if not fits:
            return wanted
        try:
            kind.convert(value, option, None)
        except click.BadParameter as exc:
            return exc.message
        return None
