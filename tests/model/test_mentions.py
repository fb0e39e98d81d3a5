"""Phone numbers are found in whatever form they are encoded, and nothing is taken for a part of a longer number."""

from __future__ import annotations

import base64
import gzip
import json
from urllib.parse import quote

import pytest

from smsreceipt.model.mentions import mentioned

NUMBER = "13800008000"
JSON = f'{{"phone_number":"{NUMBER}","biz_id":"900619746936498440^0"}}'


@pytest.mark.parametrize(
    "text",
    [
        NUMBER,
        JSON,
        f"8613800008000,{NUMBER[:-1]}",
        "+86 138-0000-8000 call me",
        "138 0000 8000",
        "tel:008613800008000;",
        "回复13800008000谢谢",
        JSON.replace(NUMBER, "".join(f"\\u00{ord(digit):02x}" for digit in NUMBER)),
        quote(JSON).replace(NUMBER, "".join(f"%{ord(digit):02X}" for digit in NUMBER)),
        base64.b64encode(JSON.encode()).decode(),
        base64.urlsafe_b64encode(f"?>{JSON}".encode()).decode().rstrip("="),
        base64.b64encode(base64.b64encode(JSON.encode())).decode(),
        f'{{"messageBody":"{base64.b64encode(JSON.encode()).decode()}"}}',
        "１３８０００080００",
        "＋８６　１３８　００００　８０００",
        '{"content":"\\uff11\\uff13\\uff18\\uff10\\uff10\\uff10\\uff10\\uff18\\uff10\\uff10\\uff10"}',
        "138 00008000",
        "1380000 8000",
        "138.0000.8000",
        "(138)0000-8000",
        "138\xa00000\xa08000",
        "138–0000–8000",
        "138  0000  8000",
        "138-000-08000",
        "1 3 8 0 0 0 0 8 0 0 0",
        '"138\\n0000\\n8000"',
        "+86-138-0000-8000 2026-11-20",
        "013800008000",
        json.dumps({"a": json.dumps({"b": "@"}).replace("@", "".join(f"\\u00{ord(digit):02x}" for digit in NUMBER))}),
    ],
)
def test_a_number_is_found(text: str) -> None:
    assert NUMBER in mentioned(text.encode())
    assert NUMBER in mentioned(text.encode("utf-16"))


@pytest.mark.parametrize("text", ["", "900013800008000000^0", "1380000800", "138000080001", "1 3800008000", "\0\0\0"])
def test_a_part_of_a_longer_number_is_not(text: str) -> None:
    assert NUMBER not in mentioned(text.encode())


def test_what_is_compressed_is_looked_into() -> None:
    assert NUMBER in mentioned(gzip.compress(JSON.encode()))
    assert NUMBER in mentioned(base64.b64encode(gzip.compress(JSON.encode())))
    assert mentioned(gzip.compress(JSON.encode())[:12]) == set()


def test_base64_of_digits_may_be_in_capitals_only() -> None:
    number = "15615615615"
    assert base64.b64encode(number.encode()).isupper()
    assert number in mentioned(base64.b64encode(number.encode()))


def test_other_numbers_are_found_with_gaps_too() -> None:
    assert "01012345678" in mentioned(b"call 010-12345678, please")
    assert "057188889999" in mentioned("（0571）8888 9999".encode())
    assert "85212345678" in mentioned(b"+852 1234 5678 20")


@pytest.mark.parametrize(
    "text", ["138-0000-80001", "2138 0000 8000", "138,00008000", '"138","00008000"', "138:0000:8000"]
)
def test_what_only_looks_like_one_is_not(text: str) -> None:
    assert NUMBER not in mentioned(text.encode())


def test_international_numbers_are_found_in_their_normal_form() -> None:
    assert "85212345678" in mentioned(b'{"to":"0085212345678"}')
    assert "85212345678" in mentioned(b'{"to":"+85212345678"}')
