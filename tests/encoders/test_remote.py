from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from connectors.errors import PlumblineError
from console.encoders.remote import Remote, is_public
from console.settings.model import ImageLimits

HOST = "pictures.example.org"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    seen: list[tuple[str, str]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.headers["Host"], self.path))
        match self.path.split("?")[0]:
            case "/picture":
                self._send(200, b"bytes of a picture")
            case "/large-and-says-so" | "/large":
                body = b"x" * 5_000
                length = [("Content-Length", "5000")] if "says" in self.path else []
                self._send(200, body, *length)
            case "/drip":
                self.send_response(200)
                self.end_headers()
                try:
                    while True:
                        self.wfile.write(b"x")
                        self.wfile.flush()
                        time.sleep(0.02)
                except OSError:
                    return
            case "/mute":
                self.rfile.read(1)
            case path if path.startswith("/hop/"):
                left = int(path.removeprefix("/hop/"))
                self._send(302, b"", ("Location", f"/hop/{left - 1}" if left else "/picture"))
            case "/away":
                self._send(302, b"", ("Location", self.path.split("?to=")[1]))
            case _:
                self._send(404, b"no")

    def _send(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def server() -> Iterator[Server]:
    held = Server(("127.0.0.1", 0), Handler)
    held.seen = []
    thread = threading.Thread(target=held.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield held
    held.shutdown()
    held.server_close()


def remote(hosts: tuple[str, ...] = (HOST,), **limits: Any) -> Remote:
    """Believes that every name is on this machine, and that this is public."""
    return Remote(
        hosts,
        ImageLimits(**{"seconds": 5.0, **limits}),
        permitted=lambda address: True,
        resolve=lambda host, port: ["127.0.0.1"],
    )


def url(server: Server, path: str, host: str = HOST) -> str:
    return f"http://{host}:{server.server_address[1]}{path}"


def refusal(of: Remote, address: str) -> PlumblineError:
    with pytest.raises(PlumblineError) as caught:
        of.read(address)
    assert caught.value.code == "image-refused"
    return caught.value


def test_a_picture_comes_from_the_address_that_was_checked_under_its_own_name(server: Server) -> None:
    assert remote().read(url(server, "/picture?w=5")) == b"bytes of a picture"
    assert server.seen == [(f"{HOST}:{server.server_address[1]}", "/picture?w=5")]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "fec0::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
        "localhost",
        "",
    ],
)
def test_private_addresses_in_every_disguise_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::ffff:169.254.169.254"]])
def test_a_configured_host_with_any_private_address_is_refused_before_a_connection(
    server: Server, found: list[str]
) -> None:
    of = Remote((HOST,), ImageLimits(), resolve=lambda host, port: found)
    assert "private" in refusal(of, url(server, "/picture")).message
    assert server.seen == []


def test_a_name_is_resolved_once_so_that_it_cannot_change_between_check_and_connection(
    server: Server,
) -> None:
    answers = [["127.0.0.1"], ["203.0.113.9"]]
    of = Remote((HOST,), ImageLimits(), permitted=lambda a: True, resolve=lambda host, port: answers.pop(0))
    assert of.read(url(server, "/picture")) == b"bytes of a picture"
    assert len(answers) == 1


def test_only_configured_hosts_are_asked_also_after_a_redirect(server: Server) -> None:
    assert "not configured" in refusal(remote(), url(server, "/picture", "other.example.org")).message
    assert server.seen == []
    away = refusal(remote(), url(server, "/away?to=http://other.example.org/picture"))
    assert "other.example.org" in away.hint
    assert len(server.seen) == 1


def test_a_redirect_to_a_private_address_is_refused(server: Server) -> None:
    inside = "internal.example.org"
    of = Remote(
        (HOST, inside),
        ImageLimits(),
        permitted=lambda address: address == "127.0.0.1",
        resolve=lambda host, port: ["10.0.0.5" if host == inside else "127.0.0.1"],
    )
    assert "private" in refusal(of, url(server, f"/away?to=http://{inside}/picture")).message


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://pictures.example.org/a", "gopher://x"])
def test_a_redirect_to_another_kind_of_address_is_refused(server: Server, target: str) -> None:
    refusal(remote(), url(server, f"/away?to={target}"))


def test_redirects_have_a_limit(server: Server) -> None:
    assert remote(redirects=3).read(url(server, "/hop/2")) == b"bytes of a picture"
    assert "redirects" in refusal(remote(redirects=3), url(server, "/hop/3")).message


@pytest.mark.parametrize("path", ["/large", "/large-and-says-so"])
def test_a_body_beyond_the_limit_is_refused_with_and_without_its_length(server: Server, path: str) -> None:
    assert "4,999 bytes" in refusal(remote(bytes=4_999), url(server, path)).message
    assert len(remote(bytes=5_000).read(url(server, path))) == 5_000


@pytest.mark.parametrize("path", ["/drip", "/mute"])
def test_a_slow_host_is_left_when_the_time_is_up(server: Server, path: str) -> None:
    started = time.monotonic()
    assert "too long" in refusal(remote(seconds=0.4), url(server, path)).message
    assert time.monotonic() - started < 8


def test_a_slow_name_server_counts_against_the_time() -> None:
    gate = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        gate.wait(20)
        return ["127.0.0.1"]

    of = Remote((HOST,), ImageLimits(seconds=0.2), resolve=resolve)
    refusal(of, f"http://{HOST}/picture")
    gate.set()


def test_a_user_or_password_in_the_address_is_refused_and_never_shown(server: Server) -> None:
    error = refusal(remote(), f"http://me:hidden@{HOST}/picture")
    assert "hidden" not in str(error)


def test_a_missing_picture_and_a_closed_port_are_refusals_with_their_reason(server: Server) -> None:
    assert "404" in refusal(remote(), url(server, "/nothing")).message
    port = server.server_address[1]
    server.shutdown()
    server.server_close()
    assert "refused" in refusal(remote(), f"http://{HOST}:{port}/picture").message.lower()


def test_tls_is_checked_against_the_name(server: Server) -> None:
    error = refusal(remote(), f"https://{HOST}:{server.server_address[1]}/picture")
    assert "could not be fetched" in error.message
