"""Checks of this machine: version, terminal, configuration, store, disk, secret file. They call the store only."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from pathlib import Path

from smsreceipt import __version__
from smsreceipt.aliyun.endpoints import DEFAULTS
from smsreceipt.app import App
from smsreceipt.errors import SmsReceiptError
from smsreceipt.forward import signature
from smsreceipt.insight.outages import Verdict
from smsreceipt.language import of_system
from smsreceipt.model import DAY_MS, Instant, beijing_day, nearest
from smsreceipt.output.formatting import ago, size
from smsreceipt.runs import outages
from smsreceipt.runs.doctor.finding import Once, Result, fail, failed, ok, own_hint, skipped, warn
from smsreceipt.runs.figure_settings import thresholds
from smsreceipt.sources.push.secrets import PushSecrets
from smsreceipt.store import Recent, StoreFacts, opening
from smsreceipt.store.sums import growth

LEAST_FREE = 64 << 20  #: bytes, the default of --min-free
_EVERY_KEY = (
    "Correct it; this writes a file with every key and its values: smsreceipt config init --full --config new.toml",
    "请改正；写出含所有键及其取值的文件：smsreceipt config init --full --config new.toml",
)
_SOON = 14  # days until the disk is full from which on a person should look
_LATELY = 7 * DAY_MS  # by which the growth of the store is measured
_NEWEST = 10_000  # statements among which the last one by each way is looked for


def versions() -> Result:
    """The versions that a report of a bug needs."""
    named = f"smsreceipt {__version__}, Python {platform.python_version()}, {platform.system()} {platform.release()}"
    return ok(named, named)


def locale(app: App) -> Result:
    """Whether the terminal can show Chinese texts."""
    name = next((app.environ[each] for each in ("LC_ALL", "LC_CTYPE", "LANG") if app.environ.get(each)), "")
    encoding = app.encoding.lower()
    fix = ("export LANG=C.UTF-8 (or en_US.UTF-8, zh_CN.UTF-8)", "export LANG=zh_CN.UTF-8（或 C.UTF-8）")
    if not encoding.replace("-", "").startswith("utf"):
        return warn(
            (
                f"the encoding is {encoding}: texts that it lacks show as escapes",
                f"编码是 {encoding}，显示不了的文字会变成转义符",
            ),
            fix,
        )
    if app.stdout_is_tty and name.partition(".")[0] in {"C", "POSIX"} and "utf" not in name.lower():
        return warn(
            (f"the locale is {name}: the terminal may not show Chinese", f"区域设置是 {name}，终端可能无法显示中文"),
            fix,
        )
    shown = name or "-"
    return ok(f"{encoding}, {shown}", f"{encoding}，{shown}")


def configuration(app: App) -> Result:
    """Whether there is a configuration, and it can be read."""
    if (fault := app.config_fault) is not None:
        return failed(fault, own_hint(fault) if fault.hint else _EVERY_KEY)
    if app.config.path is None:
        return ok("no file: options, environment and defaults", "没有配置文件：使用选项、环境变量和默认值")
    queues = len(app.config.queues)
    return ok(f"{app.config.path}, {queues} queue{'s' if queues != 1 else ''}", f"{app.config.path}，{queues} 个队列")


def environment(app: App, options: Mapping[str, Callable[[str], str | None]]) -> Result:
    """Whether each variable of the program sets something, and to a valid value.

    *options*: the variables of all options, and what tells what is wrong with the text of each.
    """
    found = [name for name in app.environ if name.startswith("SMSRECEIPT_")]
    for name in found:
        if name in options and (fault := options[name](app.environ[name])):
            return fail((f"{name}: {fault}",) * 2, (f"Correct it, or: unset {name}", f"请改正，或：unset {name}"), 2)
    known = {*options, signature.VARIABLE, *(f"SMSRECEIPT_{name.upper()}_ENDPOINT" for name in DEFAULTS)}
    unknown = [name for name in found if name not in known and not name.startswith("SMSRECEIPT_TEST_")]
    if not unknown:
        return ok(f"{len(found)} variable{'s' if len(found) != 1 else ''}", f"{len(found)} 个变量")
    near = nearest(unknown[0], known)
    fix = (f"Did you mean {near}?", f"是否应为 {near}？") if near else (f"unset {unknown[0]}",) * 2
    return warn((f"{', '.join(unknown)} sets nothing", f"{'、'.join(unknown)} 不起作用"), fix)


class StoreChecks:
    """Checks of the store, which is opened once, for reading."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._read = Once(self._facts)

    def store(self) -> Result:
        """Whether the store can be opened, is sound, can be written to, and is closed to other users."""
        try:
            facts, _ = self._read()
            location = self.app.store_location
            opening.refuse_unwritable(location)
        except SmsReceiptError as exc:
            return failed(exc)
        if exposed := opening.exposed(location):
            return warn(
                (f"other users can read {exposed}", f"其他用户可以读取 {exposed}"),
                (f"chmod 600 {exposed}", f"chmod 600 {exposed}"),
            )
        if not facts.exists:
            return ok(
                f"{location} is not there yet; pull or listen makes it", f"{location} 尚不存在，pull 或 listen 会创建"
            )
        count = f"{facts.receipts:,}"
        return ok(
            f"{location}, {facts.engine}, {count} messages; when it was backed up last is not known",
            f"{location}，{facts.engine}，{count} 条消息；上次备份的时间未知",
        )

    def disk(self) -> Result:
        """Whether the disk of the store has room for what comes."""
        app = self.app
        try:
            free = opening.free_bytes(app.store_location)
            facts, recent = self._read()
        except SmsReceiptError as exc:
            return skipped(f"the store cannot be read: {exc}", f"存储无法读取：{exc}")
        if free is None:
            return skipped("the database does not tell", "数据库不提供")
        if free < LEAST_FREE:
            return fail(
                (f"{size(free)} free: pull and listen refuse to start", f"剩余 {size(free)}：pull 和 listen 拒绝启动"),
                (
                    "Free space on that disk, or move the store: --store FILE",
                    "请清理磁盘，或把存储移到别处：--store FILE",
                ),
                6,
            )
        grown = growth(facts, recent.first_seq, Instant(app.now() - _LATELY), app.now(), free)
        if grown.days_left is not None and grown.days_left < _SOON:
            days = grown.days_left
            return warn(
                (f"{size(free)} free: full in {days} days as of now", f"剩余 {size(free)}，照目前速度 {days} 天后写满"),
                ("Free space on that disk, or move the store to a larger one", "请清理磁盘，或把存储移到更大的磁盘"),
            )
        days_left = "" if grown.days_left is None else f"{grown.days_left:,}"
        return ok(
            f"{size(free)} free" + (f", enough for {days_left} days" if days_left else ""),
            f"剩余 {size(free)}" + (f"，够用 {days_left} 天" if days_left else ""),
        )

    def receipts(self) -> Result:
        """When something came last, and by which ways."""
        app = self.app
        try:
            facts, recent = self._read()
        except SmsReceiptError as exc:
            return skipped(f"the store cannot be read: {exc}", f"存储无法读取：{exc}")
        last = max((kind.last_received_at for kind in facts.kinds), default=None)
        if last is None:
            return ok("none has been received yet", "还没有收到过")
        lately = [each for each in recent.origins if each.last_received_at is not None]
        queues = sum(each.source == "mns" for each in lately)
        english, chinese = ago(last, app.now()), ago(last, app.now(), chinese=True)
        return ok(
            f"the last came {english}; lately by {queues} queues and {len(lately) - queues} callback paths",
            f"最近一条在 {chinese}；近来经由 {queues} 个队列、{len(lately) - queues} 个回调路径",
        )

    def outages(self) -> Result:
        """Whether receipts of yesterday and today are lost."""
        app, limits = self.app, thresholds(self.app.config.table(("stats",)))
        today = beijing_day(app.now())
        try:
            self._read()
            with app.open_store(readonly=True) as store:
                rows = outages.found(store, today - 1, today, app.now(), limits)
        except SmsReceiptError as exc:
            return skipped(f"the store cannot be read: {exc}", f"存储无法读取：{exc}")
        lost = sum(row.verdict is Verdict.LOST for row in rows)
        if not lost:
            return ok("nothing lost since yesterday", "昨天以来没有丢失")
        return warn(
            (
                f"receipts were lost in {lost} window{'s' if lost > 1 else ''} since yesterday",
                f"昨天以来有 {lost} 个时段丢失回执",
            ),
            ("smsreceipt outages --from yesterday --to today",) * 2,
        )

    def secret_file(self) -> Result:
        """Whether the file with the secrets of callback URLs can be used by `listen`, and by nobody else."""
        try:
            path = secret_path(self.app)
            if path.is_symlink() and not path.exists():
                return fail(
                    (f"{path} is a symbolic link that leads nowhere", f"{path} 是指向不存在文件的符号链接"),
                    (
                        "Is its disk mounted? Else remove the link; listen makes the file",
                        "对应的磁盘是否已挂载？否则请删除该链接，listen 会创建文件",
                    ),
                    2,
                )
            if not path.exists():
                return ok("none yet; listen makes it", "尚不存在，listen 会创建")
            secrets = PushSecrets(path)
        except OSError as exc:
            said = of_system(exc)
            return fail((said, said), ("Name another file with --secret-file", "用 --secret-file 指定另一个文件"), 2)
        except SmsReceiptError as exc:
            return failed(exc)
        count = len(secrets())
        return ok(f"{path}, {count} secret{'s' if count != 1 else ''}", f"{path}，{count} 个密钥")

    def _facts(self) -> tuple[StoreFacts, Recent]:
        with self.app.open_store(readonly=True) as store:
            store.check()
            return store.facts(), store.recent(Instant(self.app.now() - _LATELY), _NEWEST)


def secret_path(app: App) -> Path:
    """The file with the secrets that `listen` uses without options."""
    named = app.environ.get("SMSRECEIPT_LISTEN_SECRET_FILE") or app.config.table(("listen",)).get("secret_file")
    return Path(named) if named else opening.secret_file(app.store_location)
