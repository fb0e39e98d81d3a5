from collections.abc import Iterator
from pathlib import Path

import pytest

from smsreceipt.sandbox import Options, Sandbox
from tests.runs.peer import Peer
from tests.runs.trial import Trial


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Options(port=0, seed=1)) as running:
        yield running


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as running:
        yield running
