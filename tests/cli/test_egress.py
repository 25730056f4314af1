"""Nothing leaves the machine but to configured addresses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from console.egress import hosts_of
from console.egress.recorder import EgressRefused, Recorder
from console.settings import load
from tests.cli.conftest import Shell

_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import console.catalogue, console.cli
def leak(*_):
    import socket
    try:
        {leak}
    except OSError:
        pass
    return ()
console.catalogue.connections = leak
sys.exit(console.cli.main(["connections"]))
"""
HOUSE = Path(__file__).parents[2]


def leaking(shell: Shell, leak: str) -> tuple[int, str, str]:
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(leak=leak), str(HOUSE)],
        cwd=shell.cwd,
        env=shell.environ(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    told = shell.egress.read_text() if shell.egress.exists() else ""
    shell.egress.unlink(missing_ok=True)
    return ran.returncode, ran.stderr, told


@pytest.mark.parametrize(
    ("leak", "event"),
    [
        ("socket.create_connection(('192.0.2.1', 443), 1)", "socket.getaddrinfo '192.0.2.1'"),
        ("socket.socket().connect(('192.0.2.1', 443))", "socket.connect '192.0.2.1'"),
        ("socket.socket().connect_ex(('192.0.2.1', 443))", "socket.connect '192.0.2.1'"),
        ("socket.getaddrinfo('telemetry.example.org', 443)", "socket.getaddrinfo 'telemetry.example.org'"),
        ("socket.gethostbyname('telemetry.example.org')", "socket.gethostbyname 'telemetry.example.org'"),
        (
            "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
            "socket.sendto '192.0.2.1'",
        ),
        ("import grpc; grpc.insecure_channel('192.0.2.1:6334')", "grpc '192.0.2.1'"),
        (
            "import grpc; grpc.secure_channel('dns:///telemetry.example.org:443', None)",
            "grpc 'telemetry.example.org'",
        ),
        ("import grpc.aio as a; a.insecure_channel('ipv4:192.0.2.1:6334')", "grpc '192.0.2.1'"),
        (
            "import urllib.request as u; u.urlopen('https://telemetry.example.org')",
            "socket.getaddrinfo 'telemetry.example.org'",
        ),
    ],
)
def test_an_attempt_to_reach_another_address_is_refused_written_down_and_fails_the_command(
    shell: Shell, leak: str, event: str
) -> None:
    code, err, told = leaking(shell, leak)
    assert code == 2
    assert event in told
    assert event in err


def test_this_machine_and_configured_hosts_are_reached(shell: Shell) -> None:
    shell.secret('[connections.a]\nkind = "qdrant"\nurl = "http://192.0.2.7:6333"\ngrpc_host = "192.0.2.8"\n')
    for host in ("192.0.2.7", "192.0.2.8", "localhost", "127.0.0.1", "::1"):
        assert leaking(shell, f"socket.getaddrinfo({host!r}, 1)") == (0, "", "")
    for target in ("192.0.2.8:6334", "127.0.0.1:1", "[::1]:1", "unix:///run/x.sock", "dns:///localhost:1"):
        assert leaking(shell, f"import grpc; grpc.insecure_channel({target!r}).close()") == (0, "", "")


def test_what_libraries_report_is_switched_off(shell: Shell) -> None:
    shown = "import os; print({k: os.environ.get(k) for k in ('DO_NOT_TRACK', 'HF_HUB_DISABLE_TELEMETRY')}, file=__import__('sys').stderr)"
    code, err, _ = leaking(shell, shown)
    assert code == 0
    assert "None" not in err


def test_the_names_of_the_settings_are_the_names_that_may_be_reached(tmp_path: Path) -> None:
    place = "PLUMBLINE_CONNECTIONS__A__"
    (tmp_path / "plumbline.toml").write_text(
        '[images]\nhosts = ["pictures.example.org", "*.cdn.example.org"]\n'
    )
    settings = load(
        environ={
            "PLUMBLINE_HOME": str(tmp_path),
            f"{place}KIND": "weaviate",
            f"{place}URL": "https://Weaviate.example.org:8080",
            f"{place}GRPC_HOST": "grpc.example.org",
            "PLUMBLINE_STORE__URL": "postgresql://u:p@db.example.org/d",
        },
        cwd=tmp_path,
    )
    recorder = Recorder(hosts_of(settings))
    for name in ("weaviate.example.org", "GRPC.example.org.", "pictures.example.org", "db.example.org"):
        assert recorder.may(name)
    assert recorder.may("a.cdn.example.org")
    for name in ("cdn.example.org", "xcdn.example.org", "example.org", "localhost.example.org", "10.0.0.1"):
        assert not recorder.may(name)


def test_the_addresses_of_a_configured_name_may_be_reached_and_no_others() -> None:
    recorder = Recorder(["db.example.org"])
    recorder.resolved("db.example.org", ["192.0.2.9"])
    recorder.resolved("evil.example.org", ["192.0.2.10"])
    recorder.hook("socket.connect", (None, ("192.0.2.9", 1)))
    recorder.hook("socket.connect", (None, "/run/some.sock"))
    recorder.hook("open", ("192.0.2.10",))
    for host in ("192.0.2.10", "evil.example.org"):
        with pytest.raises(EgressRefused):
            recorder.hook("socket.connect", (None, (host, 1)))
    assert len(recorder.refused) == 2
