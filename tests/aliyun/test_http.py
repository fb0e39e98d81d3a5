"""The asyncio transport, against peers that answer correctly, drop, truncate, stall, or violate the protocol."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.aliyun import answer, http
from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.faults import BadAnswer, ConnectionLost, TimedOut, TransportError, Unreached, Untrusted
from tests.aliyun.peer import certify

GET = b"GET /queues/Q/messages HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nDate: Thu, 09 Jul 2015 03:01:34 GMT\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Counted:
    """What the peer saw."""

    connections = 0
    requests = 0


def answering(*pieces: bytes, close: bool = False, seen: Counted | None = None) -> Peer:
    """A peer that writes *pieces* one by one after each request."""
    seen = seen or Counted()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        while True:
            try:
                await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                return
            seen.requests += 1
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if close:
                return

    return peer


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something happened that has no event of its own."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


@asynccontextmanager
async def peering(peer: Peer, *, idle: float = 15.0) -> AsyncIterator[http.Pool]:
    """A pool for a listening *peer*."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await peer(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort() if getattr(peer, "reset", False) else writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pool = http.Pool(Endpoint.parse(f"127.0.0.1:{port}"), idle=idle)
    try:
        yield pool
    finally:
        pool.close()
        server.close()
        await server.wait_closed()


def ask(peer: Peer, request: bytes = GET, timeout: float = 5.0) -> answer.Response:
    """One request to *peer*, whole or as its exception."""

    async def run() -> answer.Response:
        async with peering(peer) as pool:
            return await pool.send(request, timeout)

    return asyncio.run(run())


@pytest.mark.parametrize(
    "pieces",
    [(OK,), (OK[:30], OK[30:]), tuple(OK[i : i + 1] for i in range(len(OK))), (CHUNKED,), (CHUNKED[:-4], CHUNKED[-4:])],
    ids=["whole", "two", "bytes", "chunked", "chunked in two"],
)
def test_an_answer_is_whole_however_it_comes(pieces: tuple[bytes, ...]) -> None:
    response = ask(answering(*pieces))
    assert (response.status, response.body) == (200, b"hello")


def test_chunks_may_be_cut_anywhere() -> None:
    for at in range(1, len(CHUNKED)):
        head = answer.read(CHUNKED[:at])
        assert isinstance(head, int)
        assert at < head <= len(CHUNKED) + 1


def test_headers_and_times_are_there_for_who_wants_them() -> None:
    before = time.time()
    response = ask(answering(OK.replace(b"Date:", b"X-MNS-Request-Id:  a b \r\nDATE:")))
    assert response.headers["date"] == "Thu, 09 Jul 2015 03:01:34 GMT"
    assert response.headers["x-mns-request-id"] == "a b"
    assert before <= response.sent_at <= response.received_at <= time.time()


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_some_answers_have_no_body(status: bytes) -> None:
    response = ask(answering(b"HTTP/1.1 " + status + b"\r\nContent-Length: 7\r\n\r\n"))
    assert response.body == b""


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    seen = Counted()
    to = b"HTTP/1.1 302 Found\r\nLocation: http://100.100.100.200/\r\nContent-Length: 0\r\n\r\n"
    assert ask(answering(to, seen=seen)).status == 302
    assert seen.requests == 1


def test_an_error_page_without_a_length_is_known_by_its_status() -> None:
    assert ask(answering(b"HTTP/1.0 502 Bad Gateway\r\nServer: x\r\n\r\n<html>")).status == 502


def test_one_connection_serves_many_requests() -> None:
    seen = Counted()

    async def run() -> None:
        async with peering(answering(OK, seen=seen)) as pool:
            for _ in range(20):
                await pool.send(GET, 5)

    asyncio.run(run())
    assert (seen.connections, seen.requests) == (1, 20)


def test_requests_at_once_have_a_connection_each_and_keep_them() -> None:
    seen = Counted()

    async def run() -> None:
        async with peering(answering(OK, seen=seen)) as pool:
            for _ in range(5):
                await asyncio.gather(*(pool.send(GET, 5) for _ in range(4)))

    asyncio.run(run())
    assert (seen.connections, seen.requests) == (4, 20)


@pytest.mark.parametrize(
    "answer",
    [
        OK.replace(b"Date", b"Connection: close\r\nDate"),
        OK.replace(b"Date", b"connection: Keep-Alive, Close\r\nDate"),
        OK.replace(b"Date", b"Connection: keep-alive\r\nConnection: close\r\nDate"),
        OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ],
    ids=["close", "close in a list", "close beside another", "1.0", "another answer behind it"],
)
def test_a_connection_that_may_not_be_trusted_with_another_request_is_not(answer: bytes) -> None:
    seen = Counted()

    async def run() -> None:
        async with peering(answering(answer, seen=seen)) as pool:
            for _ in range(3):
                assert (await pool.send(GET, 5)).body == b"hello"

    asyncio.run(run())
    assert seen.connections == 3


def test_bytes_that_nobody_asked_for_answer_nothing() -> None:
    async def run() -> None:
        async with peering(pushy) as pool:
            assert (await pool.send(GET, 5)).body == b"hello"
            await until(lambda: not pool._idle)
            assert (await pool.send(GET, 5)).body == b"hello"

    async def pushy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering(OK, close=True, seen=seen)(reader, writer)
        await asyncio.sleep(0.01)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await writer.drain()
        await reader.read()

    seen = Counted()
    asyncio.run(run())
    assert seen.connections == 2


def test_a_connection_closed_while_idle_is_replaced() -> None:
    async def run() -> None:
        async with peering(answering(OK, close=True, seen=seen)) as pool:
            for _ in range(3):
                assert (await pool.send(GET, 5)).status == 200
                await until(lambda: not pool._idle)

    seen = Counted()
    asyncio.run(run())
    assert seen.connections == 3


def test_a_connection_idle_for_long_is_not_used_again() -> None:
    async def run() -> None:
        async with peering(answering(OK, seen=seen), idle=0.0) as pool:
            await pool.send(GET, 5)
            await pool.send(GET, 5)

    seen = Counted()
    asyncio.run(run())
    assert seen.connections == 2


@pytest.mark.parametrize("answer", [OK, CHUNKED], ids=["sized", "chunked"])
def test_an_answer_cut_at_any_byte_is_lost_and_never_asked_for_again(answer: bytes) -> None:
    async def run() -> None:
        for cut in range(len(answer)):
            seen = Counted()
            async with peering(answering(answer[:cut], close=True, seen=seen)) as pool:
                with pytest.raises(ConnectionLost) as lost:
                    await pool.send(GET, 5)
            assert lost.value.sent
            assert seen.requests == 1

    asyncio.run(run())


def test_a_reset_is_a_lost_answer() -> None:
    peer = answering(OK[:20], close=True)
    peer.reset = True  # type: ignore[attr-defined]
    with pytest.raises(ConnectionLost) as lost:
        ask(peer)
    assert lost.value.sent


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 4_000,
        b"HTTP/1.1 100 Continue\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (answer.MAX_BODY + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhelXX",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 20_000,
    ],
)
def test_what_is_not_the_protocol_is_refused(answer: bytes) -> None:
    with pytest.raises(BadAnswer):
        ask(answering(answer))


@pytest.mark.parametrize("final", [OK, CHUNKED])
def test_interim_answers_are_passed_over(final: bytes) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 5\r\n\r\n"
    whole = interim + final
    response, end, keep = answer.read(whole)  # type: ignore[misc]
    alone, _end, keeps = answer.read(final)  # type: ignore[misc]
    assert (response.status, response.body, response.headers) == (alone.status, alone.body, alone.headers)
    assert (end, keep) == (len(whole), keeps)
    for size in range(len(whole)):
        need = answer.read(whole[:size])
        assert isinstance(need, int)
        assert size < need <= len(whole)
    assert ask(answering(whole)).body == alone.body


@given(st.binary(max_size=120), st.integers(0, len(CHUNKED)))
def test_reading_raises_nothing_but_bad_answers(noise: bytes, at: int) -> None:
    for data in (noise, CHUNKED[:at] + noise, OK[:at] + noise):
        with suppress(BadAnswer):
            answer.read(data)


def test_no_answer_in_time() -> None:
    began = time.monotonic()
    with pytest.raises(TimedOut) as late:
        ask(silent, timeout=0.3)  # enough to connect and to send on a busy machine
    assert late.value.sent
    assert time.monotonic() - began < 1


def test_an_answer_that_drips_does_not_extend_its_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while not reader.at_eof():
            writer.write(b"H")
            await asyncio.sleep(0.01)

    with pytest.raises(TransportError):
        ask(drip, timeout=0.1)


def test_nobody_listens() -> None:
    async def run() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            pool = http.Pool(Endpoint.parse(f"127.0.0.1:{taken.getsockname()[1]}"))
            with pytest.raises(ConnectionLost) as lost:
                await pool.send(GET, 5)
            assert not lost.value.sent

    asyncio.run(run())


def test_connecting_has_its_own_time_limit() -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as deaf:  # TCP connects by itself; the TLS handshake never begins
            endpoint = Endpoint("127.0.0.1", deaf.getsockname()[1], tls=True)
            with pytest.raises(Unreached, match="timed out while connecting") as late:
                await http.Pool(endpoint, connect_timeout=0.1).send(GET, 60)
            assert not late.value.sent

    asyncio.run(run())


def test_cancelling_closes_the_connection() -> None:
    async def run() -> None:
        noticed = asyncio.Event()

        async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            noticed.set()

        async with peering(peer) as pool:
            task = asyncio.create_task(pool.send(GET, 60))
            await until(lambda: bool(pool._busy))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(noticed.wait(), 5)
            assert not pool._busy
            assert not pool._idle

    asyncio.run(run())


def test_closing_ends_what_is_under_way() -> None:
    async def run() -> None:
        async with peering(silent) as pool:
            task = asyncio.create_task(pool.send(GET, 60))
            await until(lambda: bool(pool._busy))
            pool.close()
            with pytest.raises(ConnectionLost):
                await task
            pool.close()
            with pytest.raises(ConnectionLost) as lost:
                await pool.send(GET, 5)
            assert not lost.value.sent

    asyncio.run(run())


def test_small_packets_are_not_held_back() -> None:
    async def run() -> None:
        async with peering(answering(OK)) as pool:
            await pool.send(GET, 5)
            transport = pool._idle[0]._transport
            assert transport is not None
            plug = transport.get_extra_info("socket")
            assert plug.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    asyncio.run(run())


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key with a self-signed certificate for 127.0.0.1."""
    return certify(tmp_path_factory.mktemp("tls") / "both.pem")


def over_tls(certificate: Path, trust: ssl.SSLContext | None, *, host: str = "127.0.0.1", old: bool = False) -> bytes:
    async def run() -> bytes:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        if old:
            context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_1
        seen = Counted()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await answering(OK[:40], OK[40:], seen=seen)(reader, writer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        pool = http.Pool(Endpoint(host, server.sockets[0].getsockname()[1], tls=True), tls=trust)
        try:
            await pool.send(GET, 5)
            return (await pool.send(GET, 5)).body
        finally:
            assert seen.connections <= 1
            pool.close()
            server.close()

    return asyncio.run(run())


def test_https_is_spoken_with_who_can_prove_the_name(certificate: Path) -> None:
    assert over_tls(certificate, ssl.create_default_context(cafile=certificate)) == b"hello"


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    with pytest.raises(Untrusted) as refused:
        over_tls(certificate, None)
    assert not refused.value.sent


def test_a_certificate_for_another_name_is_refused(certificate: Path) -> None:
    with pytest.raises(Untrusted):
        over_tls(certificate, ssl.create_default_context(cafile=certificate), host="localhost")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_an_old_tls_is_refused(certificate: Path) -> None:
    with pytest.raises(ConnectionLost) as refused:
        over_tls(certificate, None, old=True)
    assert not refused.value.sent


@pytest.mark.parametrize("size", [1, 7, 16, 1_000, 4_096, 300_000])
@pytest.mark.parametrize("end", [b"0\r\n\r\n", b"000\r\n\r\n", b"0;a=b\r\n\r\n", b"0 \r\nTrailer: x\r\n\r\n"])
def test_a_large_answer_of_any_chunks_is_read_when_its_last_chunk_is_there(size: int, end: bytes) -> None:
    """Also where the packets cut its end: each packet is 32 KiB and a few bytes less than the one before."""
    body = bytes(range(256)) * {1: 120, 7: 400, 16: 600}.get(size, 1_600)
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(part), part) for part in (body[at : at + size] for at in range(0, len(body), size))
    )
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + end
    for cut in (1, 4, len(end)):

        async def feed(cut: int = cut) -> answer.Response:
            waiter: asyncio.Future[answer.Response] = asyncio.get_running_loop().create_future()
            connection = http._Connection([])
            connection._waiter = waiter
            last = len(whole) - cut
            for piece in (*(whole[at : min(at + 32_768, last)] for at in range(0, last, 32_768)), whole[last:]):
                connection.get_buffer(0)[: len(piece)] = piece
                connection.buffer_updated(len(piece))
            assert waiter.done()
            return waiter.result()

        assert asyncio.run(feed()).body == body
