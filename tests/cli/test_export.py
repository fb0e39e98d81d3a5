"""`smsreceipt export`: whole files, with exactly what `list --json` prints."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from openpyxl import load_workbook

from smsreceipt.errors import OutputError
from smsreceipt.extras import install_command
from smsreceipt.output.files import formats
from smsreceipt.runs import export
from tests.cli.program import CALL_ENDED, FAILED, REPLY, Program, report
from tests.output import exports
from tests.output.exports import Objects

FORMATS = ("ndjson", "csv", "xlsx", "parquet")
LEDGER = (
    "phone,biz_id,sent_at,out_id,template_code,sign_name\n"
    "13800008000,900619746936498440^0,2026-11-20 15:49:55,order-67890,SMS_7,Acme\n"
    "13800008001,900619746936498441^0,2026-11-20 15:50:00,00042,SMS_7,Acme\n"
)
AWKWARD = (
    "=1+1",
    "+86 1",
    "-2",
    "@SUM(A1)",
    "\tx",
    "\r\nx",
    "a\x00b",
    "\x07",
    "😀👨‍👩‍👧",
    "_x0041_",
    "<r>x</r>",
    "&<>\"',",
)
READERS: dict[str, Callable[[Path], Objects]] = {
    "ndjson": lambda path: [json.loads(line) for line in path.read_bytes().splitlines()],
    "csv": lambda path: exports.from_csv(path.read_bytes().decode()),
    "xlsx": exports.from_xlsx,
    "parquet": exports.from_parquet_by_pandas,
    "duckdb": exports.from_parquet_by_duckdb,
}


@pytest.fixture
def filled(program: Program) -> Program:
    program.stdin = LEDGER.encode()
    program("sends", "import", "-")
    program.stdin = b""
    program.keep("SmsReport", report(), report("13800008001", "900619746936498441^0", out_id="00042", **FAILED))
    program.keep(
        "SmsReport", report("85251230001", "900619746936498442^0", out_id=None, send_time="2026-11-18 23:59:59")
    )
    program.keep("SmsUp", REPLY)
    program.keep("SecretReport", CALL_ENDED)
    program.keep("Unheard", {"a": 1, "A": {"deep": [1.50, None]}})
    return program


def exported(program: Program, name: str, *words: str) -> Path:
    """The file that an export of receipts makes."""
    path = program.home / name
    ended = program("export", "receipts", "--output", str(path), "--force", *words)
    assert ended.code == 0, ended.err
    assert ended.raw == b""
    return path


@pytest.mark.each_engine
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("words", [(), ("--history",), ("--mask",), ("--outcome", "failed"), ("--date", "2026-11-20")])
def test_every_format_gives_back_what_list_prints(filled: Program, reader: str, words: tuple[str, ...]) -> None:
    name = "out.parquet" if reader == "duckdb" else f"out.{reader}"
    printed = filled("list", "--json", *words).objects
    assert printed
    assert READERS[reader](exported(filled, name, *words)) == printed


@pytest.mark.each_engine
@pytest.mark.parametrize("name", ["out.ndjson", "out.csv", "out.xlsx", "out.parquet"])
def test_sends_are_exported_as_they_are_listed(filled: Program, name: str) -> None:
    ended = filled("export", "sends", "--output", str(filled.home / name))
    assert ended.code == 0
    assert ended.err.startswith("rows=2 ")
    read = READERS[name.partition(".")[2]](filled.home / name)
    assert read == filled("sends", "list", "--json").objects
    masked = filled("export", "sends", "-o", "-", "--mask")
    assert masked.raw == filled("sends", "list", "--json", "--mask").raw


@pytest.mark.each_engine
@pytest.mark.parametrize(
    "words", [(), ("--by", "code"), ("--by", "hour", "--by", "sign"), ("--kind", "calls", "--by", "day")]
)
@pytest.mark.parametrize("wanted", FORMATS)
def test_figures_are_exported_as_stats_prints_them(filled: Program, wanted: str, words: tuple[str, ...]) -> None:
    path = filled.home / f"out.{wanted}"
    ended = filled("export", "stats", "--date", "2026-11-20", *words, "--output", str(path))
    assert ended.code == 0, ended.err
    printed = filled("stats", "--date", "2026-11-20", "--json", *(words or ("--by", "day"))).objects
    assert printed
    if wanted == "csv":
        assert (
            path.read_bytes() == filled("stats", "--date", "2026-11-20", "-o", "csv", *(words or ("--by", "day"))).raw
        )
    elif wanted == "parquet":
        assert pq.read_table(path).to_pylist() == printed
    else:
        assert READERS[wanted](path) == printed


def test_lines_are_the_very_bytes_that_list_prints(filled: Program) -> None:
    for name, words in (("out.ndjson", ["--json"]), ("out.csv", ["-o", "csv"])):
        listed = filled("list", *words).raw
        assert exported(filled, name).read_bytes() == listed
        ended = filled("export", "receipts", "-o", "-", "--format", name.partition(".")[2])
        assert ended.raw == listed
    assert filled("export", "receipts", "-o", "-").raw == filled("list", "--json").raw


@pytest.mark.parametrize("text", AWKWARD)
def test_hostile_texts_harm_no_format(program: Program, text: str) -> None:
    program.keep("SmsUp", {**REPLY, "content": text})
    program.keep("SmsReport", report(out_id=text))
    printed = program("list", "--json").objects
    for name in ("parquet", "duckdb", "ndjson"):
        path = exported(program, "out.ndjson" if name == "ndjson" else "out.parquet")
        assert READERS[name](path) == printed
    cells = exports.from_xlsx(exported(program, "out.xlsx"))
    rows = list(csv.DictReader(io.StringIO(exported(program, "out.csv").read_bytes().decode())))
    assert [json.loads(row["body"]) for row in rows] == [row["body"] for row in printed]
    assert rows[1]["out_id"].removeprefix("'") == (cells[1]["out_id"] or "")
    assert not rows[1]["out_id"].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert [row["body"] for row in cells] == [row["body"] for row in printed]


def test_nothing_in_a_workbook_is_a_formula_or_a_link(program: Program) -> None:
    for n, text in enumerate(
        ("=1+1", "http://example.com/", "{=1}", "<r><t>bold</t></r>", "00123", "1e5", "mailto:a@b")
    ):
        program.keep("SmsReport", report(biz_id=f"{n}", out_id=text))
    path = exported(program, "out.xlsx")
    sheet = load_workbook(path)["receipts"]
    [column] = [cells for cells in sheet.iter_cols() if cells[0].value == "out_id"]
    assert [cell.data_type for cell in column[1:]] == ["s" if cell.value else "n" for cell in column[1:]]
    assert [cell.value for cell in column[1:]] == [row["out_id"] for row in program("list", "--json").objects]
    assert not any(cell.hyperlink for cell in column)


def test_a_workbook_has_types_a_heading_and_a_sheet_about_itself(filled: Program) -> None:
    path = exported(filled, "out.xlsx", "--phone", "13800008000", "--mask")
    book = load_workbook(path)
    assert book.sheetnames == ["receipts", "about"]
    sheet = book["receipts"]
    heads = [cell.value for cell in sheet[1]]
    assert heads == list(filled("list", "--json").objects[0])
    types = {head: cell.data_type for head, cell in zip(heads, sheet[2], strict=True)}
    assert (types["seq"], types["sent_at"], types["received_at"], types["test"]) == ("n", "d", "d", "b")
    assert {types[key] for key in ("phone", "biz_id", "out_id", "body", "identity")} == {"s"}
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == f"A1:V{sheet.max_row}"
    told = {row[0].value: row[1].value for row in book["about"].iter_rows()}
    assert told["filter"] == "--phone 138****8000"
    assert told["masked"] == "yes"
    assert told["exported at"] == "2026-11-21T12:00:00+08:00"
    assert [told[head] for head in heads if not told[head]] == []
    [chinese] = [row[2].value for row in book["about"].iter_rows() if row[0].value == "sent_at"]
    assert chinese == "发送时间，北京时间"


def test_rows_beyond_a_sheet_go_on_the_next(filled: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    from smsreceipt.output.files import xlsx

    monkeypatch.setattr(xlsx.XlsxWriter.__init__, "__defaults__", (4,))
    path = exported(filled, "out.xlsx")
    assert load_workbook(path).sheetnames == ["receipts", "about", "receipts 2"]
    assert exports.from_xlsx(path) == filled("list", "--json").objects


def test_a_cell_that_is_too_long_is_cut_and_told(program: Program) -> None:
    program.keep("SmsUp", {**REPLY, "content": "😀" * 20_000})
    path = program.home / "out.xlsx"
    ended = program("export", "receipts", "--output", str(path))
    assert ended.code == 3
    assert ended.err.startswith("1 cell was cut to 32,767 characters, the most that .xlsx allows")
    [row] = load_workbook(path)["receipts"].iter_rows(min_row=2, values_only=True)
    assert 32_000 < len(str(row[-1]).encode("utf-16-le")) / 2 <= 32_767
    assert READERS["parquet"](exported(program, "out.parquet")) == program("list", "--json").objects


def test_parquet_has_types_dictionaries_and_compression(filled: Program) -> None:
    file = pq.ParquetFile(exported(filled, "out.parquet"))
    schema = {name: str(file.schema_arrow.field(name).type) for name in file.schema_arrow.names}
    assert {schema[key] for key in ("sent_at", "reported_at", "received_at")} == {"timestamp[ms, tz=UTC]"}
    few = "dictionary<values=string, indices=int32, ordered=0>"
    assert {schema[key] for key in ("kind", "outcome", "code", "source")} == {few}
    assert (schema["phone"], schema["body"], schema["seq"], schema["test"]) == ("string", "string", "int64", "bool")
    group = file.metadata.row_group(0)
    assert {group.column(n).compression for n in range(group.num_columns)} == {"ZSTD"}
    assert file.schema_arrow.metadata[b"smsreceipt.version"].startswith(b"smsreceipt ")


def test_row_groups_are_bounded(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    from smsreceipt.output.files import parquet

    monkeypatch.setattr(parquet, "_GROUP_ROWS", 100)
    monkeypatch.setattr(export, "_PIECE_ROWS", 50)
    program.keep("SmsReport", *[report(f"138{n:08}") for n in range(250)])
    metadata = pq.ParquetFile(exported(program, "out.parquet")).metadata
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [100, 100, 50]


def test_csv_for_excel_has_its_mark_its_line_ends_and_no_numbers_in_ids(program: Program) -> None:
    texts = ["00123", "123456789012", "20261105090300123456", "12e34", "=1", "3-4", "order-7", "-5", "2026-11-20"]
    program.keep("SmsReport", *[report(biz_id=str(n), out_id=text) for n, text in enumerate(texts)])
    raw = exported(program, "out.csv", "--excel", "--columns", "out_id,biz_id,phone").read_bytes()
    assert raw.startswith(b'\xef\xbb\xbf"out_id","biz_id","phone"\r\n')
    assert raw.count(b"\n") == raw.count(b"\r\n") == len(texts) + 1
    cells = [row["out_id"] for row in csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""))]
    number_like = ["00123", "123456789012", "20261105090300123456", "12e34"]
    assert cells == [*(f"\t{text}" for text in number_like), "'=1", "\t3-4", "order-7", "'-5", "2026-11-20"]
    assert b'"\t00123"' in raw
    plain = exported(program, "plain.csv", "--columns", "out_id").read_text()
    assert plain.splitlines()[1:4] == texts[:3]


@pytest.mark.each_engine
@pytest.mark.parametrize("wanted", FORMATS)
def test_a_file_a_day(filled: Program, wanted: str) -> None:
    folder = filled.home / "days"
    ended = filled("export", "receipts", "--split-by", "day", "--format", wanted, "--output", str(folder))
    assert ended.code == 0, ended.err
    printed = filled("list", "--json").objects
    assert f"rows={len(printed)} " in ended.err
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    hive = wanted == "parquet"
    days = [path.parent.name.removeprefix("day=") if hive else path.stem.removeprefix("receipts-") for path in files]
    assert days == ["2026-11-18", "2026-11-20", "2026-11-21"]
    read = [row for path in files for row in READERS[wanted](path)]
    assert sorted(row["seq"] for row in read) == sorted(row["seq"] for row in printed)
    by_day = {day: READERS[wanted](path) for day, path in zip(days, files, strict=True)}
    assert by_day["2026-11-20"] == filled("list", "--json", "--date", "2026-11-20").objects
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_dir()} <= {0o700}


def test_duckdb_finds_the_day_in_the_names_of_the_folders(filled: Program) -> None:
    folder = filled.home / "days"
    filled("export", "receipts", "--split-by", "day", "--format", "parquet", "--output", str(folder))
    with duckdb.connect() as db:
        query = "SELECT DISTINCT day::VARCHAR FROM read_parquet(?, hive_partitioning = true) ORDER BY day"
        found = db.execute(query, [f"{folder}/*/*.parquet"]).fetchall()
    assert [day for (day,) in found] == ["2026-11-18", "2026-11-20", "2026-11-21"]


def test_a_day_is_added_to_a_folder_and_none_is_replaced_unasked(filled: Program) -> None:
    words = ["export", "receipts", "--split-by", "day", "--format", "ndjson", "--output", str(filled.home / "days")]
    assert filled(*words, "--date", "2026-11-18").code == 0
    assert filled(*words, "--date", "2026-11-20").code == 0
    kept = (filled.home / "days" / "receipts-2026-11-20.ndjson").read_bytes()
    ended = filled(*words, "--outcome", "failed", "--since", "2026-11-20")
    assert (ended.code, "exists" in ended.err) == (2, True)
    assert (filled.home / "days" / "receipts-2026-11-20.ndjson").read_bytes() == kept
    assert filled(*words, "--outcome", "failed", "--since", "2026-11-20", "--force").code == 0
    assert (filled.home / "days" / "receipts-2026-11-20.ndjson").read_bytes() != kept


@pytest.mark.each_engine
def test_sends_by_day(filled: Program) -> None:
    folder = filled.home / "days"
    ended = filled("export", "sends", "--split-by", "day", "--format", "csv", "--output", str(folder))
    assert ended.code == 0
    assert [path.name for path in folder.iterdir()] == ["sends-2026-11-20.csv"]


@pytest.mark.each_engine
def test_a_store_that_is_not_there_is_an_empty_one(program: Program) -> None:
    ended = program("export", "receipts", "--output", str(program.home / "out.csv"))
    assert ended.code == 0
    assert ended.err.startswith("no receipts\nrows=0 ")
    assert (program.home / "out.csv").read_text().startswith("seq,kind,")
    for wanted in FORMATS:
        words = ["--split-by", "day", "--format", wanted, "--output", str(program.home / "days")]
        assert program("export", "receipts", *words).code == 0
        assert program("export", "sends", "--output", str(program.home / f"out.{wanted}"), "--force").code == 0
    assert not (program.home / "days").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--output", "out"], "does not tell a format"),
        (["--output", "-", "--format", "parquet"], "parquet cannot be written to a pipe"),
        (["--output", "-", "--split-by", "day"], "--output must name a folder"),
        (["--output", "a.xlsx", "--excel"], "--excel is for csv"),
        (["--output", "a.csv", "--columns", "phone,phne"], "there is no column phne"),
        (["--output", "/dev/null", "--format", "csv", "--force"], "is no regular file"),
        (["--output", ".", "--format", "csv"], "is a folder"),
        (["--output", "nowhere/a.csv"], "cannot be written"),
        (["--output", "there.csv", "--split-by", "day"], "needs a folder"),
        (["--output", "there.csv"], "exists"),
        ([], "--output"),
    ],
)
def test_what_cannot_be_meant_is_refused(filled: Program, words: list[str], told: str) -> None:
    Path("there.csv").write_text("mine")
    before = sorted(Path().rglob("*"))
    ended = filled("export", "receipts", *words)
    assert (ended.code, ended.raw) == (2, b"")
    assert told in ended.err
    assert sorted(Path().rglob("*")) == before
    assert Path("there.csv").read_text() == "mine"


def test_a_missing_package_is_told_with_the_command(filled: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda _name: None)
    for name, extra in (("out.xlsx", "xlsx"), ("out.parquet", "parquet")):
        ended = filled("export", "receipts", "--output", name)
        assert ended.code == 2
        assert f"Install it: {install_command(extra)}. " in ended.err
    assert filled("export", "receipts", "--output", "out.csv").code == 0


def test_a_forced_file_is_replaced_and_a_link_is_followed(filled: Program) -> None:
    Path("target.csv").write_text("old")
    Path("target.csv").chmod(0o644)
    Path("link.csv").symlink_to("target.csv")
    assert filled("export", "receipts", "--output", "link.csv").code == 2
    assert filled("export", "receipts", "--output", "link.csv", "--force").code == 0
    assert Path("link.csv").is_symlink()
    assert Path("target.csv").read_text().startswith("seq,")
    assert stat.S_IMODE(Path("target.csv").stat().st_mode) == 0o600


def test_columns_are_those_that_were_named_in_their_order(filled: Program) -> None:
    ended = filled("export", "receipts", "-o", "-", "--columns", "outcome, phone", "--columns", "seq")
    assert [list(row) for row in ended.objects] == [["outcome", "phone", "seq"]] * len(ended.objects)
    ended = filled("export", "receipts", "-o", "-", "--format", "csv", "--columns", "phone")
    assert ended.out.splitlines()[:2] == ["phone", "13800008000"]
    assert "body" not in filled("export", "receipts", "-o", "-", "--no-body").objects[0]


def test_settings_of_other_commands_name_no_file(filled: Program) -> None:
    Path("smsreceipt.toml").write_text('output = "csv"\n')
    ended = filled("export", "receipts", environ={"SMSRECEIPT_OUTPUT": "json"})
    assert (ended.code, sorted(path.name for path in Path().iterdir())) == (2, ["smsreceipt.toml"])
    ended = filled("--json", "export", "receipts", "--output", "out.csv")
    assert ended.code == 0
    assert Path("out.csv").read_text().startswith("seq,")


def test_the_summary_tells_where_to_go_on(filled: Program) -> None:
    ended = filled("export", "receipts", "--output", "first.ndjson")
    figures = dict(word.split("=") for word in ended.err.split())
    assert list(figures) == ["rows", "bytes", "files", "seconds", "rate", "last_seq"]
    assert int(figures["bytes"]) == Path("first.ndjson").stat().st_size
    filled.keep("SmsReport", report("13800009999", "2^0"))
    ended = filled("export", "receipts", "-o", "-", "--after", figures["last_seq"])
    assert [row["phone"] for row in ended.objects] == ["13800009999"]
    assert filled("export", "receipts", "--output", "quiet.ndjson", "-q").err == ""


def test_a_part_that_others_may_read_is_not_written_to(filled: Program) -> None:
    Path("other").write_text("")
    Path(".out.csv.part").hardlink_to("other")
    ended = filled("export", "receipts", "--output", "out.csv")
    assert (ended.code, "not a file of yours alone" in ended.err) == (2, True)
    Path(".out.csv.part").unlink()
    Path(".out.csv.part").symlink_to("other")
    assert filled("export", "receipts", "--output", "out.csv").code == 2
    assert Path("other").read_text() == ""


def leftovers(folder: Path) -> list[str]:
    """The names in a folder that are no store."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("receipts.db"))


@pytest.mark.parametrize("wanted", FORMATS)
@pytest.mark.parametrize("by_day", [False, True])
def test_a_full_disk_leaves_nothing_and_ends_with_6(program: Program, wanted: str, *, by_day: bool) -> None:
    program.keep("SmsReport", *[report(f"138{n:08}", err_msg=os.urandom(4000).hex()) for n in range(200)])
    folder = program.home / "out"
    folder.mkdir()
    kept = folder / f"kept.{wanted}"
    kept.write_text("old")
    words = ["--output", str(kept), "--force", "--format", wanted]
    if by_day:
        words = ["--output", str(folder / "days"), "--split-by", "day", "--format", wanted]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        ended = program("export", "receipts", *words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert ended.code == OutputError.exit_code == 6, ended.err
    assert "cannot be written: File too large" in ended.err
    assert leftovers(folder) == [kept.name]
    assert kept.read_text() == "old"


ROWS = 12_000  #: An export of so many takes long enough to be met while it runs.


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Only ever read here, so one store is enough for all."""
    program = Program(tmp_path_factory.mktemp("many"))
    program.keep("SmsReport", *[report(f"138{n:08}", str(n)) for n in range(ROWS)])
    return program


@pytest.fixture
def process(many: Program) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts the program as a process of its own, on a store that takes a while to export."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "smsreceipt", "--store", many.location, "export", "receipts", *words]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()


def wait_for_part(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until something of the export is on the disk, beside its final name."""
    until = time.monotonic() + 60
    while not any(path.stat().st_size for path in folder.rglob("*") if path.is_file()):
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.002)


@pytest.mark.slow
@pytest.mark.parametrize("wanted", ["csv", "xlsx"])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9)]
)
def test_an_interrupted_export_leaves_no_half_file(
    many: Program, tmp_path: Path, process: Callable[..., subprocess.Popen[bytes]], wanted: str, number: int, code: int
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / f"out.{wanted}"
    running = process("--output", str(path))
    wait_for_part(folder, running)
    running.send_signal(number)
    _, err = running.communicate(timeout=60)
    assert running.returncode == code, err
    assert b"Traceback" not in err
    assert not path.exists()
    if code > 0:
        assert leftovers(folder) == []
    again = many("export", "receipts", "--output", str(path), "--phone", "13800000007")
    assert again.code == 0, again.err
    assert leftovers(folder) == [path.name]
    assert [row["biz_id"] for row in READERS[wanted](path)] == ["7"]  # nothing of a longer one that was killed


@pytest.mark.slow
def test_two_exports_to_one_file_do_not_mix(
    many: Program, tmp_path: Path, process: Callable[..., subprocess.Popen[bytes]]
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    running = process("--output", str(folder / "out.csv"))
    wait_for_part(folder, running)
    ended = many("export", "receipts", "--output", str(folder / "out.csv"))
    assert (ended.code, "another export is writing" in ended.err) == (2, True)
    assert running.wait(60) == 0
    assert len(READERS["csv"](folder / "out.csv")) == ROWS


@pytest.mark.slow
def test_a_reader_that_goes_away_is_141(process: Callable[..., subprocess.Popen[bytes]]) -> None:
    running = process("--output", "-")
    assert running.stdout is not None
    assert running.stdout.readline().startswith(b'{"seq":1,')
    running.stdout.close()
    assert running.wait(60) == 141


def by_soffice(folder: Path, *paths: Path) -> list[str]:
    """What LibreOffice makes of the first sheet of each file, as CSV; it is started once for all."""
    profile = (folder / "profile").as_uri()
    command = ["soffice", f"-env:UserInstallation={profile}", "--headless", "--convert-to"]
    command += ["csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,1"]
    subprocess.run([*command, "--outdir", folder / "made", *paths], check=True, capture_output=True, timeout=120)
    made = sorted((folder / "made").iterdir())  # a book.csv of paths may be a book-SHEET.csv
    return [path.read_text("utf-8-sig") for path in made]


@pytest.mark.slow
@pytest.mark.needs("soffice")
def test_libreoffice_shows_every_digit(filled: Program) -> None:
    filled.keep("SmsReport", report(biz_id="7", out_id="20261105090300123456"), report(biz_id="8", out_id="=1+1"))
    files = [exported(filled, "book.xlsx", "--no-body"), exported(filled, "table.csv", "--no-body", "--excel")]
    printed = filled("list", "--json", "--no-body").objects
    for path, text in zip(files, by_soffice(filled.home, *files), strict=True):
        rows = list(csv.DictReader(io.StringIO(text)))
        for key in ("phone", "biz_id", "out_id", "call_id", "code", "outcome", "kind"):
            shown = [row[key].strip().removeprefix("'") for row in rows]
            assert shown == [row[key] or "" for row in printed], (path.name, key)
        times = [row["sent_at"].replace(" ", "T")[:19] for row in rows]
        assert times == [(row["sent_at"] or "")[:19] for row in printed], path.name
