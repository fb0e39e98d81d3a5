"""The pages say what the program does today, the same in both languages; every link has a target."""

import re
from pathlib import Path

import pytest

from smsreceipt import cli, errors
from smsreceipt.decode import KINDS
from smsreceipt.model import Reason
from tests.docs import pages

languages = pytest.mark.parametrize("language", ["en", "zh-CN"])
each_page = pytest.mark.parametrize("name", [*pages.NAMES, "README"])


@languages
def test_exit_codes_are_those_of_the_program(language: str) -> None:
    text = pages.read(language, "troubleshooting")
    listed = [
        int(code)
        for row in pages.rows(text, "| Code |" if language == "en" else "| 退出码 |")
        for code in re.findall(r"\d+", row[0])
    ]
    ours = [error for error in vars(errors).values() if isinstance(error, type)]
    raised = {error.exit_code for error in ours if issubclass(error, errors.SmsReceiptError)}
    assert listed == [0, 1, 2, 3, 4, 5, 6, 7, 8, 129, 130, 143, 141]
    assert raised <= set(listed)


@languages
def test_reject_reasons_are_the_closed_list(language: str) -> None:
    head = "| Reason |" if language == "en" else "| 原因 |"
    listed = [row[0].strip("`") for row in pages.rows(pages.read(language, "rejects"), head)]
    assert listed == [reason.value for reason in Reason]


@languages
def test_message_types_are_those_that_are_known(language: str) -> None:
    head = "| Kind |" if language == "en" else "| 类型 |"
    listed = [row[0].strip("`") for row in pages.rows(pages.read(language, "account"), head)]
    assert sorted(listed) == sorted(KINDS)


@languages
def test_every_command_has_an_example(language: str) -> None:
    examples = "".join(block for _, block in pages.fences(pages.read(language)))
    for command in cli.COMMANDS:
        assert f"smsreceipt {command}" in examples, command


@languages
def test_the_readme_lists_every_command_and_links_to_every_page(language: str) -> None:
    text = pages.read(language, "README")
    table = pages.rows(text, "| Command |" if language == "en" else "| 命令 |")
    listed = [command for row in table for command in re.findall(r"`([\w-]+)`", row[0])]
    assert sorted(listed) == sorted(cli.COMMANDS)
    for name in pages.NAMES:
        assert f"](docs/{language}/{name}.md" in text, name
    assert len(text.splitlines()) <= 200


@each_page
def test_both_languages_say_the_same(name: str) -> None:
    english, chinese = pages.read("en", name), pages.read("zh-CN", name)
    assert pages.fences(chinese) == pages.fences(english)
    assert [level for level, _ in pages.headings(chinese)] == [level for level, _ in pages.headings(english)]
    assert chinese.count("\n|") == english.count("\n|")


@each_page
def test_each_page_links_to_its_other_language(name: str) -> None:
    for language, other in (("en", "zh-CN"), ("zh-CN", "en")):
        target = pages.path(other, name)
        link = target.name if name == "README" else f"../{other}/{target.name}"
        assert f"]({link})" in pages.read(language, name), language


def test_the_languages_have_the_same_pages_and_no_others() -> None:
    for language in pages.README:
        found = {path.stem for path in (pages.ROOT / "docs" / language).iterdir()}
        assert found == set(pages.NAMES)


def glossary() -> list[list[str]]:
    """The rows of the glossary: English, Chinese, and the words that are not used."""
    english, chinese = (pages.read(language, "glossary") for language in ("en", "zh-CN"))
    rows = pages.rows(chinese, "| English | 中文 |")
    assert rows == pages.rows(english, "| English | 中文 |")
    return rows


def avoided(text: str) -> list[str]:
    """The words of a Chinese text for which the glossary has others."""
    return [
        f"{other}: use {term}"
        for _english, term, others in glossary()
        for other in others.split("、")
        if other in text.replace(term, "")
    ]


def test_chinese_pages_keep_to_the_glossary() -> None:
    chinese = pages.prose(pages.read("zh-CN", *(name for name in (*pages.NAMES, "README") if name != "glossary")))
    assert [term for _english, term, _others in glossary() if term not in chinese] == []
    assert avoided(chinese) == []


def test_what_is_printed_in_chinese_keeps_to_the_glossary() -> None:
    package = pages.ROOT / "smsreceipt"
    texts = {path: path.read_text() for kind in ("py", "j2", "po") for path in package.rglob(f"*.{kind}")}
    heads_of_users = package / "ledger" / "names.py"  # how others name the columns of their lists
    assert {
        path.name: found for path, text in texts.items() if path != heads_of_users and (found := avoided(text))
    } == {}


def test_a_word_that_is_not_used_is_found() -> None:
    assert avoided("平台的号码池") == []
    assert avoided("服务商的号池") == ["服务商: use 平台", "号池: use 号码池"]


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a file."""
    found = [words for _, words in pages.headings(path.read_text())]
    return {re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-") for words in found}


@pytest.mark.parametrize("path", pages.everything(), ids=lambda path: str(path.relative_to(pages.ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", pages.prose(path.read_text())):
        if not target.startswith("http"):
            file, _, anchor = target.partition("#")
            found = path.resolve().parent / file if file else path
            assert found.exists(), target
            assert not anchor or anchor in anchors(found), target
