"""The command lines that are recorded. The scenarios share nothing, so that they can run at the same time."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
from collections.abc import Callable, Iterator, Mapping

from tests.cli.listening import until
from tests.contract import seed
from tests.contract.recorder import FEW, TERMINALS, Recorder, ask, receiver
from tests.contract.seed import CALL, ENDED, KINDS, REPLY, biz_id, lines, phone, queue, report

SECRET = "not-a-secret-but-long-enough"


def receipts(recorder: Recorder) -> None:
    """Pull every message type from its queue, then read the store with every command."""
    generated = ("--generate", "90", "--seed", "8", "--poison", "0.3")
    with recorder.provider("sandbox", "--load", recorder.put("load.ndjson", seed.messages()), *generated) as host:
        _pull(recorder, json.loads(ask(host, "GET", "/_sandbox/state")[1])["queues"])
    _list(recorder)
    _show(recorder)
    _status(recorder)
    _stats(recorder)
    _rejects(recorder)


def _pull(recorder: Recorder, waiting: Mapping[str, Mapping[str, int]]) -> None:
    """Ask for as many messages as wait, because proving that a queue is empty takes two seconds."""
    run = recorder.run
    run("pull-peek", "pull", "--peek", "--queue", queue("SmsReport"), "--max", "5")
    run("pull-peek", "pull", "--peek", "--queue", queue("SmsUp"), "--max", "2", "-o", "csv")
    run("pull-peek", "pull", "--peek", "--queue", queue("SecretReport"), "-o", "table")
    forms = {"SignSmsReport": ("-o", "csv"), "SecretSmsIntercept": ("-o", "table"), "TemplateSmsReport": ("-q",)}
    for kind in KINDS:
        words = ("--queue", queue(kind), "--max", str(waiting[queue(kind)]["queued"]), "--workers", "1")
        run(f"pull-{kind}", "pull", *words, *forms.get(kind, ()))
    run("pull-named", "pull", "--queue", "my-calls=SecretReport", "--max", "1")
    run("pull-named", "pull", "--queue", "parcels=ParcelReport", "--max", "1")
    run("pull-empty", "pull", "--uid", seed.UID, "--type", "smsup", "--wait", "1")


def _list(recorder: Recorder) -> None:
    run = recorder.run
    recorder.formats("list", "list")
    run("list-raw-csv", "list", "--raw-csv", "-o", "csv", "--phone", phone(1))
    run("list-masked", "list", "--mask")
    run("list-masked", "list", "--mask", "-o", "csv", "--kind", "SmsUp")
    recorder.formats("list-conflicts", "list", "--conflicts", terminals=FEW)
    run("list-history", "list", "--history")
    recorder.tables("list-history", "list", "--history", "--phone", phone(2), "--phone", phone(3), terminals=FEW)
    run("list-revealed", "list", "-o", "table", "--reveal", "--kind", "SmsUp", "--kind", "SecretReport")
    filters = (
        ("--kind", "signsmsreport"),
        ("--phone", "+86 138-0000-0001"),
        ("--phone", CALL["secret_no"]),
        ("--biz-id", biz_id(2), "--biz-id", biz_id(3)),
        ("--out-id", "order-1001"),
        ("--call-id", "call-1"),
        ("--outcome", "failed", "--outcome", "unknown"),
        ("--code", "DELIVRD", "--limit", "2"),
        ("--source", "mns", "--limit", "1"),
        ("--source", "push"),
        ("--date", "yesterday", "--kind", "SmsUp"),
        ("--since", "2026-11-20T15:00", "--until", "20261120"),
        ("--after", "40", "--limit", "2"),
        ("--follow", "--limit", "1"),
        ("--kind", "SmsReprot"),
        ("--kind", "SmsReprot", "-o", "csv"),
        ("--date", "today", "--since", "3h"),
        ("--phone", ""),
    )
    for words in filters:
        run("list-filters", "list", *map(str, words))
    run("list-filters", "list", "--phone", "-", stdin=f"{phone(3)}\n{phone(4)}\n".encode())
    run("list-newest", "list", "-o", "table", "--limit", "3")
    run("list-newest", "list", "-o", "table", "--after", "40", "--limit", "3")


def _show(recorder: Recorder) -> None:
    recorder.formats("show-phone", "show", phone(1))
    recorder.formats("show-biz-id", "show", biz_id(2), terminals=FEW)
    recorder.formats("show-call-id", "show", "call-1")
    run = recorder.run
    run("show-revealed", "show", "call-1", "-o", "table", "--reveal")
    run("show-others", "show", "order-1003")
    run("show-others", "show", "call-3", "--mask")
    run("show-others", "show", str(CALL["peer_no"]))
    run("show-others", "show", "-", stdin=phone(4).encode())
    run("show-others", "show", "nothing-has-this-id")
    recorder.formats("explain", "explain", "MOBILE_IN_BLACK")
    for code in ("delivrd", "16", "isv.BUSINESS_LIMIT_CONTROL", "NO_SUCH_CODE"):
        run("explain-others", "explain", code)


def _status(recorder: Recorder) -> None:
    recorder.formats("status", "status")
    run = recorder.run
    run("status-age", "status", "--max-age", "1h", "--kind", "SmsReport")
    run("status-age", "status", "--max-age", "1h", "--kind", "SmsReport", "--kind", "ParcelReport", "--kind", "Other")
    run("status-empty", "status", "--store", "none.db")
    run("status-empty", "status", "--store", "none.db", "-o", "table", "--max-age", "2d")


def _stats(recorder: Recorder) -> None:
    day = ("--date", "2026-11-20")
    recorder.formats("stats", "stats", *day)
    recorder.formats("stats-by-carrier", "stats", *day, "--by", "carrier", terminals=FEW)
    run = recorder.run
    run("stats-others", "stats", *day, "--by", "code", "--by", "hour", "--top", "2", "-o", "csv")
    run("stats-others", "stats", *day, "--by", "template")
    run("stats-others", "stats", *day, "--kind", "calls", "-o", "table")
    run("stats-others", "stats", *day, "--by", "pool", "-o", "csv")
    run("stats-others", "stats", *day, "--carrier", "telecom", "-o", "table")
    run("stats-others", "stats", "--from", "2026-11-19", "--to", "2026-11-20", "--compare", "none", "-o", "csv")
    run("stats-others", "stats", "--by", "day", "--by", "hour", "--by", "code")
    run("stats-empty", "stats", "--store", "none.db")
    run("stats-empty", "stats", "--store", "none.db", "-o", "table", "--by", "hour")


def _rejects(recorder: Recorder) -> None:
    run = recorder.run
    found = recorder.objects("rejects", "rejects", "list")
    run("rejects", "rejects", "list", "-o", "csv")
    recorder.tables("rejects", "rejects", "list")
    first, second, third, *_ = (str(reject["id"]) for reject in found)
    recorder.formats("rejects-show", "rejects", "show", first[:12], terminals=FEW)
    run("rejects-show", "rejects", "show", first, "--mask")
    run("rejects-show", "rejects", "show", first, "-o", "table", "--reveal")
    for reject in found[-5:]:
        run("rejects-raw", "rejects", "show", "--raw", str(reject["id"]))
    run("rejects-retry", "rejects", "retry", first, second)
    run("rejects-retry", "rejects", "retry", "--all", "--kind", "SmsUp")
    run("rejects-retry", "rejects", "retry", "--all")
    run("rejects-retry", "rejects", "retry")
    run("rejects-drop", "rejects", "drop", third)
    run("rejects-drop", "rejects", "drop", third, "--yes")
    run("rejects-drop", "rejects", "drop", third, "--yes")
    run("rejects-none", "rejects", "list", "--store", "none.db")


def files(recorder: Recorder) -> None:
    """Replay saved payloads: without storing, into a store, and to an HTTP server."""
    run = recorder.run
    saved = _saved(recorder)
    recorder.formats("replay-dry-run", "replay", "--dry-run", *saved)
    run("replay", "replay", *saved)
    run("replay", "replay", *saved)
    run("replay-forms", "replay", "backup", "--store", "csv.db", "-o", "csv")
    run("replay-forms", "replay", "backup", "--store", "table.db", "-o", "table")
    listed = run("replay-listed", "list")
    run("replay-listed", "replay", "-", "--store", "listed.db", stdin=listed)
    run("replay-listed", "list", "--store", "listed.db", "--history")
    [unclear] = [
        one for one in recorder.objects("replay-rejects", "rejects", "list") if one["reason"] == "kind-unknown"
    ]
    run("replay-rejects", "rejects", "retry", "--kind", "SecretReport", str(unclear["id"]))
    run("replay-rejects", "list", "--call-id", "call-9", "-o", "csv")
    run("replay-errors", "replay", "missing.json")
    run("replay-errors", "replay", "backup", "--batch", "5")
    run("replay-errors", "replay", "backup", "--to", "http://127.0.0.1:1/cb", "--dry-run")
    run("replay-errors", "replay", "backup", "--to", "ftp://127.0.0.1/cb")
    _send(recorder)


def _saved(recorder: Recorder) -> list[str]:
    """Write payloads in every form that replay reads; the last file has elements that cannot be decoded."""
    bodies = [report(n) for n in range(30, 34)]
    packed = [base64.b64encode(json.dumps(report(n)).encode()).decode() for n in (34, 35)]
    unclear = {"pool_key": CALL["pool_key"], "call_id": "call-9"}
    recorder.put("backup/SmsReport/1.ndjson", lines(bodies[:2]))
    recorder.put("backup/array.json", json.dumps([*bodies[2:], REPLY, ENDED], ensure_ascii=False, indent=1))
    recorder.put("backup/base64.txt", "\n".join(packed))
    recorder.put("backup/packed.ndjson.gz", gzip.compress(lines([report(36), report(30)]).encode(), mtime=0))
    recorder.put("mixed.ndjson", f"{lines([report(37), unclear])}{{not json\n[1, 2]\n{lines([report(38)])}")
    return ["backup", "mixed.ndjson"]


def _send(recorder: Recorder) -> None:
    for form in ("json", "csv"):
        with receiver() as (port, received):
            url = f"http://127.0.0.1:{port}/cb/{{kind}}"
            recorder.run("replay-to", "replay", "backup", "mixed.ndjson", "--to", url, "--batch", "3", "-o", form)
            recorder.note("replay-to", "received", b"\n".join(received))
    with receiver() as (port, received):
        url = f"http://127.0.0.1:{port}/cb"
        recorder.run("replay-to", "replay", "mixed.ndjson", "--to", url, "-o", "table")
        recorder.run("replay-to", "replay", "mixed.ndjson", "--to", url, "-o", "table", env=TERMINALS[-1])
        recorder.run("replay-to-masked", "replay", "mixed.ndjson", "--to", url, "--mask", "-v")
        recorder.note("replay-to-masked", "received", received[-1])
    with receiver(status=500) as (port, _):
        refused = ("--to", f"http://127.0.0.1:{port}/cb", "--retry-scale", "0")
        recorder.run("replay-to-refused", "replay", "backup/base64.txt", *refused)
        recorder.run("replay-to-refused", "replay", "backup/base64.txt", *refused, "-o", "table")


def pushes(recorder: Recorder) -> None:
    """Push receipts to the listener; record its answers and what it prints."""
    recorder.put("push.secret", f"{SECRET}\n")
    both = [report(40), report(41, **seed.FAILED)]
    posts: tuple[tuple[str, str, object], ...] = (
        ("GET", f"/{SECRET}/SmsReport", b""),
        ("POST", f"/{SECRET}/SmsReport", both),
        ("POST", f"/{SECRET}/SmsReport", both),
        ("POST", f"/{SECRET}", [REPLY, ENDED]),
        ("POST", f"/{SECRET}/secretstartreport", [CALL]),
        ("POST", f"/{SECRET}/ParcelReport", [{"parcel": "YT1"}]),
        ("POST", f"/{SECRET}/SmsReport", b"{not json"),
        ("POST", f"/{SECRET}/SmsReport", b"[]"),
        ("POST", "/wrong/SmsReport", both),
        ("GET", "/healthz", b""),
        ("PUT", f"/{SECRET}/SmsReport", b"[]"),
    )
    words = ("listen", "--bind", "127.0.0.1:0", "--metrics-bind", "off", "--secret-file", "push.secret")
    for form in ("json", "csv", "table"):
        recorder.environment["SMSRECEIPT_STORE"] = f"{form}.db"
        with recorder.background(f"listen-{form}", *words, "-o", form, ready="; secrets from ") as printed:
            host = printed.split("listening on ", 1)[1].split(";", 1)[0]
            until(lambda host=host: ask(host, "GET", "/healthz")[0] == 200)  # type: ignore[misc]  # 503 until its store is open
            for method, path, body in posts:
                content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
                status, answer = ask(host, method, path, content)
                recorder.note(f"listen-{form}-answers", f"{method} {path}", b"%d %s" % (status, answer))
    recorder.run("listen-kept", "list", "--history")
    recorder.run("listen-kept", "rejects", "list")


def ledger(recorder: Recorder) -> None:
    """Import sends, query the provider about them, and reconcile."""
    with recorder.provider("sandbox", "--load", recorder.put("past.ndjson", seed.sends())):
        _import(recorder)
        _query(recorder)
        _reconcile(recorder)
    recorder.run("sends-forget", "sends", "forget", "--phone", phone(10))
    recorder.run("sends-forget", "sends", "forget", "--phone", "-", "--yes", stdin=phone(10).encode())
    recorder.run("sends-forget", "sends", "forget", "--before", "2026-10-10", "--yes")
    recorder.run("sends-forget", "sends", "forget")
    recorder.run("sends-forget", "sends", "list", "--phone", phone(10), "-o", "csv")


def _import(recorder: Recorder) -> None:
    run = recorder.run
    sent = recorder.put("sent.csv", seed.SENT_CSV)
    run("sends-import", "sends", "import", sent)
    run("sends-import", "sends", "import", sent, "-q")
    mapped = ("--map", "phone=mobile,biz_id=Bid", "--map", "sent_at=created")
    run("sends-import", "sends", "import", *mapped, recorder.put("sent.ndjson", seed.SENT_JSON))
    run("sends-import", "sends", "import", "-", stdin=seed.SENT_LOG.encode())
    run("sends-import", "sends", "import", "--map", "phone:mobile", sent)
    run("sends-import", "sends", "import", recorder.put("array.json", "[]"))
    run("sends-import", "sends", "import", recorder.put("other.csv", "a,b\n1,2\n"))
    run("sends-import", "sends", "import", "missing.csv")
    came = [report(20, send_time="2026-11-20 10:00:00"), report(60, **seed.UNDECIDED, out_id="")]
    recorder.put("came.ndjson", lines([*came, CALL, CALL | {"call_id": "call-2"}, ENDED]))
    run("sends-import", "replay", "came.ndjson")
    recorder.formats("sends-list", "sends", "list")
    run("sends-list-filters", "sends", "list", "--state", "with_receipt")
    run("sends-list-filters", "sends", "list", "--date", "yesterday", "--state", "open", "--limit", "2", "-o", "csv")
    run("sends-list-filters", "sends", "list", "--out-id", "order-1011", "--mask")
    run("sends-list-filters", "sends", "list", "--biz-id", "none")
    run("sends-list-filters", "sends", "list", "-o", "table", "--limit", "2")
    recorder.formats("show-send", "show", phone(11), terminals=FEW)
    run("status-sends", "status")
    run("status-sends", "status", "-o", "table")


def _query(recorder: Recorder) -> None:
    run = recorder.run
    asked = ("query-details", "--date", "yesterday", "--phone", phone(10), "--phone", phone(11))
    recorder.formats("query-details", *asked, "--phone", phone(99))
    numbers = recorder.put("numbers.txt", f"{phone(12)}\n{phone(13)}\n\n{phone(14)}\n")
    run("query-details-others", "query-details", "--date", "20261120", "--phones-from", numbers)
    run("query-details-others", "query-details", "--date", "20261120", "--phone", phone(14), "--biz-id", biz_id(15))
    run("query-details-others", "query-details", "--date", "20261120", "--phone", phone(13), "-o", "csv")
    run("query-details-others", *asked, "--mask")
    run("query-details-others", "query-details", "--date", "2026-10-21", "--phone", phone(10))
    run("query-details-others", "query-details", "--date", "yesterday", "--phone", "12")
    run("query-details-others", "query-details", "--date", "yesterday")
    saved = {"SMSRECEIPT_STORE": "saved.db"}
    run("query-details-save", *asked, "--phone", phone(99), "--save", env=saved)
    run("query-details-save", *asked, "--phone", phone(99), "--save", env=saved)
    run("query-details-save", "query-details", "--date", "20261120", "--phone", phone(14), "--biz-id", biz_id(15),
        "--save", env=saved)  # fmt: skip
    run("query-details-save", "list", "--history", env=saved)
    run("query-details-save", "sends", "import", "sent.csv", env=saved)
    run("query-details-save", "list", "--history", env=saved)
    recorder.formats("query-stats", "query-stats", "--from", "2026-11-19", "--to", "yesterday")
    run("stats-provider", "stats", "--date", "yesterday", "--provider", "-o", "table")
    run("stats-provider", "stats", "--date", "yesterday", "--by", "template", "-o", "csv")


def _reconcile(recorder: Recorder) -> None:
    """Reconcile once per output format, each time in a fresh copy of the store, which reconcile changes."""
    run = recorder.run
    days = ("reconcile", "--from", "2026-10-01", "--to", "today")
    recorder.formats("reconcile-dry-run", *days, "--dry-run", terminals=FEW)
    run("reconcile-dry-run", *days, "--dry-run", "--details", "-")
    for name, words, terminal in _terminals():
        shutil.copy(recorder.folder / "receipts.db", recorder.folder / f"{name}.db")
        run("reconcile", *days, "--workers", "1", *words, "--store", f"{name}.db", env=terminal)
    details = ("--workers", "1", "--details", "-")
    run("reconcile-details", *days, *details)
    run("reconcile-details", *days, *details, "-o", "csv")
    run("reconcile-details", "reconcile", "--date", "yesterday", "--fail-on-missing", "--details", "details.ndjson")
    recorder.note("reconcile-details", "details.ndjson", (recorder.folder / "details.ndjson").read_bytes())
    run("reconcile-after", "list", "--history")
    run("reconcile-after", "sends", "list")
    recorder.formats(
        "reconcile-totals", "reconcile", "--from", "2026-11-19", "--to", "today", "--totals", terminals=FEW
    )
    run("reconcile-totals", "reconcile", "--date", "yesterday", "--totals", "--dry-run")
    run("reconcile-totals", "reconcile", "--date", "2026-11-18")
    recorder.formats("reconcile-calls", "reconcile", "--date", "yesterday", "--calls", terminals=FEW)
    run("reconcile-calls", "reconcile", "--date", "yesterday", "--calls", "--fail-on-missing", "--min-age", "3d")
    run("reconcile-errors", "reconcile")
    run("reconcile-errors", "reconcile", "--date", "2026-11-22")
    run("reconcile-errors", "reconcile", "--from", "today", "--to", "yesterday")


def _terminals() -> Iterator[tuple[str, tuple[str, ...], dict[str, str]]]:
    yield "json", ("--json",), {}
    yield "csv", ("-o", "csv"), {}
    for n, terminal in enumerate(TERMINALS):
        yield f"table-{n}", ("-o", "table"), terminal


def settings(recorder: Recorder) -> None:
    """Record the configuration, the completion scripts, and the exit codes of typical errors."""
    run = recorder.run
    run("version", "--version")
    for shell in ("bash", "zsh", "fish"):
        run(f"completion-{shell}", "completion", shell)
    run("config-init", "config", "init", "--config", "first.toml")
    run("config-init", "config", "init", "--config", "first.toml")
    recorder.note("config-init", "first.toml", (recorder.folder / "first.toml").read_bytes())
    run("config-init", "config", "init", "--config", "all.toml", "--full")
    recorder.note("config-init", "all.toml", (recorder.folder / "all.toml").read_bytes())
    run("config-default", "config", "show")
    file = recorder.put(
        "smsreceipt.toml",
        'store = "other.db"\nmask = true\n[queues]\n"my-calls" = "SecretReport"\n'
        '[pull]\nworkers = 8\n[endpoints]\nmns = "mns.example.com"\n',
    )
    run("config-show", "config", "show", "--store", "given.db")
    run("config-show", "config", "show", "--store", "given.db", "-o", "csv")
    run("config-show", "config", "show", "--store", "given.db", "-o", "table")
    run("config-show", "config", "show", "--store", "given.db", "-o", "table", env=TERMINALS[-1])
    run("config-show", "config", "show", env={"SMSRECEIPT_PULL_WAIT": "0", "SMSRECEIPT_VERBOSE": "1"})
    (recorder.folder / file).unlink()
    _errors(recorder)


def _errors(recorder: Recorder) -> None:
    run = recorder.run
    run("errors-store", "replay", recorder.put("kept.ndjson", lines([report(1)])))
    store = (recorder.folder / "receipts.db").read_bytes()
    damaged = recorder.put("damaged.db", store[: len(store) // 2])
    text = recorder.put("text.db", "no store at all\n" * 100)
    usage: tuple[tuple[str, ...], ...] = (
        ("lst",),
        ("list", "--nope"),
        ("list", "--limit", "0"),
        ("list", "-o", "xml"),
        ("list", "--date", "someday"),
        ("list", "--mask", "--reveal"),
        ("list", "--config", "missing.toml"),
        ("explain",),
        ("pull",),
        ("pull", "--queue", "my-calls"),
        ("pull", "--uid", "1"),
        ("rejects", "show", "beef"),
        ("sandbox", "--fault", "wind=1"),
        ("query-details", "--phone", "13800000001"),
        ("completion", "tcsh"),
    )
    for words in usage:
        run("errors-usage", *words)
    run("errors-config", "list", "--config", recorder.put("bad.toml", "stor = 1\n"))
    run("errors-config", "list", "--config", recorder.put("torn.toml", "[queues\n"))
    run("errors-store", "list", "--store", "mysql://user:secret@db/receipts")
    run("errors-store", "list", "--store", "home")
    run("errors-store", "list", "--store", "no/such/folder/receipts.db")
    run("errors-store", "replay", "bad.toml", "--store", "no/such/folder/receipts.db")
    run("errors-store", "list", "--store", damaged)
    run("errors-store", "list", "--store", text)
    run("errors-key", "pull", "--queue", queue("SmsUp"))
    run("errors-key", "query-details", "--date", "today", "--phone", phone(1), "--profile", "none")
    with recorder.provider("sandbox"):
        sms_up = ("pull", "--queue", queue("SmsUp"), "--wait", "0")
        run("errors-provider", *sms_up, env={"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "wrong"})
        run("errors-provider", *sms_up, env={"ALIBABA_CLOUD_ACCESS_KEY_ID": "unknown"})
        run("errors-provider", "pull", "--queue", f"{queue('SmsUp')}-missing")
        run("errors-provider", "pull", "--queue", f"{queue('SmsUp')}-missing", "--json", "-q")
        run("errors-provider", "query-stats", "--from", "today", env={"ALIBABA_CLOUD_ACCESS_KEY_ID": "unknown"})
        run("errors-provider", *sms_up, env={"SMSRECEIPT_MNS_ENDPOINT": "http://mns.example.com"})


SCENARIOS: Mapping[str, Callable[[Recorder], None]] = {
    "receipts": receipts,
    "ledger": ledger,
    "files": files,
    "pushes": pushes,
    "settings": settings,
}
