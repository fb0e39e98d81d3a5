"""The province of a number, from a file in the format phone.dat; built once, and built again when the file changes."""

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from smsreceipt.codes import regions
from smsreceipt.errors import UsageError

RECORDS = ("广东|深圳|518000|0755", "内蒙古自治区|呼和浩特|010000|0471", "南海|三沙|573199|0898")


def phone_dat(entries: dict[int, int], records: tuple[str, ...] = RECORDS, version: bytes = b"2501") -> bytes:
    """A file whose entries are prefix --> index of the record."""
    body, offsets = b"", []
    for record in records:
        offsets.append(8 + len(body))
        body += record.encode() + b"\0"
    index = b"".join(struct.pack("<iiB", prefix, offsets[at], 1) for prefix, at in sorted(entries.items()))
    return struct.pack("<4si", version, 8 + len(body)) + body + index


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "phone.dat"
    path.write_bytes(phone_dat({1300000: 0, 1380013: 0, 1999999: 1, 1840000: 2}))
    return path


@pytest.mark.parametrize(
    ("number", "province"),
    [
        ("13800138000", "Guangdong"),
        ("1300000", "Guangdong"),
        ("19999991234", "Inner Mongolia"),
        ("18400001234", "南海"),  # a name that is not in our table stays as it is
        ("13800148000", "unknown"),
        ("85261234567", "unknown"),
        ("12999991234", "unknown"),
        ("20000001234", "unknown"),
        ("138001380001", "unknown"),
        ("1380x138000", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_province_of_a_number(source: Path, number: str, province: str) -> None:
    assert regions.load(source).province(number) == province


def test_the_package_has_a_province_for_each_number_of_its_list() -> None:
    source = regions.installed()
    assert source is not None
    found = regions.load(source)
    assert found.province("13800138000") == "Beijing"
    assert found.province("19912345678") != "unknown"
    assert set(found.provinces) <= set(regions.chinese_names())
    assert len(found.provinces) == 1 + 31


def test_the_table_is_kept_and_made_again_when_the_source_changes(source: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache" / "smsreceipt"
    built = regions.load(source, cache)
    (kept,) = cache.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.stat().st_size < 5_000
    assert regions.load(source, cache) == built
    source.write_bytes(phone_dat({1380013: 1}, version=b"2502"))
    again = regions.load(source, cache)
    assert (again.version, again.province("13800138000")) == ("2502", "Inner Mongolia")
    assert [*cache.iterdir()] == [kept]


def test_the_kept_table_is_what_is_read(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = regions.load(source, tmp_path / "cache")
    monkeypatch.delattr(regions, "parse")
    assert regions.load(source, tmp_path / "cache") == built


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"smsreceipt regions 1\n{}\n", b"smsreceipt regions 1\n[]\nx"])
def test_a_damaged_cache_is_made_again(source: Path, tmp_path: Path, content: bytes) -> None:
    built = regions.load(source, tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    whole = kept.read_bytes()
    for damaged in (content, whole[:-20], whole[: len(whole) // 2]):
        kept.write_bytes(damaged)
        assert regions.load(source, tmp_path / "cache") == built
        assert kept.read_bytes() == whole


def test_a_cache_that_cannot_be_written_costs_nothing(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert regions.load(source, tmp_path / "file").province("13800138000") == "Guangdong"


def test_several_processes_make_it_at_once(source: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from smsreceipt.codes import regions;"
        "print(regions.load(Path(sys.argv[1]), Path(sys.argv[2])).province('13800138000'))"
    )
    words = [sys.executable, "-c", program]
    started = [
        subprocess.Popen([*words, str(source), str(tmp_path / "cache")], stdout=subprocess.PIPE) for _ in range(4)
    ]
    assert [process.communicate()[0] for process in started] == [b"Guangdong\n"] * 4
    assert len([*(tmp_path / "cache").iterdir()]) == 1


whole = phone_dat({1380013: 0})


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "shorter than its head"),
        (b"<html>404 Not Found</html>", "no version and no place of the index"),
        (b"version https://git-lfs.github.com/spec/v1\n", "no version"),
        (struct.pack("<4si", b"2501", 5000) + b"x" * 90, "no place of the index"),
        (struct.pack("<4si", b"2501", -1) + b"x" * 90, "no place of the index"),
        (whole[:-1], "ends in the middle of an entry"),
        (whole[:-9] + struct.pack("<iiB", 1380013, 3, 1), "no record at byte 3"),
        (whole[:-9] + struct.pack("<iiB", 1380013, -7, 1), "no record at byte -7"),
        (whole[:-9] + struct.pack("<iiB", 100, 8, 1), "100, which is no range"),
        (phone_dat({1380013: 0}, ("no separators",)), "no record at byte 8"),
        (phone_dat({1380013 + n: n for n in range(300)}, tuple(f"p{n}|c|z|a" for n in range(300))), "more than 255"),
    ],
)
def test_a_broken_file_is_told(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "broken.dat"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"is no phone\.dat: ") as raised:
        regions.load(path, tmp_path / "cache")
    assert why in str(raised.value)
    assert str(path) in str(raised.value)
    assert not (tmp_path / "cache").exists()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.dat: No such file"):
        regions.load(tmp_path / "none.dat")
    with pytest.raises(UsageError):
        regions.load(tmp_path)


def test_without_the_package_there_is_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "phone", None)
    assert regions.installed() is None
