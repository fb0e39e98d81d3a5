"""Click's messages in one line, and in Chinese without what click adds to them."""

from collections.abc import Iterator

import click
import pytest

from smsreceipt import language
from smsreceipt.cli.translated import translate_click, usage_message


@pytest.fixture
def _chinese() -> Iterator[None]:
    translate_click()
    with language.using("zh"):
        yield


def message(param: click.Parameter, *words: str) -> str:
    with pytest.raises(click.UsageError) as caught:
        click.Command("stats", params=[param]).make_context("stats", [*words])
    return usage_message(caught.value)


@pytest.mark.usefixtures("_chinese")
@pytest.mark.parametrize(
    ("param", "words", "told"),
    [
        (click.Option(["--from"], required=True), [], "缺少选项 '--from'。"),
        (click.Argument(["shell"], type=click.Choice(["bash", "zsh"])), [], "缺少参数 '{bash|zsh}'。可选：bash、zsh"),
        (click.Option(["--limit"], type=int), ["--limit", "x"], "'--limit' 的值无效：'x' 不是有效的整数。"),
        (click.Option(["--limit"], type=int), ["--limt", "1"], "没有这个选项 '--limt'（是否应为 '--limit'？）"),
        (
            click.Option(["--by"], type=click.Choice(["day", "hour"])),
            ["--by", "x"],
            "'--by' 的值无效：'x' 不在可选值 'day'、'hour' 之中。",
        ),
    ],
)
def test_a_message_is_chinese(param: click.Parameter, words: list[str], told: str) -> None:
    assert message(param, *words) == told


def test_a_missing_choice_is_told_in_one_line() -> None:
    shell = click.Argument(["shell"], type=click.Choice(["bash", "zsh"]))
    assert message(shell) == "Missing argument '{bash|zsh}'. Choose from: bash, zsh"
