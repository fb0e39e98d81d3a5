"""Completion in bash of words with an equals sign: bash hands `--queue my=Sms` over as four words, not two."""

from __future__ import annotations

import os

from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string


class JoiningBashComplete(BashComplete):
    """Joins what bash took apart, and completes only the part after the last equals sign, as bash expects."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor, and the word at it."""
        words = split_arg_string(os.environ["COMP_WORDS"])
        cursor = int(os.environ["COMP_CWORD"])
        joined = _joined(words[: cursor + 1])
        return (joined[1:-1], joined[-1]) if cursor < len(words) else (joined[1:], "")

    def format_completion(self, item: CompletionItem) -> str:
        """One line of the answer to the shell."""
        return super().format_completion(CompletionItem(item.value.rpartition("=")[2], item.type, item.help))


def _joined(words: list[str]) -> list[str]:
    joined: list[str] = []
    before = ""
    for word in words:
        if joined and "=" in (word, before):
            joined[-1] += word
        else:
            joined.append(word)
        before = word
    return joined


def register() -> None:
    """Use it instead of Click's."""
    add_completion_class(JoiningBashComplete)
