"""No sentence is printed in English only."""

import pytest

from tests.language.catalogue import PACKAGE
from tests.language.unmarked import error_classes, every_text, shadowed, unmarked

SOURCES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}


def test_every_sentence_is_marked() -> None:
    found = [
        f"{name}:{line}: {text!r}"
        for name, path in SOURCES.items()
        for line, text in unmarked(path.read_text(), error_classes())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ('app.say("nothing is left")', ["nothing is left"]),
        ('app.say(_("nothing is left"))', []),
        ('app.say(f"{name} is left")', [" is left"]),
        ('app.say(f"warning: {told}")', []),
        ('app.say(f"hint: {path} --help")', []),
        ('app.say("warning: " + _("it is late"))', []),
        ('raise UsageError("no queue", hint="Name one.")', ["no queue", "Name one."]),
        ('raise UsageError(_("no queue"), hint=_("Name one."))', []),
        ('raise errors.StoreFull(f"{path}: no space")', [": no space"]),
        ('raise ValueError("no such day")', []),
        ('class A(Error):\n    hint = "Run it again."', ["Run it again."]),
        ('class A(Error):\n    hint = N_("Run it again.")', []),
        ('app.say("剩余" if chinese else "left")', []),
        ('app.say("some" if few else "many")', ["some", "many"]),
        ('app.summary({"rows": 1}, "all is well")', ["all is well"]),
        ('self.fail(f"{text!r} is no share")', [" is no share"]),
    ],
)
def test_planted_sentences_are_found(source: str, texts: list[str]) -> None:
    assert [text for _line, text in unmarked(source, error_classes())] == texts


def test_every_text_finds_what_no_known_function_prints() -> None:
    source = '"""What it is."""\nx = told(_("a b"), "nothing is known")\n'
    assert [text for _line, text in every_text(source)] == ["nothing is known"]


def test_no_function_has_a_variable_in_place_of_the_mark() -> None:
    assert not [f"{name}: {found}" for name, path in SOURCES.items() for found in shadowed(path.read_text())]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('def f():\n    for _, b in c:\n        say(_("a b"))', ["f"]),
        ('def f():\n    a, _ = c\n    say(_("a b"))', ["f"]),
        ('def f():\n    a = [b for _, b in c]\n    say(_("a b"))', []),
        ("def f():\n    for _ in c:\n        say(a)", []),
    ],
)
def test_planted_variables_are_found(source: str, names: list[str]) -> None:
    assert shadowed(source) == names
