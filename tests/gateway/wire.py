"""The wire: HTTP and WebSocket as a client that may say anything writes them, and reads what comes back.

It keeps to no rule of either protocol unless the caller does.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import struct
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
HANDSHAKE = (
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", base64.b64encode(b"0123456789abcdef").decode()),
    ("Sec-WebSocket-Version", "13"),
)
PATIENCE = 15.0  # seconds in which a server must have answered


Result = TypeVar("Result")


class Closed(Exception):
    """The server has ended the connection."""


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Wire:
    """A connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, url: str, *, source: str = "", receive_buffer: int = 0, tls: Any = None) -> Wire:
        """Connect to a server. source: the own address; receive_buffer: of the socket, bytes."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 0
        plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            plain.bind((source, 0))
        plain.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(plain, (host, port))
            named = {"ssl": tls, "server_hostname": host} if tls is not None else {}
            reader, writer = await asyncio.open_connection(sock=plain, limit=1 << 24, **named)
        except BaseException:
            plain.close()
            raise
        return cls(reader, writer)

    def close(self, *, rudely: bool = False) -> None:
        """End it; rudely: without a goodbye."""
        with contextlib.suppress(OSError, RuntimeError):
            if rudely:
                self.writer.transport.abort()
            else:
                self.writer.close()

    async def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except (OSError, RuntimeError) as error:
            raise Closed(str(error)) from error

    # --- HTTP ---

    async def answer(self, method: str = "GET", patience: float = PATIENCE) -> Answer:
        """The next answer over HTTP."""
        async with asyncio.timeout(patience):
            status, headers = await self._head()
            while status == 100:
                status, headers = await self._head()
            length = int(headers.get("content-length", "0"))
            with _Told():
                if method == "HEAD" or status in (101, 204, 304):
                    return Answer(status, headers, b"")
                if headers.get("transfer-encoding") == "chunked":
                    return Answer(status, headers, await self._chunks())
                return Answer(status, headers, await self.reader.readexactly(length))

    async def _head(self) -> tuple[int, dict[str, str]]:
        with _Told():
            head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return int(first.split(" ")[1]), headers

    async def _chunks(self) -> bytes:
        whole = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            whole += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return whole

    # --- WebSocket ---

    async def upgrade(self, target: str, headers: Sequence[tuple[str, str]] = HANDSHAKE) -> Answer:
        """Ask for a WebSocket, and what the server says to it."""
        await self.send(request("GET", target.encode(), headers))
        return await self.answer()

    async def frame(self, patience: float = PATIENCE) -> tuple[int, bytes]:
        """The next frame: its opcode and what it holds."""
        async with asyncio.timeout(patience):
            with _Told():
                first, second = await self.reader.readexactly(2)
                length = second & 127
                if length >= 126:
                    size, form = (2, "!H") if length == 126 else (8, "!Q")
                    (length,) = struct.unpack(form, await self.reader.readexactly(size))
                return first & 15, await self.reader.readexactly(length)

    async def text(self, patience: float = PATIENCE) -> str:
        """The next text; pings are answered before it."""
        while True:
            opcode, held = await self.frame(patience)
            if opcode == TEXT:
                return held.decode()
            if opcode == PING:
                await self.send(frame(held, PONG))
            if opcode == CLOSE:
                raise Closed(f"close frame {held!r}")

    async def rest(self, patience: float) -> bytes:
        """All that still comes until the server ends the connection, or until nothing came for a while."""
        whole = b""
        try:
            async with asyncio.timeout(patience):
                while piece := await self.reader.read(65_536):
                    whole += piece
        except TimeoutError:
            return whole
        except OSError:
            pass
        return whole + b"<end>"


def run(play: Coroutine[Any, Any, Result]) -> Result:
    """Run something to its end, the goodbyes of its connections included."""

    async def whole() -> Result:
        try:
            return await play
        finally:
            await asyncio.sleep(0.02)

    return asyncio.run(whole())


def request(
    method: str, target: bytes, headers: Sequence[tuple[str, str]] = (), body: bytes | None = None, host: str = "x"
) -> bytes:
    """A request as bytes; its length is told when there is a body."""
    named = [("Host", "127.0.0.1" if host == "x" else host), *headers]
    if body is not None:
        named.append(("Content-Length", str(len(body))))
    lines = "".join(f"{name}: {value}\r\n" for name, value in named).encode("latin-1", "replace")
    return method.encode() + b" " + target + b" HTTP/1.1\r\n" + lines + b"\r\n" + (body or b"")


def frame(
    held: bytes, opcode: int = TEXT, *, final: bool = True, masked: bool = True, reserved: int = 0, length: int = -1
) -> bytes:
    """A frame of a client. length: that it claims to have; reserved: its three bits."""
    told = len(held) if length < 0 else length
    first = (0x80 if final else 0) | (reserved << 4) | opcode
    mask = 0x80 if masked else 0
    if told < 126:
        head = bytes([first, mask | told])
    elif told < 65_536:
        head = bytes([first, mask | 126]) + struct.pack("!H", told)
    else:
        head = bytes([first, mask | 127]) + struct.pack("!Q", told & (2**64 - 1))
    if not masked:
        return head + held
    return head + b"\0\0\0\0" + held  # a mask of zeros is one


class _Told:
    """The end of a connection as one error."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, (asyncio.IncompleteReadError, OSError)) and not isinstance(error, TimeoutError):
            raise Closed(repr(error)) from error
