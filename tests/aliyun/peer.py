"""A peer on loopback that plays a script, byte by byte, and certificates for it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from smsreceipt.aliyun.endpoints import Endpoint

Script = Callable[[socket.socket], None]


@contextmanager
def serving(*scripts: Script, tls: ssl.SSLContext | None = None) -> Iterator[tuple[Endpoint, list[bytes]]]:
    """The peer's endpoint and the first request on each connection; it plays one script a connection."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            for script in scripts:
                plain, _ = server.accept()
                with tls.wrap_socket(plain, server_side=True) if tls else plain as connection:
                    asked.append(connection.recv(65536))
                    script(connection)

        thread = threading.Thread(target=run)
        thread.start()
        yield Endpoint("127.0.0.1", server.getsockname()[1], tls=tls is not None), asked
        thread.join()


def says(*pieces: bytes) -> Script:
    """Send *pieces*, then end the connection."""

    def play(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return play


def certify(path: Path, address: str = "127.0.0.1", days: int = 1, names: Sequence[str] = ()) -> Path:
    """A key and a self-signed certificate for *address* and *names*, valid for *days* days, in the file *path*."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    proven = [x509.IPAddress(ip_address(address)), *map(x509.DNSName, names)]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(proven), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(plain + made.public_bytes(Encoding.PEM))
    return path
