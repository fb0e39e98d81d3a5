"""English and Chinese: who chooses, and what is printed then."""

import errno
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from smsreceipt import language
from smsreceipt.language import N_, _, n_

ZH = {"LANG": "zh_CN.UTF-8"}


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A catalogue of the test's own, with Chinese chosen."""
    texts: dict[str, str] = {}
    monkeypatch.setattr(language._State, "catalogue", texts)
    with language.using("zh"):
        yield texts


@pytest.mark.parametrize(
    ("environ", "chosen"),
    [
        ({}, "en"),
        (ZH, "zh"),
        ({"LANG": "zh_TW"}, "zh"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({**ZH, "LC_MESSAGES": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"),
        ({**ZH, "LC_ALL": "C"}, "en"),
        ({**ZH, "LC_ALL": ""}, "zh"),
        ({"LANGUAGE": "zh_CN:en", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LANGUAGE": "de:en:zh", **ZH}, "en"),
        ({"LANGUAGE": "de", **ZH}, "en"),
        ({"LANGUAGE": "zh", "LC_ALL": "C"}, "en"),
        ({"LANGUAGE": "zh"}, "zh"),
    ],
)
def test_the_locale_chooses(environ: dict[str, str], chosen: str) -> None:
    assert language.of_locale(environ) == chosen


def test_without_a_choice_messages_are_english() -> None:
    assert language.chosen() == "en"
    assert _("{n:,} rows of {file}", n=1200, file="a{b}") == "1,200 rows of a{b}"
    assert _("as it is: {}") == "as it is: {}"
    assert (n_("{n} row", "{n} rows", 1), n_("{n} row", "{n} rows", 0)) == ("1 row", "0 rows")
    assert N_("some text") == "some text"
    with pytest.raises(ValueError, match="de"):
        language.use("de")


def test_messages_are_translated_with_their_values(catalogue: dict[str, str]) -> None:
    catalogue |= {"{n:,} rows of {file}": "{file} 的 {n:,} 行", "{n} row": "{n} 行", "left": "剩余"}
    assert _("{n:,} rows of {file}", n=1200, file="a{b}") == "a{b} 的 1,200 行"
    assert (n_("{n} row", "{n} rows", 1), n_("{n} row", "{n} rows", 7)) == ("1 行", "7 行")
    assert (_("left"), _("right")) == ("剩余", "right")


@pytest.mark.parametrize("bad", ["{file} 行", "{} 行", "{n 行", "{n:q} 行", "{n.a} 行"])
def test_a_bad_translation_ends_no_command(catalogue: dict[str, str], bad: str) -> None:
    catalogue["{n} left"] = bad
    assert _("{n} left", n=3) == "3 left"


def test_threads_speak_the_language_of_the_process(catalogue: dict[str, str]) -> None:
    catalogue["left"] = "剩余"
    told: list[str] = []
    thread = threading.Thread(target=lambda: told.append(_("left")))
    thread.start()
    thread.join()
    assert told == ["剩余"]


def test_threads_that_need_the_catalogue_at_once_all_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, needed = threading.Event(), threading.Event()

    def slow(text: str) -> dict[str, str]:
        reading.set()
        needed.wait(5)
        return {"late": "迟"}

    monkeypatch.setattr(language._State, "catalogue", None)
    monkeypatch.setattr(language, "catalogue_of", slow)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(language.translation, "late")
        reading.wait(5)
        second = threads.submit(language.translation, "late")
        threading.Timer(0.2, needed.set).start()
        assert [first.result(), second.result()] == ["迟", "迟"]


@pytest.mark.parametrize(
    ("exc", "told"),
    [
        (FileNotFoundError(2, "No such file or directory"), "文件或目录不存在"),
        (OSError(errno.EADDRINUSE, "error while attempting to bind: address already in use"), "地址已被占用"),
        (OSError(9999, "what no system says"), "what no system says"),
        (OSError(), "OSError"),
    ],
)
def test_what_the_system_says_comes_in_chinese(exc: OSError, told: str) -> None:
    with language.using("zh"):
        assert language.of_system(exc) == told
