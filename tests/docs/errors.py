"""Writes docs/en/errors.md and docs/zh-CN/errors.md: every error of the program with its exit code and its hint.

`python -m tests.docs.errors` writes, the tests compare. Nobody edits these pages by hand. The texts are read from the
sources, the Chinese from the catalogue of translations; `…` stands for what differs from case to case.
"""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import smsreceipt
from smsreceipt.errors import SmsReceiptError
from smsreceipt.language import CHINESE, translation
from tests.docs.pages import ROOT
from tests.language.catalogue import PACKAGE

LANGUAGES = {"en": "en", "zh-CN": CHINESE}
_PLACE = re.compile(r"\{[^{}]*\}")
_WORD = re.compile(r"[A-Za-z]{2,}")
_HEADS = {
    "en": """\
# Every error, by its text

**English** · [中文](../zh-CN/errors.md)

Search this page for the words that stay the same: `…` stands for names, numbers and reasons. An error is one line on
standard error, `error: …`; after `hint:` stands what to do. What the exit codes mean:
[troubleshooting](troubleshooting.md#exit-codes). `make reference` writes this page.
""",
    "zh-CN": """\
# 按文字查找错误

[English](../en/errors.md) · **中文**

请用错误中固定不变的文字在本页查找：`…` 代表名称、数字和原因。每个错误在标准错误上占一行，即 `错误：…`；
`提示：` 之后是处理办法。退出码的含义见[故障排查](troubleshooting.md#退出码)。本页由 `make reference` 生成。
""",
}
_CODE = {"en": "Exit code", "zh-CN": "退出码"}
_COLUMNS = {"en": "| Error | Hint |", "zh-CN": "| 错误 | 提示 |"}


@dataclass(frozen=True, order=True)
class Error:
    """An error as the sources have it: in English, with {named} places."""

    exit_code: int
    text: str
    hint: str


@cache
def classes() -> dict[str, type[SmsReceiptError]]:
    """The errors of the program by the names of their classes."""
    for module in pkgutil.walk_packages(smsreceipt.__path__, "smsreceipt."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: dict[str, type[SmsReceiptError]] = {}
    more: list[type[SmsReceiptError]] = [SmsReceiptError]
    while more:
        each = more.pop()
        found[each.__name__] = each
        more += each.__subclasses__()
    return found


def _texts(node: ast.expr | None) -> list[str]:
    """The texts that an expression may have, as far as they stand in it."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.Call(func=ast.Name(id="_" | "N_"), args=[first, *_]):
            return _texts(first)
        case ast.Call(func=ast.Name(id="n_"), args=[one, many, *_]):
            return [*_texts(one), *_texts(many)]
        case ast.IfExp(body=one, orelse=other):
            return [*_texts(one), *_texts(other)]
    return []


def _errors(path: Path) -> Iterator[Error]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in classes():
                hints = [text for keyword in node.keywords if keyword.arg == "hint" for text in _texts(keyword.value)]
                for text in _texts(node.args[0]):
                    if _WORD.search(_PLACE.sub("", text)):
                        yield Error(classes()[name].exit_code, text, " / ".join(hints) or classes()[name].hint)


@cache
def errors() -> list[Error]:
    """Every error whose text stands in the sources, by its exit code and text, each once."""
    return sorted({error for path in PACKAGE.rglob("*.py") for error in _errors(path)})


def _cell(text: str, language: str) -> str:
    """A text as a cell of a table in that language."""
    parts = text.split(" / ") if translation(text) is None else [text]
    shown = " / ".join((translation(part) or part) if language == CHINESE else part for part in parts)
    plain = _PLACE.sub("…", shown).replace("{{", "{").replace("}}", "}").replace("|", "\\|").replace("\n", " ")
    return plain.replace("<", "&lt;").replace("*", "\\*").replace("[", "\\[")


def page(language: str) -> str:
    """The page of a language: "en" or "zh-CN"."""
    parts = [_HEADS[language]]
    for exit_code in sorted({error.exit_code for error in errors()}):
        rows = [
            f"| {_cell(error.text, LANGUAGES[language])} | {_cell(error.hint, LANGUAGES[language])} |"
            for error in errors()
            if error.exit_code == exit_code
        ]
        parts.append("\n".join([f"## {_CODE[language]} {exit_code}\n", _COLUMNS[language], "|---|---|", *rows, ""]))
    return "\n".join(parts)


def path(language: str) -> Path:
    """Where the page of a language is."""
    return ROOT / "docs" / language / "errors.md"


if __name__ == "__main__":
    for each in LANGUAGES:
        path(each).write_text(page(each))
