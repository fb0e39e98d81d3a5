"""What people have, mixed at random, through replay and sends import: `python -m tests.torture.inputs [CASES] [SEED]`.

A careful case is a receipt, or a row of a list, whose identity and outcome are whole; everything beside them may be
anything, in any wrapper and encoding. It must be found afterwards. A wild case is bytes that were changed anywhere: it
may be refused, but it must be counted, and nothing may end as a bug. The text of a message is in no column of an id.
The same seed makes the same inputs.
"""

from __future__ import annotations

import json
import random
import re
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch
from xml.sax.saxutils import escape

from smsreceipt.decode import saved
from smsreceipt.decode.dialect import Dialect, Status, Success
from smsreceipt.decode.table import DIALECTS
from tests.cli.program import Ended, Program
from tests.decode.fuzz import PAYLOADS, corpus, mutated

MARK = "秘密的正文7f3a"  #: stands in texts of messages only
_CONTENT = {"content", "sms_content", "Content", "err_msg", "sentences", "reason", "tmplContent", "signContent"}
_IDS = ("identity", "phone", "biz_id", "out_id", "call_id", "code", "template_code", "sign_name")
_BATCH = 1_000  # cases of one store
_LEFT_OUT = {"dypns-sms-verify-report", "sms-report-international/without-number"}  # whose fields tell no kind

#: What stands where a value should be.
JUNK: tuple[Any, ...] = (
    *(None, "", "null", "NULL", "None", "-", "\\N", "N/A", True, False, 0, -1, 7, 1.5, 1e300, 10**30),
    *(
        {},
        [],
        {"a": 1},
        [1, [2]],
        {"$numberLong": "7"},
        '{"a":1}',
        "[1]",
        '"',
        "\\",
        "a\0b",
        "\u202e",
        "👩‍👩‍👧",
        "１２３",
    ),
    *(
        "0000-00-00 00:00:00",
        "2026-13-45 99:99:99",
        "2026-11-20T15:49:55.123Z",
        "2026/11/20 15:49:55",
        "soon",
        "x" * 300,
    ),
)


@dataclass
class Figures:
    """What a run has found."""

    cases: int = 0
    receipts: int = 0
    rejects: int = 0
    sends: int = 0
    bad_rows: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether no case failed."""
        return not self.faults


class Bodies:
    """Makes receipts of every kind from the documented samples."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        rows = {row.name: row for row in DIALECTS}
        self._samples: list[tuple[Dialect, dict[str, Any]]] = []
        for path in sorted(PAYLOADS.glob("*/*.receipts.json")):
            name = f"{path.parent.name}/{path.name.removesuffix('.receipts.json')}"
            found = json.loads(path.read_bytes())
            if path.parent.name in rows and not {name, path.parent.name} & _LEFT_OUT and len(found["receipts"]) == 1:
                body = found["receipts"][0]["body"]
                if "\\u0000" not in body and " bytes)" not in body:
                    self._samples.append((rows[path.parent.name], json.loads(body)))

    def make(self, unique: str) -> tuple[str, dict[str, Any]]:
        """The kind and the fields of a new receipt, which has *unique* in its identity."""
        row, sample = self._rng.choice(self._samples)
        fields = dict(sample)
        spec = next(part for part in row.identity if part not in (row.phone, row.sent_at))
        given = [name for name in spec.split("|") if fields.get(name) not in (None, "")] or spec.split("|")
        whole = {name for part in row.identity for name in part.split("|")} | _decisive(row)
        for name in fields:
            if name in _CONTENT:
                fields[name] = f"{MARK}{self._rng.choice(JUNK)}"
            elif name not in whole and self._rng.random() < 0.3:
                fields[name] = self._rng.choice(JUNK)
        fields[given[0]] = unique
        if self._rng.random() < 0.2:
            fields["x_more"] = self._rng.choice(JUNK)
        return row.kind, fields


def _decisive(row: Dialect) -> set[str]:
    if isinstance(row.outcome, Success) or (isinstance(row.outcome, Status) and row.outcome.required):
        return {row.outcome.field}
    return set()


def _compact(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _base64(fields: dict[str, Any]) -> str:
    return b64encode(_compact(fields).encode()).decode()


#: How applications kept a receipt, from its kind and its fields; a text of whole lines.
WRAPPERS: tuple[Callable[[str, dict[str, Any]], str], ...] = (
    lambda _, fields: _compact(fields),
    lambda _, fields: json.dumps(fields),
    lambda _, fields: json.dumps(fields, ensure_ascii=False, indent=2),
    lambda _, fields: f"\ufeff{_compact(fields)}\r",
    lambda _, fields: f"[{_compact(fields)}]",
    lambda _, fields: _base64(fields),
    lambda _, fields: json.dumps(_compact(fields)),
    lambda _, fields: json.dumps(json.dumps(_compact(fields))),
    lambda _, fields: _compact({"rawPath": "/cb", "isBase64Encoded": False, "body": _compact(fields)}),
    lambda _, fields: _compact({"httpMethod": "POST", "isBase64Encoded": True, "body": _base64(fields)}),
    lambda _, fields: _compact({"MessageId": "M", "ReceiptHandle": "H", "MessageBody": _base64(fields)}),
    lambda _, fields: f"<Message><MessageBody>{escape(_compact(fields))}</MessageBody></Message>",
    lambda kind, fields: _compact({"seq": 1, "kind": kind, "identity": ["x"], "body": fields}),
)
#: Lines that are no receipts, and end where they end.
NOISE = (
    *(b"", b"\x00\x00", b"NaN", b"---", b"\xff\xfe\x00", b"# dump", b"!!!!====", b'"half', b"null", b"[]", b"]"),
    *(b'{"biz_id":"1","success":tr', b'{"a":1}', b"2026-11-20 INFO nothing", b'{"biz_id":"1","biz_id":"2"}'),
)


class Inputs:
    """One run: makes cases, feeds them, and looks for what must be there."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._bodies = Bodies(self._rng)
        self._corpus = corpus()
        self.figures = Figures()

    def run(self, cases: int) -> Figures:
        """Check as many cases; stop after twenty faults."""
        while self.figures.cases < cases and len(self.figures.faults) < 20:
            with tempfile.TemporaryDirectory(prefix="inputs-") as folder:
                program = Program(Path(folder))
                self._receipts(program, _BATCH // 2)
                self._wild(program, _BATCH // 8)
                self._list(program, _BATCH // 4)
                self._wild_list(program, _BATCH // 8)
            self.figures.cases += _BATCH
        return self.figures

    def _fault(self, what: str) -> None:
        self.figures.faults.append(what)

    def _ran(self, ended: Ended, what: str, *sums: str) -> dict[str, int]:
        """The counters of a run, whose first must be the sum of the others."""
        found = {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)\b(?!\.)", ended.err)}
        if ended.code not in {0, 2, 3} or "Traceback" in ended.err:
            self._fault(f"{what}: exit {ended.code}: {ended.err[-300:]}")
        elif sums[0] in found and found[sums[0]] != sum(found[name] for name in sums[1:]):
            self._fault(f"{what}: the counters do not add up: {ended.err[-200:]}")
        return found

    def _replayed(self, program: Program, name: str, data: bytes) -> dict[str, int]:
        path = program.home / name
        path.write_bytes(data)
        found = self._ran(program("replay", str(path), "--json"), name, "received", "new", "duplicate", "rejected")
        self.figures.receipts += found.get("new", 0)
        self.figures.rejects += found.get("rejected", 0)
        return found

    def _receipts(self, program: Program, cases: int) -> None:
        """Careful receipts in one file, with lines between them that are none."""
        rng, text, wanted = self._rng, [], {}
        for number in range(cases):
            unique = f"{rng.getrandbits(60)}{number:04}"
            kind, fields = self._bodies.make(unique)
            wrapped = rng.choice(WRAPPERS)(kind, fields)
            wanted[kind, unique] = wrapped
            text.append(wrapped.encode())
            if rng.random() < 0.2:
                text.append(rng.choice(NOISE))
        found = self._replayed(program, "saved.txt", b"\n".join(text) + b"\n")
        if found.get("received", 0) < cases:
            self._fault(f"{cases} receipts were written, {found.get('received')} received")
        listed = program("list", "--json", "--history").objects
        there = {(each["kind"], part) for each in listed for part in each["identity"]}
        for case in wanted.keys() - there:
            self._fault(f"lost: {case[0]}: {wanted[case][:600]}")
        self._no_text(listed)

    def _no_text(self, objects: list[dict[str, Any]]) -> None:
        for each in objects:
            told = [name for name in _IDS if MARK in json.dumps(each.get(name), ensure_ascii=False)]
            if told:
                self._fault(f"the text of a message is in {told} of {json.dumps(each, ensure_ascii=False)[:400]}")

    def _wild(self, program: Program, cases: int) -> None:
        text = b"\n".join(mutated(self._corpus, self._rng) for _ in range(cases))
        self._replayed(program, self._rng.choice(("wild.txt", "SmsReport.json", "SecretReport.log", "SmsUp")), text)

    def _list(self, program: Program, cases: int) -> None:
        """A list of sends with rows that must be found, and rows that cannot be."""
        text, wanted = self._rng.choice((table, log))(self._rng, cases)
        self._imported(program, "sent.txt", text)
        listed = program("sends", "list", "--json").objects
        if lost := wanted - {each["biz_id"] for each in listed}:
            self._fault(f"{len(lost)} sends lost, such as {min(lost)}, of the list {text[:300]!r}")
        self._no_text(listed)

    def _wild_list(self, program: Program, cases: int) -> None:
        text, _ = self._rng.choice((table, log))(self._rng, cases)
        self._imported(program, "wild.csv", mutated([text], self._rng))

    def _imported(self, program: Program, name: str, text: bytes) -> None:
        path = program.home / name
        path.write_bytes(text)
        found = self._ran(
            program("sends", "import", str(path)), name, "rows", "new", "known", "completed", "bad", "refused"
        )
        self.figures.sends += found.get("new", 0)
        self.figures.bad_rows += found.get("bad", 0)


_HEADINGS = (
    ("phone", "biz_id", "sent_at", "out_id", "content"),
    ("Mobile", "BizId", "Send Time", "OutId", "Content"),
    ("手机号", "回执ID", "发送时间", "外部流水号", "短信内容"),
    ('"phone_number"', "biz_id（回执）", "gmt_create", "out_id", "sms_content"),
)
_TIMES = (
    "2026-11-20 15:49:55",
    "2026/11/20 15:49",
    "2026-11-20T15:49:55+08:00",
    "1795160995",
    "2026年11月20日 15时49分",
)
_NOTHING = ("", "NULL", "\\N", "None", "nan", "N/A", "-")
_GUARDS = ("{}", "'{}", '="{}"', " {} ", "\u200b{}")


def _rows(rng: random.Random, cases: int) -> Iterator[tuple[str, str, str]]:
    for number in range(cases):
        yield f"9{rng.getrandbits(50):016}{number:03}^0", f"138{number:08}", rng.choice(_TIMES)


def table(rng: random.Random, cases: int) -> tuple[bytes, set[str]]:
    """A CSV, and the BizIds that must be found."""
    lines, wanted, delimiter = [], set(), rng.choice(",;\t")

    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    if rng.random() < 0.3:
        lines.append("发送明细")
    heading = delimiter.join(rng.choice(_HEADINGS))
    lines.append(heading)
    for biz_id, phone, at in _rows(rng, cases):
        content = quoted(f"{MARK}{rng.choice(('', ',', ';', chr(10), chr(34), '{}', chr(9)))}")
        out_id = rng.choice((*_NOTHING, "order-1", "7.0"))
        whole = rng.random() < 0.85
        if whole:
            wanted.add(biz_id)
            own = (rng.choice(("{}", "+86{}", "86 {}", "0086{}", "{}.0")).format(phone), biz_id)
        else:
            own = rng.choice((("1.38E+10", biz_id), (phone, rng.choice(_NOTHING)), ("nobody", biz_id)))
        cells = [*own, at, out_id]
        guarded = [quoted(rng.choice(_GUARDS).format(cell)) if rng.random() < 0.2 else cell for cell in cells]
        lines.append(delimiter.join([*guarded, content]))
        if rng.random() < 0.03:
            lines.append("")
    lines.append(f"合计{delimiter}{cases}")
    text = rng.choice(("\n", "\r\n")).join(lines)
    coding = rng.choice(("utf-8", "utf-8-sig", "utf-16", "gb18030"))
    if coding == "gb18030":
        text = text.replace("\u200b", "")
    return text.encode(coding), wanted


def log(rng: random.Random, cases: int) -> tuple[bytes, set[str]]:
    """A log of requests and answers, a line each, and the BizIds that must be found."""
    lines, wanted = [], set()
    prefix = rng.choice(("", "2026-11-20 15:49:55 INFO sms ", "app | "))
    for biz_id, phone, at in _rows(rng, cases):
        wanted.add(biz_id)
        request = {"PhoneNumbers": phone, "TemplateCode": "SMS_1", "TemplateParam": json.dumps({"code": MARK})}
        answer = {"BizId": biz_id, "Code": "OK", "RequestId": "R", "Message": "OK"}
        value: dict[str, Any] = rng.choice((
            {"request": request, "response": answer, "time": at},
            {**request, **answer, "sendTime": at},
            {"req": json.dumps(request), "resp": json.dumps(answer), "ts": at, "content": MARK},
        ))  # fmt: skip
        lines.append(prefix + json.dumps(value, ensure_ascii=rng.random() < 0.5))
        if rng.random() < 0.1 and prefix:
            lines.append(f"{prefix}nothing was sent")
    return "\n".join(lines).encode(), wanted


@contextmanager
def planted() -> Iterator[None]:
    """A bug that the harness must find: a side field that cannot be read costs its receipt."""
    readers: dict[Any, Any] = {}
    for row in DIALECTS:
        readers.setdefault(row.kind, []).append((row.matcher(), row._strict_reader()))
    table = tuple((*known[:3], row._strict_reader()) for known, row in zip(saved._TABLE, DIALECTS, strict=True))
    with patch.object(saved, "_TABLE", table), patch("smsreceipt.decode._READERS", readers):
        yield


def torture(cases: int, seed: int = 20261121) -> Figures:
    """Run as many cases."""
    return Inputs(seed).run(cases)


def main(full: bool) -> bool:
    """Find the planted bug, then run; print the figures."""
    with planted():
        if torture(_BATCH).good:
            print("  the planted bug was not found")
            return False
    return report(torture(200_000 if full else 4_000))


def report(figures: Figures) -> bool:
    """Print the figures and the faults."""
    counts = asdict(figures)
    faults = counts.pop("faults")
    print(f"  {' '.join(f'{name}={count:,}' for name, count in counts.items())} faults={len(faults)}", flush=True)
    for fault in faults[:20]:
        print(f"  {fault[:600]}")
    return figures.good


if __name__ == "__main__":
    asked = [int(word) for word in sys.argv[1:]]
    sys.exit(not report(torture(*(asked or [200_000]))))
