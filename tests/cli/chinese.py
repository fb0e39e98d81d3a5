"""Tells whether what a user reads is Chinese whole."""

import re

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
#: Three English words in a row. Names of options, files and values are fewer, or have no blank between them.
_SENTENCE = re.compile(r"(?<![\w./-])[A-Za-z]{2,} +[a-z]+ +[a-z]{2,}\b")
#: What is the same in every language: commands, SQL, addresses, what a shell says.
_SAME = re.compile(
    r"`[^`]*`|smsreceipt [a-z][\w -]*|(?:chmod|mkdir|sqlite3|DROP|SELECT) .*|https?://\S+|No such file or directory"
)
_SUMMARY = re.compile(r"(?:[a-z_0-9]+=\S* ?)+")


def in_chinese(text: str) -> bool:
    """Whether each line has Chinese, or is a command or a summary, and no part of an English sentence."""
    lines = [_SAME.sub("", line) for line in text.splitlines() if not _SUMMARY.fullmatch(line)]
    return bool(lines) and all(_CHINESE.search(line) and not _SENTENCE.search(line) for line in lines)
