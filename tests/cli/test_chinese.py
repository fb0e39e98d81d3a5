"""What the tests of Chinese screens take for English."""

import pytest

from tests.cli.chinese import in_chinese


@pytest.mark.parametrize(
    "text",
    [
        "",
        "error: no such robot",
        "错误：the file is empty",
        "错误：that is a folder",
        "错误：没有\nit is late",
        "错误：which day? say --date DAY\n提示：name the seqs first",
        "提示：没有，a=1 was not given",
    ],
)
def test_english_is_found(text: str) -> None:
    assert not in_chinese(text)


@pytest.mark.parametrize(
    "text",
    [
        "提示：smsreceipt forward parked list\n错误：'x' 不是时长，例如 45s、10m、3h、2d",
        "提示：请安装：/v/bin/python3 -m pip install 'smsreceipt[xlsx]'，或执行 smsreceipt store upgrade once more",
        "没有新回执\nreceived=0 new=0 seconds=0.1",
    ],
)
def test_commands_and_summaries_are_no_english(text: str) -> None:
    assert in_chinese(text)
