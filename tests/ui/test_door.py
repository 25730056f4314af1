"""Who is let in: raw sockets against the real console, since a browser would not send these requests."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.errors import PlumblineError
from console.asgi import bind
from console.ui.door import Doorman, host_name, inline_hashes
from tests import console_server
from tests.console_server import ROOT, Console
from tests.ports import free_port


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("door")
    running = console_server.start(folder / "home", folder)
    yield running
    running.stop()


def raw(console: Console, *lines: str) -> str:
    """The first bytes that answer a request sent as it stands."""
    with socket.create_connection(("127.0.0.1", console.port), timeout=10) as wire:
        wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        wire.settimeout(10)
        answer = b""
        while b"\r\n\r\n" not in answer and (more := wire.recv(4096)):
            answer += more
        return answer.decode("latin-1")


def handshake(console: Console, host: str, *more: str) -> int:
    """The status of a WebSocket handshake at Streamlit's stream."""
    key = base64.b64encode(os.urandom(16)).decode()
    answer = raw(
        console,
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: streamlit",
        *more,
    )
    return int(answer.split()[1])


def get(console: Console, host: str, *more: str, path: str = "/", method: str = "GET") -> int:
    answer = raw(console, f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *more)
    return int(answer.split()[1])


def test_the_console_s_own_page_is_let_in(console: Console) -> None:
    own = f"127.0.0.1:{console.port}"
    assert handshake(console, own, f"Origin: http://{own}") == 101
    assert get(console, own) == 200
    assert get(console, f"localhost:{console.port}") == 200


def test_dns_rebinding_is_refused_on_both_protocols(console: Console) -> None:
    rebound = f"evil.example:{console.port}"
    assert handshake(console, rebound, f"Origin: http://{rebound}") == 403
    assert get(console, rebound) == 403
    assert get(console, rebound, f"Origin: http://{rebound}") == 403
    assert get(console, rebound, path="/healthz") == 403


def test_a_page_on_another_port_of_this_machine_is_refused_on_both_protocols(console: Console) -> None:
    own, other = f"127.0.0.1:{console.port}", "http://127.0.0.1:9999"
    assert handshake(console, own, f"Origin: {other}") == 403
    assert handshake(console, own, f"Origin: http://localhost:{console.port}") == 403
    assert get(console, own, f"Origin: {other}") == 403
    assert get(console, own, f"Origin: {other}", path="/_stcore/upload_file/a/b", method="PUT") == 403


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "https://127.0.0.1", "file://"])
def test_a_foreign_origin_is_refused(console: Console, origin: str) -> None:
    assert handshake(console, f"127.0.0.1:{console.port}", f"Origin: {origin}") == 403


def test_a_websocket_without_an_origin_is_refused(console: Console) -> None:
    assert handshake(console, f"127.0.0.1:{console.port}") == 403


def test_a_writing_request_without_an_origin_is_refused(console: Console) -> None:
    own = f"127.0.0.1:{console.port}"
    assert get(console, own, "Content-Length: 0", path="/_stcore/upload_file/a/b", method="PUT") == 403


def test_two_hosts_or_two_origins_are_refused(console: Console) -> None:
    own = f"127.0.0.1:{console.port}"
    assert get(console, own, "Host: evil.example") in (400, 403)
    assert handshake(console, own, f"Origin: http://{own}", "Origin: http://evil.example") in (400, 403)


def test_a_foreign_page_can_t_embed_what_the_console_serves(console: Console) -> None:
    own = f"127.0.0.1:{console.port}"
    crossed = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image")
    assert get(console, own, *crossed, path="/favicon.png") == 403
    assert get(console, own, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate") == 200


def test_every_answer_carries_the_strict_policy_and_no_open_door(console: Console) -> None:
    for path in ("/", "/healthz", "/app/static/OFL.txt", "/nowhere", "/_stcore/health"):
        link = http.client.HTTPConnection("127.0.0.1", console.port, timeout=10)
        link.request("GET", path)
        answer = link.getresponse()
        answer.read()
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self'; script-src 'self' 'sha256-")
        assert "unsafe-eval" not in policy
        assert "http:" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers.get("Access-Control-Allow-Origin") is None


def test_the_policy_holds_the_hash_of_the_inline_script_that_is_served(console: Console) -> None:
    link = http.client.HTTPConnection("127.0.0.1", console.port, timeout=10)
    link.request("GET", "/")
    answer = link.getresponse()
    html = answer.read().decode()
    (body,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in answer.headers["Content-Security-Policy"]
    assert inline_hashes(html) == (digest,)


def test_healthz_answers_without_a_session(console: Console) -> None:
    link = http.client.HTTPConnection("127.0.0.1", console.port, timeout=10)
    link.request("GET", "/healthz")
    assert link.getresponse().read() == b'{"status":"ok"}'


def test_the_agent_api_is_shut(console: Console) -> None:
    own = f"127.0.0.1:{console.port}"
    status = get(
        console,
        own,
        f"Origin: http://{own}",
        "Content-Type: application/json",
        "Content-Length: 2",
        path="/_stcore/agent/interact",
        method="POST",
    )
    assert status in (403, 404)


def test_a_taken_port_is_said(console: Console) -> None:
    with pytest.raises(PlumblineError) as fault:
        bind("127.0.0.1", console.port)
    assert fault.value.code == "port-taken"
    assert str(console.port) in fault.value.message


def test_an_address_that_is_not_this_machine_s_is_a_usage_error() -> None:
    with pytest.raises(PlumblineError) as fault:
        bind("192.0.2.77", 0)
    assert fault.value.code == "usage"


def test_bound_to_every_address_it_says_read_only_and_takes_literal_addresses_only(tmp_path: Path) -> None:
    console = console_server.start(tmp_path / "home", tmp_path, host="0.0.0.0")
    try:
        assert any("read-only" in line for line in console.lines)
        assert get(console, f"192.168.7.7:{console.port}") == 200
        assert get(console, f"evil.example:{console.port}") == 403
    finally:
        console.stop()


def test_streamlit_run_from_a_checkout_that_is_not_installed_serves_the_same(tmp_path: Path) -> None:
    port = free_port()
    program = str(Path(sys.executable).parent / "streamlit")
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    process = subprocess.Popen(
        [program, "run", "console/asgi.py", "--server.port", str(port)],
        cwd=ROOT,
        env={**env, "PLUMBLINE_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        heard = []
        for line in process.stdout:
            heard.append(line)
            if f":{port}" in line:
                break
        running = Console(f"http://127.0.0.1:{port}", process, tmp_path / "none")
        assert get(running, f"127.0.0.1:{port}", path="/healthz") == 200, "".join(heard)
        assert get(running, f"evil.example:{port}") == 403
        assert handshake(running, f"127.0.0.1:{port}", f"Origin: http://127.0.0.1:{port}") == 101
    finally:
        process.terminate()
        process.wait(15)


@pytest.mark.parametrize(
    ("bound", "authority", "known"),
    [
        ("127.0.0.1", "127.0.0.1:8501", True),
        ("127.0.0.1", "LOCALHOST:8501", True),
        ("127.0.0.1", "localhost.:8501", True),
        ("127.0.0.1", "[::1]:8501", True),
        ("127.0.0.1", "10.0.0.5:8501", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "user@localhost", False),
        ("127.0.0.1", "localhost/evil.example", False),
        ("127.0.0.1", "localhost:port", False),
        ("127.0.0.1", "", False),
        ("0.0.0.0", "10.0.0.5:8501", True),
        ("0.0.0.0", "[fe80::1]:8501", True),
        ("0.0.0.0", "console.example", False),
        ("console.example", "console.example:8501", True),
    ],
)
def test_which_hosts_are_known(bound: str, authority: str, known: bool) -> None:
    assert Doorman(bound).knows(authority) is known


def test_configured_names_are_known() -> None:
    doorman = Doorman("0.0.0.0", ["console.example", "*.lab.example"])
    assert doorman.knows("console.example:80")
    assert doorman.knows("a.lab.example")
    assert not doorman.knows("lab.example.evil.example")


def test_a_host_name_is_read_strictly() -> None:
    assert host_name("a.example:80") == "a.example"
    assert host_name("a.example?x") is None
    assert host_name("[::1]:80") == "::1"
