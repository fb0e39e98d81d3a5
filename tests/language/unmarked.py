"""Finds sentences that the program prints in English only, because nothing marks them for translation.

    python -m tests.language.unmarked smsreceipt/runs [--all]

With --all, every text of two words or more that is no docstring and not marked: also keys, SQL and the like.
"""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.language.catalogue import PACKAGE

MARKS = {"_", "N_", "n_"}
#: Functions whose texts are printed: --> the positions of these arguments. Errors are found by their classes.
PRINTED = {
    "say": (0,),
    "_say": (0,),
    "_tell": (0,),
    "warn": (0,),
    "needs_a_look": (0,),
    "summary": (1,),
    "note": (0,),
    "title": (0,),
    "echo": (0,),
    "confirm": (1, 2),
    "fail": (0,),
    "unusable": (0,),
}
KEYWORDS = {"hint", "sentence", "fix"}
CLICK_ERRORS = {"UsageError", "BadParameter", "ClickException", "BadOptionUsage", "BadArgumentUsage", "NoSuchCommand"}
#: What is the same in every language: labels, options, names, whole commands.
_NAMES = re.compile(r"(error|warning|hint): |--[\w-]+|\bsmsreceipt\b|^chmod .*")
_WORD = re.compile(r"[A-Za-z]{2,}")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


@cache
def error_classes() -> set[str]:
    """The names of the classes below SmsReceiptError, and of Click's errors."""
    bases: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                bases.setdefault(node.name, set()).update(_name(base) for base in node.bases)
    found, more = set(CLICK_ERRORS), {"SmsReceiptError"}
    while more:
        found |= more
        more = {name for name, above in bases.items() if above & found} - found
    return found


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _texts(node: ast.expr) -> Iterator[str]:
    """The literal texts of an expression that no call makes another text of."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.value
    elif isinstance(node, ast.JoinedStr):
        for part in node.values:
            yield from _texts(part.value if isinstance(part, ast.FormattedValue) else part)
    elif isinstance(node, ast.BinOp):
        yield from _texts(node.left)
        yield from _texts(node.right)
    elif isinstance(node, ast.IfExp):
        both = [*_texts(node.body), *_texts(node.orelse)]
        if not any(map(_CHINESE.search, both)):  # else it is in both languages
            yield from both
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _texts(value)


def _printed(call: ast.Call, errors: set[str]) -> Iterator[ast.expr]:
    name = _name(call.func)
    places = (0,) if name in errors else PRINTED.get(name, ())
    yield from (call.args[place] for place in places if place < len(call.args))
    yield from (keyword.value for keyword in call.keywords if keyword.arg in KEYWORDS)


def unmarked(source: str, errors: set[str]) -> list[tuple[int, str]]:
    """The sentences that a module prints unmarked, each with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        expressions: list[ast.expr] = []
        if isinstance(node, ast.Call) and _name(node.func) not in MARKS:
            expressions += _printed(node, errors)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(_name(target).lower().strip("_") in KEYWORDS for target in targets):
                expressions.append(node.value)
        for expression in expressions:
            found += [(expression.lineno, text) for text in _texts(expression) if _WORD.search(_NAMES.sub("", text))]
    return found


def every_text(source: str) -> list[tuple[int, str]]:
    """Every literal of two words or more that is neither a docstring nor marked."""
    tree = ast.parse(source)
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if docstring or (isinstance(node, ast.Call) and _name(node.func) in MARKS | {"localized"}):
            skipped |= {*ast.walk(node)}
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node not in skipped and isinstance(node.value, str)
        and len(_WORD.findall(node.value)) > 1 and " " in node.value
    ]  # fmt: skip


def shadowed(source: str) -> list[str]:
    """The functions that use the mark _ and also have a variable of that name, which hides it."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == "_"]
            own = {
                name  # of a comprehension, which is a scope of its own
                for node in ast.walk(function)
                if isinstance(node, ast.comprehension)
                for name in ast.walk(node.target)
            }
            assigned = any(isinstance(name.ctx, ast.Store) and name not in own for name in names)
            if assigned and any(isinstance(name.ctx, ast.Load) for name in names):
                found.append(function.name)
    return found


def main() -> int:
    """Print what is found as file:line: text; return the number of them as far as exit codes go."""
    places = [Path(each) for each in sys.argv[1:] if each != "--all"]
    errors, count = error_classes(), 0
    for path in sorted(file for place in places for file in ([place] if place.is_file() else place.rglob("*.py"))):
        source = path.read_text()
        for line, text in every_text(source) if "--all" in sys.argv else unmarked(source, errors):
            count += 1
            print(f"{path}:{line}: {text!r}")
    return min(count, 1)


if __name__ == "__main__":
    sys.exit(main())
