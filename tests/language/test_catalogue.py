"""The catalogue has a translation for every message of the program, and nothing else."""

import re
from collections import Counter
from pathlib import Path
from string import Formatter

import pytest

from smsreceipt.language import catalogue_of
from tests.language import catalogue
from tests.language.catalogue import CATALOGUE, Id, singular

TRANSLATIONS = catalogue.read()
UPDATE = "run: python -m tests.language.update"


def places(text: str) -> Counter[tuple[str, str, str]]:
    """The places of a message that values fill: name, format and conversion."""
    return Counter((name, spec or "", how or "") for _, name, spec, how in Formatter().parse(text) if name is not None)


def faults(message: Id, translated: str) -> list[str]:
    """What is wrong with a translation."""
    if not translated:
        return ["not translated"]
    found = []
    forms = [message] if isinstance(message, str) else [*message]
    if _formatted(forms) and places(translated) not in [places(form) for form in forms]:
        found.append("other places")
    if (forms[0][0] == " ", forms[0][-1] == " ") != (translated[0] == " ", translated[-1] == " "):
        found.append("other blanks at an end")
    return found


def _formatted(forms: list[str]) -> bool:
    """Whether values are put into the message: a text with braces of its own is left as it is."""
    try:
        return any(name.isidentifier() for form in forms for name, _spec, _how in places(form))
    except ValueError:
        return False


def test_the_catalogue_has_every_message_and_no_other() -> None:
    assert {*TRANSLATIONS} == catalogue.wanted(), UPDATE


def test_messages_that_differ_only_in_the_names_of_their_places_are_one_message() -> None:
    spelled: dict[str, set[str]] = {}
    for message in map(singular, {*catalogue.of_sources()} - {*catalogue.of_click()}):
        spelled.setdefault(re.sub(r"\{\w+", "{", message), set()).add(message)
    assert not [found for found in spelled.values() if len(found) > 1]


def test_the_catalogue_is_as_the_tool_writes_it() -> None:
    assert CATALOGUE.read_text(encoding="utf-8") == catalogue.text(TRANSLATIONS), UPDATE


def test_every_message_is_translated_with_the_same_places() -> None:
    found = {singular(message): faults(message, text) for message, text in TRANSLATIONS.items()}
    assert {message: wrong for message, wrong in found.items() if wrong} == {}


def test_the_program_reads_the_catalogue_as_gettext_does() -> None:
    read = {singular(message): text for message, text in TRANSLATIONS.items() if text}
    assert catalogue_of(CATALOGUE.read_text(encoding="utf-8")) == read


@pytest.mark.parametrize(
    ("message", "translated", "fault"),
    [
        ("{n} rows", "", "not translated"),
        ("{n} rows", "行", "other places"),
        ("{n:,} rows", "{n} 行", "other places"),
        ("{name!r} is new", "{name} 是新的", "other places"),
        ("{n} of {m}", "{m} 之 {m}", "other places"),
        ("rows ", "行", "other blanks at an end"),
        ("{n} of {m}", "{m} 中的 {n}", None),
        (("{n} row", "{n} rows"), "{n} 行", None),
        (("one row", "{n} rows"), "{n} 行", None),
        ('{"queue" or "kind": …}', '{"queue" 或 "kind": …}', None),
    ],
)
def test_a_bad_translation_is_found(message: Id, translated: str, fault: str | None) -> None:
    assert faults(message, translated) == ([fault] if fault else [])


def test_the_messages_of_a_module_are_those_that_it_marks(tmp_path: Path) -> None:
    source = 'a = _("one " "two", n=1)\nb = N_("three")\nc = n_("{n} row", "{n} rows", 2)\nd = f("four")\n'
    assert [*catalogue.of_source(source.encode())] == ["one two", "three", ("{n} row", "{n} rows")]


def test_a_catalogue_is_written_as_it_is_read(tmp_path: Path) -> None:
    texts: dict[Id, str] = {'b\n\t"c" \\d': '乙\n\t"丙" \\丁', "A": "甲", ("{n} row", "{n} rows"): "{n} 行"}
    (file := tmp_path / "some.po").write_text(catalogue.text(texts), encoding="utf-8")
    assert catalogue.read(file) == texts
    assert catalogue_of(file.read_text(encoding="utf-8")) == {singular(each): text for each, text in texts.items()}
