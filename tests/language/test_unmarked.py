"""No sentence is printed in English only."""

import pytest

from tests.language.catalogue import PACKAGE
from tests.language.unmarked import error_classes, every_text, unmarked

#: Folders and modules whose sentences are still to be marked. The list only becomes shorter.
TO_DO = [
    "runs/archive.py",
    "runs/call_gaps.py",
    "runs/check.py",
    "runs/config_file.py",
    "runs/copy_store.py",
    "runs/day_totals.py",
    "runs/details.py",
    "runs/dry_run.py",
    "runs/exposing.py",
    "runs/forget.py",
    "runs/import_sends.py",
    "runs/inputs.py",
    "runs/list_check.py",
    "runs/listen.py",
    "runs/listing.py",
    "runs/lookup.py",
    "runs/peek.py",
    "runs/provider_totals.py",
    "runs/prune.py",
    "runs/pull.py",
    "runs/queries.py",
    "runs/query_details.py",
    "runs/receiving.py",
    "runs/reconcile.py",
    "runs/rejects.py",
    "runs/removing.py",
    "runs/reporter.py",
    "runs/sandbox.py",
    "runs/send_callback.py",
    "runs/sockets.py",
    "runs/status.py",
    "runs/store.py",
]
ERRORS = error_classes()
SOURCES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}


def to_do(name: str) -> bool:
    return name in TO_DO or name.rpartition("/")[0] in TO_DO


def test_every_sentence_is_marked() -> None:
    found = [
        f"{name}:{line}: {text!r}"
        for name, path in SOURCES.items()
        if not to_do(name)
        for line, text in unmarked(path.read_text(), ERRORS)
    ]
    assert not found, "\n".join(found)


def test_what_is_to_do_is_not_done_yet() -> None:
    for place in TO_DO:
        names = [name for name in SOURCES if place in {name, name.rpartition("/")[0]}]
        assert any(unmarked(SOURCES[name].read_text(), ERRORS) for name in names), f"take {place} off the list"


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
    assert [text for _line, text in unmarked(source, ERRORS)] == texts


def test_every_text_finds_what_no_known_function_prints() -> None:
    source = '"""What it is."""\nx = told(_("a b"), "nothing is known")\n'
    assert [text for _line, text in every_text(source)] == ["nothing is known"]
