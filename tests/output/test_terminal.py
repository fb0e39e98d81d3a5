"""Tables at the widths people have, and the small words in them."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from smsreceipt.model import Instant, Kind, Outcome, Reason, StoredReceipt, Tally
from smsreceipt.output.counts import ended, split
from smsreceipt.output.display import OUTCOMES_ZH, Display
from smsreceipt.output.formatting import ago, elapsed, size
from smsreceipt.output.objects.common import OUTCOME_STYLE
from smsreceipt.output.objects.receipts import RECEIPTS, RECEIPTS_OF_KINDS
from smsreceipt.output.objects.rejects import REASONS
from smsreceipt.output.terminal.progress import LiveLine, Progress
from smsreceipt.output.terminal.screen import folded, wrapped
from smsreceipt.output.terminal.table import Table
from tests.output.test_records import receipt


def receipt_table(display: Display) -> Table[StoredReceipt]:
    return Table(display, RECEIPTS)


ROWS = [
    receipt(),
    receipt(seq=2, outcome=Outcome.FAILED, code="MOBLLE_TERMINAL_ERROR", biz_id="90061974693649^0"),
    receipt(seq=3, kind=Kind("SecretReport"), outcome=Outcome.UNCONNECTED, biz_id="", call_id="c-1", code="19"),
    receipt(
        seq=4,
        kind=Kind("SmsUp"),
        outcome=None,
        code="",
        biz_id="",
        identity=("77", "13812345678"),
        reported_at=None,
    ),
]


def test_a_table_at_120_columns() -> None:
    assert receipt_table(Display(width=120)).draw(ROWS) == (
        "SEQ  SENT +08:00     KIND          PHONE        OUTCOME      CODE                   TOOK  ID\n"
        "  1  11-18 19:06:40  SmsReport     138****5678  delivered    DELIVERED               3 s  b^0\n"
        "  2  11-18 19:06:40  SmsReport     138****5678  failed       MOBLLE_TERMINAL_ERROR   3 s  90061974693649^0\n"
        "  3  11-18 19:06:40  SecretReport  138****5678  unconnected  19                      3 s  c-1\n"
        "  4  11-18 19:06:40  SmsUp         138****5678                                            77\n"
    )


def test_a_table_at_80_columns_shows_what_can_be_given_to_show() -> None:
    assert receipt_table(Display(width=80)).draw(ROWS) == (
        "SENT +08:00  PHONE        OUTCOME      CODE                   ID\n"
        "11-18 19:06  138****5678  delivered    DELIVERED              b^0\n"
        "11-18 19:06  138****5678  failed       MOBLLE_TERMINAL_ERROR  90061974693649^0\n"
        "11-18 19:06  138****5678  unconnected  19                     c-1\n"
        "11-18 19:06  138****5678                                      77\n"
    )


def test_a_table_at_40_columns_keeps_the_time() -> None:
    assert receipt_table(Display(width=40)).draw(ROWS) == (
        "SENT   PHONE        OUTCOME      CODE\n"
        "19:06  138****5678  delivered    DELIVE…\n"
        "19:06  138****5678  failed       MOBLLE…\n"
        "19:06  138****5678  unconnected  19\n"
        "19:06  138****5678\n"
    )


def test_the_shortest_id_is_shown_and_a_kind_is_shortened_before_it_goes() -> None:
    long = "900619746936498440^0"
    rows = [receipt(biz_id=long, out_id="order-1"), receipt(kind=Kind("SecretStartReport"), biz_id=long)]
    _, first, second = receipt_table(Display(width=80)).draw(rows).splitlines()
    assert first.split()[2:] == ["SmsReport", "138****5678", "delivered", "DELIVERED", "order-1"]
    assert second.split()[2:] == ["Start", "138****5678", "delivered", "DELIVERED", long]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_where_several_types_come_the_type_is_the_first_column(width: int) -> None:
    lines = Table(Display(width=width), RECEIPTS_OF_KINDS).draw(ROWS, more=True).splitlines()
    assert [line.split()[0] for line in lines] == ["KIND", "SmsReport", "SmsReport", lines[3].split()[0], "SmsUp"]
    assert lines[3].startswith("SecretReport" if width > 80 else "Secret")
    assert max(map(len, lines)) <= width
    assert RECEIPTS_OF_KINDS.keys == RECEIPTS.keys


def test_a_chinese_table_has_chinese_heads_outcomes_and_units() -> None:
    head, row = receipt_table(Display(width=120, chinese=True)).draw(ROWS[:1]).splitlines()
    assert head.split() == ["SEQ", "时间", "+08:00", "类型", "号码", "结果", "代码", "用时", "ID"]
    assert "已送达" in row
    assert "3 秒" in row
    assert elapsed(125_000, chinese=True) == "2 分 5 秒"
    assert ago(Instant(0), Instant(7_200_000), chinese=True) == "2 小时前"


def test_later_rows_follow_the_layout_of_the_first() -> None:
    table = receipt_table(Display(width=80))
    first, second = table.draw(ROWS[:1]), table.draw(ROWS[1:2])
    assert first.startswith("SEQ  SENT")
    assert "SENT" not in second
    assert first.splitlines()[1].index("138****") == second.index("138****")


@pytest.mark.parametrize(("width", "code"), [(80, "MOBLLE_TERMINAL_ER…"), (100, "MOBLLE_TERMINAL_ERROR")])
def test_where_more_may_follow_the_columns_leave_room_for_longer_values(width: int, code: str) -> None:
    table = receipt_table(Display(width=width))
    table.draw(ROWS[:1], more=True)
    assert code in table.draw(ROWS[1:2], more=True)
    assert "unconnected" in table.draw(ROWS[2:3], more=True)


@pytest.mark.parametrize("chinese", [False, True])
@pytest.mark.parametrize(
    ("width", "kind"), [(100, "SmsIntercept"), (110, "SecretSmsIntercept"), (120, "SecretSmsIntercept")]
)
def test_where_more_may_follow_a_longer_type_is_not_cut(width: int, kind: str, chinese: bool) -> None:
    table = receipt_table(Display(width=width, chinese=chinese))
    table.draw(ROWS[:1], more=True)
    assert f" {kind} " in table.draw([receipt(kind=Kind("SecretSmsIntercept"))], more=True)


@pytest.mark.parametrize("width", [80, 100, 120, 140])
def test_where_more_may_follow_no_duration_is_cut(width: int) -> None:
    table = receipt_table(Display(width=width))
    table.draw(ROWS[:1], more=True)
    drawn = table.draw([receipt(talk_seconds=185)], more=True)
    assert "…" not in drawn
    assert ("3 min 5 s" in drawn) == (width == 140)


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_chinese_takes_two_columns_and_no_row_is_too_wide(width: int) -> None:
    drawn = receipt_table(Display(width=width)).draw([receipt(kind=Kind("物流状态通知" * 9), code="空号" * 9)])
    assert max(map(cell_len, drawn.splitlines())) <= width


def test_colours_are_there_only_when_wanted() -> None:
    assert "\x1b" not in receipt_table(Display()).draw(ROWS)
    assert "\x1b[32mdelivered" in receipt_table(Display(color=True, width=120)).draw(ROWS)


def test_every_outcome_and_every_reason_has_its_words() -> None:
    assert set(OUTCOME_STYLE) == set(Outcome) == set(OUTCOMES_ZH)
    assert set(REASONS) == set(Reason)


@given(st.text(st.sampled_from("ab 您好，。（→"), max_size=60), st.integers(4, 20))
def test_wrapping_loses_nothing_but_blanks_and_keeps_to_the_width(text: str, width: int) -> None:
    lines = [line.plain for line in wrapped(Text(text), width)]
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(cell_len(line) <= width for line in lines)


def test_chinese_is_broken_between_characters_but_not_before_a_full_stop() -> None:
    lines = [line.plain for line in wrapped(Text("→ 请停止向该号码发送。"), 10)]
    assert lines == ["→ 请停止向", "该号码发", "送。"]
    assert [line.plain for line in wrapped(Text("one two three"), 8)] == ["one two", "three"]


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0, "0 s"),
        (400, "0.4 s"),
        (999, "1.0 s"),
        (3000, "3 s"),
        (59_700, "1 min"),
        (125_000, "2 min 5 s"),
        (3_600_000, "1 h"),
        (10_980_000, "3 h 3 min"),
        (187_200_000, "2 d 4 h"),
        (-3000, "-3 s"),
    ],
)
def test_how_long_something_took(milliseconds: int, words: str) -> None:
    assert elapsed(milliseconds) == words


def test_sizes_and_ages() -> None:
    assert [size(count) for count in (0, 999, 1000, 1_234_567, 5_000_000_000, 5_000_000_000_000)] == [
        "0 B", "999 B", "1.0 KB", "1.2 MB", "5.0 GB", "5000.0 GB",
    ]  # fmt: skip
    assert ago(Instant(0), Instant(125_000)) == "2 min ago"
    assert ago(Instant(5), Instant(0)) == "0 s ago"


_RECEIVED = Tally(received=1000, new=900, duplicate=90, rejected=10)
_OUTCOMES = {Outcome.DELIVERED: 880, Outcome.FAILED: 8, None: 12}
_COUNTS = split(_RECEIVED, _OUTCOMES, chinese=False)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_live_line_is_drawn_now_and_then_and_taken_back() -> None:
    clock, terminal = Clock(), io.StringIO()
    with Progress(LiveLine(terminal, 80, clock)) as progress:
        progress.update(0, [])
        first = terminal.getvalue()
        progress.update(1000, _COUNTS)
        assert terminal.getvalue() == first
        clock.now = 3.0
        progress.update(1000, _COUNTS)
    drawn = terminal.getvalue().split("\r")
    assert drawn[1].rstrip() == "nothing received yet  0 s"
    assert drawn[2].rstrip() == "received 1,000  333/s  delivered 880  failed 8  other 12  duplicate 90"
    assert [len(line) for line in drawn[1:4]] == [79, 79, 79]
    assert drawn[3:] == [" " * 79, ""]


@pytest.mark.parametrize("width", [20, 30, 80, 200])
@pytest.mark.parametrize("chinese", [False, True])
def test_the_live_line_leaves_out_what_does_not_fit_and_never_cuts_a_number(width: int, chinese: bool) -> None:
    clock, terminal = Clock(), io.StringIO()
    progress = Progress(LiveLine(terminal, width, clock), chinese=chinese)
    clock.now = 3.0
    progress.update(1000, _COUNTS, read=(10 << 20, 40 << 20))
    shown = terminal.getvalue().split("\r")[1].rstrip()
    whole = io.StringIO()
    all_of_it = Progress(LiveLine(whole, 500, clock := Clock()), chinese=chinese)
    clock.now = 3.0
    all_of_it.update(1000, _COUNTS, read=(10 << 20, 40 << 20))
    items = whole.getvalue().split("\r")[1].rstrip().split("  ")
    assert len(items) == 10
    assert shown.split("  ") == items[: len(shown.split("  "))] if shown else width <= 30
    assert cell_len(shown) < width


def test_what_became_of_the_received_ones_adds_up() -> None:
    assert sum(count for _, count in split(_RECEIVED, _OUTCOMES, chinese=False)) == _RECEIVED.received
    assert ended(_RECEIVED, _OUTCOMES, 3.1, (997, 3), chinese=False) == (
        "received 1,000 in 3.1 s (323/s): 880 delivered, 8 failed, 12 other, 90 duplicate, 10 rejected;"
        " 997 deleted from the queues; 3 not deleted: they come again and count as duplicate"
    )
    assert ended(_RECEIVED, _OUTCOMES, 3.1, (1000, 0), chinese=True) == (
        "收到 1,000 条，用时 3.1 秒（323 条/秒）：已送达 880，失败 8，其他 12，重复 90，拒收 10；已从队列删除 1,000"
    )
    assert ended(Tally(), {}, 2.04, (0, 0), chinese=False) == "received nothing in 2.0 s"
    assert ended(Tally(1, 1), {None: 1}, 1.0, None, chinese=False) == "received 1 in 1.0 s (1/s): 1 other"


def test_a_summary_is_broken_between_its_words() -> None:
    words = [f"{name}={value}" for name, value in zip("abcdefghij" * 2, range(1000000, 1000020), strict=True)]
    lines = folded(" ".join(words), 80)
    assert " ".join(lines).split() == words
    assert max(map(len, lines)) <= 80


def test_the_live_line_is_quiet_where_there_is_no_terminal_and_survives_a_closed_one() -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed):
        with Progress(LiveLine(stream, 20)) as progress:
            progress.update(1, [])
