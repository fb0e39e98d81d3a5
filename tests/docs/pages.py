"""The pages of the documentation, as the tests read them."""

import re
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parent.parent.parent
#: The pages of docs/en and docs/zh-CN, in the order in which a new user needs them.
NAMES = (
    "comparison",
    "install",
    "account",
    "config",
    "receive",
    "sends",
    "reconcile",
    "look",
    "export",
    "stats",
    "report",
    "alarms",
    "watch",
    "data",
    "machines",
    "recordings",
    "forward",
    "python",
    "retention",
    "sizing",
    "rejects",
    "sandbox",
    "json",
    "doctor",
    "check",
    "outages",
    "troubleshooting",
    "errors",
    "reference",
    "reliability",
    "benchmarks",
    "glossary",
)
README = {"en": ROOT / "README.md", "zh-CN": ROOT / "README.zh-CN.md"}
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
#: Also within a list, where the block is indented.
_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


def path(language: str, name: str) -> Path:
    """Where a page lies; "README" is the first page of a language."""
    return README[language] if name == "README" else ROOT / "docs" / language / f"{name}.md"


def read(language: str, *names: str) -> str:
    """The text of these pages, or of all of them, one behind the other."""
    return "\n".join(path(language, name).read_text() for name in names or (*NAMES, "README"))


def everything() -> list[Path]:
    """Every Markdown file that users and authors read."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return _FENCE.sub("", text)


def headings(text: str) -> list[tuple[int, str]]:
    """The level and the words of every heading."""
    return [(len(marks), words) for marks, words in re.findall(r"^(#+) (.*)$", prose(text), re.MULTILINE)]


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return [dedent(block) for _, name, block in _FENCE.findall(text) if name == language]


def fences(text: str) -> list[tuple[str, str]]:
    """Language and lines of every fenced block, without what differs between languages.

    That are comments, the descriptions of units, and captures.
    """
    found = _FENCE.findall(text)
    translated = re.compile(r"\s*(?<!\S)# .*|(?<=^Description=).*", re.MULTILINE)
    return [(name, "" if name == "console" else translated.sub("", block)) for _, name, block in found]


def rows(text: str, head: str) -> list[list[str]]:
    """The cells of the table that *head* begins, without its two top lines."""
    table = text[text.index(head) :].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
