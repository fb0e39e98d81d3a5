"""A server with TLS and a certificate authority of its own: what verify-full lets in, what it refuses, and how."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from smsreceipt.errors import StoreUnavailable
from tests import postgres
from tests.store.statements import decoded, report

pytestmark = [pytest.mark.slow, pytest.mark.needs("postgres", "postgres-tls")]
if postgres.available():
    from tests.torture.postgres_server import Server, opened


def authority(folder: Path, name: str) -> Path:
    """The certificate of a new authority."""
    made = folder / f"{name}.crt"
    openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", f"/CN={name}", "-keyout", str(folder / f"{name}.key"), "-out", str(made),
    )  # fmt: skip
    return made


def certificate(folder: Path, name: str, by: Path, names: str) -> tuple[Path, Path]:
    """A certificate for these names that the authority signed, and its key."""
    made, key, asked = folder / f"{name}.crt", folder / f"{name}.key", folder / f"{name}.csr"
    openssl(
        "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
        "-addext", f"subjectAltName={names}", "-keyout", str(key), "-out", str(asked),
    )  # fmt: skip
    openssl(
        "x509", "-req", "-in", str(asked), "-CA", str(by), "-CAkey", str(by.with_suffix(".key")), "-CAcreateserial",
        "-copy_extensions", "copy", "-days", "2", "-out", str(made),
    )  # fmt: skip
    return made, key


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def ours(folder: Path) -> Path:
    return authority(folder, "ours")


@pytest.fixture(scope="module")
def server(folder: Path, ours: Path) -> Iterator[Server]:
    server = Server(binaries=postgres.with_tls())
    for name, made in zip(("cert", "key"), certificate(folder, "db", ours, "DNS:localhost"), strict=True):
        copy = server.folder / f"server.{name}"
        copy.write_bytes(made.read_bytes())
        copy.chmod(0o600)
        server.own(copy)
        server.settings[f"ssl_{name}_file"] = str(copy)
    server.settings["ssl"] = "on"
    with server:
        yield server


def url(server: Server, host: str = "localhost", **parameters: object) -> str:
    said = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"postgresql://postgres@{host}:{server.port}/postgres?{said}"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No authorities of the user who runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("PGSSLMODE", "PGSSLROOTCERT"):
        monkeypatch.delenv(name, raising=False)


def test_verify_full_lets_in_a_server_that_its_authority_proves(server: Server, ours: Path) -> None:
    with closing(opened(url(server, sslmode="verify-full", sslrootcert=ours))) as store:
        assert store.keep([decoded(report())]).tally.new == 1
        told = store._reader.rows("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert told == [(True,)]


@pytest.mark.parametrize(
    ("host", "mode", "by", "reason"),
    [
        ("localhost", "verify-full", "theirs", "signed by no authority in sslrootcert"),
        ("localhost", "verify-ca", "theirs", "signed by no authority in sslrootcert"),
        ("127.0.0.1", "verify-full", "ours", "for another name than the one in the URL"),
        ("localhost", "verify-full", "no-such-file", "is missing or cannot be read"),
        ("localhost", "verify-full", "", "is missing or cannot be read"),
    ],
)
def test_a_server_that_is_not_proven_is_refused_and_the_reason_told(
    server: Server, folder: Path, ours: Path, host: str, mode: str, by: str, reason: str
) -> None:
    found = {"ours": ours, "theirs": authority(folder, "theirs"), "no-such-file": folder / "no-such-file"}
    more = {"sslrootcert": found[by]} if by else {}
    with pytest.raises(StoreUnavailable, match=reason) as caught:
        opened(url(server, host, sslmode=mode, **more))
    assert caught.value.exit_code == 6
    assert "\n" not in str(caught.value)


def test_a_server_without_tls_is_refused_where_tls_is_asked_for(ours: Path) -> None:
    with Server() as plain, pytest.raises(StoreUnavailable, match="offers no TLS") as caught:
        opened(url(plain, sslmode="verify-full", sslrootcert=ours))
    assert caught.value.exit_code == 6
