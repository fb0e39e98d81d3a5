"""The object of `recordings`: one recording of a call, and how far it is from being a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from smsreceipt.language import _
from smsreceipt.model import DAY_MS, Instant, Recording, RecordingState, iso_utc
from smsreceipt.output.columns import Cell, Column, View
from smsreceipt.output.formatting import elapsed, size, wall_clock
from smsreceipt.output.objects.common import at_second

if TYPE_CHECKING:
    from smsreceipt.output.display import Display

STATES_ZH = {
    RecordingState.OPEN: "未下载",
    RecordingState.FETCHED: "已下载",
    RecordingState.WAITING: "未生成",
    RecordingState.ABSENT: "无录音",
    RecordingState.EXPIRED: "已过期",
    RecordingState.REFUSED: "已拒绝",
    RecordingState.BUSY: "下载中",
    RecordingState.FAILED: "失败",
}
_STYLES = {
    RecordingState.FETCHED: "green",
    RecordingState.EXPIRED: "red",
    RecordingState.REFUSED: "red",
    RecordingState.FAILED: "red",
    RecordingState.ABSENT: "magenta",
}
_URGENT = 3 * DAY_MS


class ShownRecording(msgspec.Struct, frozen=True):
    """A recording as it is shown."""

    recording: Recording
    state: RecordingState
    expires_at: Instant
    left: int  #: milliseconds until then; 0 where it is over
    file: str = ""
    size: int | None = None
    sha256: str = ""
    fetched_at: Instant | None = None
    reason: str = ""  #: why it is in this state, where the state does not say it

    @property
    def days_left(self) -> int:
        """Whole days for which the provider still has it."""
        return self.left // DAY_MS


def _masked(row: ShownRecording) -> ShownRecording:
    from smsreceipt.output.mask import mask_numbers

    recording = msgspec.structs.replace(
        row.recording, pool_key=mask_numbers(row.recording.pool_key), call_id=mask_numbers(row.recording.call_id)
    )
    return msgspec.structs.replace(row, recording=recording, file=mask_numbers(row.file))


def _state(row: ShownRecording, display: Display) -> Cell:
    return Cell(display.localized(row.state.value, STATES_ZH[row.state]), _STYLES.get(row.state, ""))


def _left(row: ShownRecording, display: Display) -> Cell:
    if row.state is RecordingState.FETCHED:
        return Cell("")
    return Cell(elapsed(row.left, chinese=display.chinese), "red" if row.left < _URGENT else "")


def _size(row: ShownRecording, _display: Display) -> str:
    return "" if row.size is None else size(row.size)


def _note(row: ShownRecording, _display: Display) -> Cell:
    return Cell("/".join(row.file.split("/")[-2:]) or _(row.reason), "dim")


RECORDINGS = View[ShownRecording](
    "Recording",
    [
        Column(
            head=("CALLED +08:00", "通话 +08:00"),
            cell=lambda row, _: wall_clock(row.recording.called_at),
            priority=8,
        ),
        Column(key="pool_key", of="recording.pool_key", head=("POOL", "号码池"), priority=3),
        Column(key="call_id", of="recording.call_id", head=("CALL", "通话 ID"), priority=9, min_width=12),
        Column(key="recording", of="recording.about", head=("OF", "内容"), priority=2),
        Column(key="called_at", of="recording.called_at", convert=at_second),
        Column(key="state", of="state", head=("STATE", "状态"), cell=_state, priority=10, live_width=7),
        Column(key="days_left", of="days_left", head=("LEFT", "剩余"), cell=_left, priority=9, live_width=9),
        Column(key="expires_at", of="expires_at", convert=lambda at: at_second(at or None)),  # 0: nothing tells it
        Column(key="size", of="size", head=("SIZE", "大小"), cell=_size, priority=6, right=True, live_width=8),
        Column(
            key="file",
            of="file",
            or_null=True,
            head=("FILE OR REASON", "文件或原因"),
            cell=_note,
            priority=5,
            min_width=10,
        ),
        Column(key="sha256", of="sha256", or_null=True),
        Column(key="fetched_at", of="fetched_at", convert=lambda at: None if at is None else iso_utc(at)),
        Column(key="reason", of="reason", or_null=True),
    ],
    masked=_masked,
)
