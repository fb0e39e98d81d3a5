"""A bug that cannot be planted would be caught for the wrong reason."""

import os

import pytest

from tests.torture import planted


@pytest.mark.parametrize("bug", planted.BUGS)
def test_every_bug_can_be_planted(bug: str) -> None:
    child = os.fork()
    if not child:  # what is planted stays there
        try:
            planted.plant(bug)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
