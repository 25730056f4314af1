"""Small listeners that are no Qdrant: what an operator meets who names the wrong port."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def _listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        open_ones: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                open_ones.append(connection)
                threading.Thread(target=_quietly, args=(serve, connection), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for connection in open_ones:
                connection.close()
            thread.join(5)


def _quietly(serve: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with contextlib.suppress(OSError, ssl.SSLError), connection:
        serve(connection)


@contextlib.contextmanager
def http_on_grpc_port() -> Iterator[int]:
    """An HTTP/1.1 server where gRPC is expected: the REST port of a server, a proxy, a web page."""

    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        body = b"<html>400 The plain HTTP request was not understood</html>"
        connection.sendall(
            b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )

    with _listening(serve) as port:
        yield port


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """Takes connections and never says a word: a firewall, a stuck server."""

    def serve(connection: socket.socket) -> None:
        while connection.recv(4096):
            pass

    with _listening(serve) as port:
        yield port


@contextlib.contextmanager
def far(port: int, seconds: float) -> Iterator[int]:
    """The server at `port` of this machine, whose every answer is `seconds` late: far away, or busy."""

    def serve(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as server:

            def back() -> None:
                with contextlib.suppress(OSError):
                    while data := server.recv(65536):
                        time.sleep(seconds)
                        connection.sendall(data)

            threading.Thread(target=back, daemon=True).start()
            while data := connection.recv(65536):
                server.sendall(data)

    with _listening(serve) as far_port:
        yield far_port


@contextlib.contextmanager
def tls_on_plain_port() -> Iterator[int]:
    """TLS, with a certificate that nobody vouches for, where the connection says plain text."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = _certificate(Path(folder))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.set_alpn_protocols(["h2", "http/1.1"])

        def serve(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as safe:
                while safe.recv(4096):
                    pass

        with _listening(serve) as port:
            yield port


def _certificate(folder: Path) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    make = f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = "-addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    subprocess.run(
        [*make.split(), *names.split(), "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    return certificate, key
