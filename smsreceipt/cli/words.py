"""The parameter type of an option that takes one of some words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from smsreceipt import language


class Words(click.Choice[str]):
    """One of some words, in any case and width, or as people call it; a misspelt one is told which word is near."""

    in_commas = True  #: an option that may be repeated takes several in one word, with commas between them

    def __init__(self, words: Iterable[str], meant: Callable[[str], str] | None = None) -> None:
        """*meant*: which of the words somebody means by another word; "" for none."""
        super().__init__([*words])
        self._meant = meant

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word as the program spells it; fails as a usage error."""
        from smsreceipt.model import nearest
        from smsreceipt.model.written import typed

        word = typed(value)
        for each in self.choices:
            if each.casefold() == word.casefold():
                return each
        if self._meant is not None and (meant := self._meant(word)):
            return meant
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as exc:
            if near := nearest(word, self.choices):
                told = language._("{told}; did you mean {word}?", told=exc.message.rstrip(".。"), word=near)
                raise click.BadParameter(told, ctx, param) from None
            raise


def parts(kind: click.ParamType[Any], words: Sequence[Any]) -> Sequence[Any]:
    """The values in the words of an option that may be repeated: of some types each word may have several."""
    if not getattr(kind, "in_commas", False):
        return words
    from smsreceipt.model.written import separated

    return separated(*words)


def as_printed(names: Callable[[], Mapping[str, Sequence[str]]]) -> Callable[[str], str]:
    """For Words: the word that tables print so. *names*: word -> what tables in any language print for it."""

    def meant(word: str) -> str:
        told = word.casefold()
        return next((str(each) for each, printed in names().items() if told in map(str.casefold, printed)), "")

    return meant
