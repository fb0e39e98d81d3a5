"""What the program can print, as message ids, and the catalogue of their translations."""

import importlib
import inspect
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import click
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import normalize, read_po

from smsreceipt import cli, language
from smsreceipt.cli.translated import CLICK, VERBATIM, paragraphs

CATALOGUE = Path(language.CATALOGUE)
PACKAGE = CATALOGUE.parents[3]
KEYWORDS = {"_": None, "N_": None, "n_": (1, 2), "ngettext": (1, 2)}
Id = str | tuple[str, str]  #: a message, or its singular and plural
_HEAD = """\
msgid ""
msgstr ""
"Language: zh_CN\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"
"""


def of_source(source: bytes) -> Iterator[Id]:
    """The messages that a module marks with _, N_ and n_."""
    for _line, message, _comments, _context in extract("python", BytesIO(source), KEYWORDS):
        yield (message[0], message[1]) if isinstance(message, tuple) else message


def of_sources() -> Iterator[Id]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield from of_source(path.read_bytes())


def of_click() -> Iterator[Id]:
    """Click's own messages."""
    for name in CLICK:
        yield from of_source(inspect.getsource(importlib.import_module(f"click.{name}")).encode())


def of_command(command: click.Command, context: click.Context) -> Iterator[Id]:
    """The help of a command, of its options and of its commands."""
    if not getattr(command, "chinese_help", None):
        yield from (each for each in paragraphs(command.help or "") if each and not each.startswith(VERBATIM))
    yield from [command.epilog] if command.epilog else []
    for param in command.get_params(context):
        text = getattr(param, "help", None)
        if text and not getattr(param, "hidden", False):
            yield " ".join(text.split())
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from of_command(found, click.Context(found, parent=context, info_name=name, **found.context_settings))


def wanted() -> set[Id]:
    """Every message that the program can print."""
    help_texts = of_command(cli.tool, click.Context(cli.tool, info_name="smsreceipt", **cli.tool.context_settings))
    found = {*of_sources(), *of_click(), *help_texts, *cli.COMMANDS.values()}
    plurals = {each[0] for each in found if isinstance(each, tuple)}
    return {each for each in found if each not in plurals}


def read(path: Path = CATALOGUE) -> dict[Id, str]:
    """The translations; "" for a message without one."""
    with path.open("rb") as file:
        catalogue: Catalog = read_po(file, locale="zh_CN", abort_invalid=True)
    found: dict[Id, str] = {}
    for each in catalogue:
        if each.id:
            key = (each.id[0], each.id[1]) if isinstance(each.id, list | tuple) else each.id
            found[key] = each.string if isinstance(each.string, str) else each.string[0]
    return found


def singular(message: Id) -> str:
    """The id by which the program looks a message up."""
    return message if isinstance(message, str) else message[0]


def _place(message: Id) -> tuple[str, str]:
    return singular(message).casefold(), singular(message)


def text(translations: dict[Id, str]) -> str:
    """The catalogue as a file, sorted, each text in one line, so that branches merge."""
    parts = [_HEAD]
    for message in sorted(translations, key=_place):
        translated = normalize(translations[message], width=0)
        if isinstance(message, str):
            parts.append(f"msgid {normalize(message, width=0)}\nmsgstr {translated}\n")
        else:
            one, many = (normalize(each, width=0) for each in message)
            parts.append(f"msgid {one}\nmsgid_plural {many}\nmsgstr[0] {translated}\n")
    return "\n".join(parts)
