"""Phone numbers are found in whatever form they are encoded, and nothing is taken for a part of a longer number."""

from __future__ import annotations

import base64
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
    ],
)
def test_a_number_is_found(text: str) -> None:
    assert NUMBER in mentioned(text.encode())
    assert NUMBER in mentioned(text.encode("utf-16"))


@pytest.mark.parametrize("text", ["", "900013800008000000^0", "1380000800", "138000080001", "1 3800008000", "\0\0\0"])
def test_a_part_of_a_longer_number_is_not(text: str) -> None:
    assert NUMBER not in mentioned(text.encode())


def test_international_numbers_are_found_in_their_normal_form() -> None:
    assert "85212345678" in mentioned(b'{"to":"0085212345678"}')
    assert "85212345678" in mentioned(b'{"to":"+85212345678"}')
