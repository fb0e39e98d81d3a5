"""The screen of `smsreceipt doctor`: a line for each check, and below it what to do. Never more than one screen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from smsreceipt.output.display import Display
from smsreceipt.output.objects.doctor import Finding, State, Words
from smsreceipt.output.terminal.screen import draw, text, wrapped

_MARKS = {State.OK: ("✓", "ok"), State.WARN: ("!", "!!"), State.FAIL: ("✗", "XX"), State.SKIPPED: ("–", "--")}
_STYLES = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red", State.SKIPPED: "dim"}
_TROUBLE = (State.FAIL, State.WARN)
#: First words of the names of checks --> in Chinese; what follows them, such as a queue, stays.
_NAMES_ZH = {
    "versions": "版本",
    "terminal": "终端",
    "configuration": "配置",
    "environment": "环境变量",
    "store": "存储",
    "disk": "磁盘",
    "secret file": "密钥文件",
    "receipts": "回执",
    "outages": "中断",
    "endpoint": "接入点",
    "clock": "时钟",
    "keys": "凭据",
    "right": "权限",
    "queues": "队列",
    "queue": "队列",
    "push address": "推送地址",
    "push size": "推送大小",
    "push wrong secret": "推送错误的密钥",
    "push": "推送",
}
_KEPT = 3  # lines of the prompt, of the verdict and of standard error that stay free


def doctor(findings: Sequence[Finding], display: Display, height: int | None) -> str:
    """The checks in their order; what does not fit *height* lines is summed up, what is fine first. None: all."""
    blocks = [_block(each, display) for each in findings]
    room = None if height is None else max(height - _KEPT, 5)
    if room is not None and sum(map(len, blocks)) > room:
        trouble = [_block(each, display) for each in findings if each.state in _TROUBLE]
        blocks = _fitting(trouble, [_summed(findings, display)], room, display)
    return draw(display, *(line for block in blocks for line in block))


def _fitting(trouble: list[list[Text]], rest: list[list[Text]], room: int, display: Display) -> list[list[Text]]:
    """The first problems that fit, how many do not, and the line about what is fine."""
    used = len(rest[0]) + 1
    shown: list[list[Text]] = []
    for block in trouble:
        used += len(block)
        if used > room:
            more = len(trouble) - len(shown)
            note = display.localized(f"{more} more: smsreceipt doctor -v", f"另有 {more} 项：smsreceipt doctor -v")
            return [*shown, [Text(note, "dim")], *rest]
        shown.append(block)
    return [*shown, *rest]


def _summed(findings: Sequence[Finding], display: Display) -> list[Text]:
    """One line with the checks that need nobody, or with their number where they are many."""
    fine = [_name(each, display) for each in findings if each.state not in _TROUBLE]
    mark = _mark(State.OK, display)
    named = display.localized(", ", "、").join(fine)
    if len(named) > display.width - 4:
        named = display.localized(
            f"{len(fine)} others: smsreceipt doctor -v", f"其余 {len(fine)} 项：smsreceipt doctor -v"
        )
    return [Text.assemble(mark, " ", text(named, "dim"))] if fine else []


def _block(finding: Finding, display: Display) -> list[Text]:
    """One check: what was found, and below it what to do."""
    head = Text.assemble(text(_name(finding, display), "bold" if finding.state in _TROUBLE else ""), "  ")
    head.append_text(text(_said(finding.found, display), "" if finding.state in _TROUBLE else "dim"))
    mark = _mark(finding.state, display)
    indent = " " * (len(mark) + 1)
    lines = [Text.assemble(mark if n == 0 else indent[:-1], " ", line) for n, line in enumerate(_lines(head, display))]
    arrow = "→ " if display.unicode else "-> "
    for n, line in enumerate(_lines(text(_said(finding.fix, display)), display)):
        if line.plain:
            lines.append(Text.assemble(indent, arrow if n == 0 else " " * len(arrow), line))
    return lines


def _name(finding: Finding, display: Display) -> str:
    """The name of a check in the user's language; JSON has the English one."""
    for english, chinese in _NAMES_ZH.items() if display.chinese else ():
        if finding.check == english or finding.check.startswith(f"{english} "):
            return chinese + finding.check[len(english) :]
    return finding.check


def _lines(line: Text, display: Display) -> list[Text]:
    return wrapped(line, max(display.width - 6, 14))


def _said(words: Words, display: Display) -> str:
    return display.localized(*words)


def _mark(state: State, display: Display) -> Text:
    return Text(_MARKS[state][0 if display.unicode else 1], _STYLES[state])
