"""POST requests to URLs of the user."""

from __future__ import annotations

import socket
import ssl

import pytest

from smsreceipt.aliyun import posting
from smsreceipt.aliyun.endpoints import Endpoint


def test_only_the_certificates_of_the_system_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[ssl.SSLContext] = []

    def nobody_is_trusted() -> ssl.SSLContext:
        made.append(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        return made[-1]

    monkeypatch.setattr(posting, "tls_context", nobody_is_trusted)
    with socket.create_server(("127.0.0.1", 0)) as door:
        endpoint = Endpoint.parse(f"https://127.0.0.1:{door.getsockname()[1]}")
        with posting.session_to(endpoint, None) as session:
            for _ in range(2):
                with pytest.raises(OSError, match=r"."):
                    posting.post(session, endpoint.url, b"[]", limit=0.2)  # it comes as far as TLS
    [context] = made  # made once, not for each request
    assert context.cert_store_stats()["x509_ca"] == 0
