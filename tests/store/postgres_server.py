"""A real PostgreSQL for tests: a cluster of its own in a folder, on a free port, with a password."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.needs import postgres_programs
from tests.ports import free_port


def unprivileged() -> int | None:
    """The account to run as where this is root, which the server refuses: one that there is, as initdb demands."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    return None


@dataclass
class PostgresServer:
    folder: Path
    port: int
    password: str

    def url(self, database: str = "postgres", *, user: str = "plumb", password: str | None = None) -> str:
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        _run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self.folder / "log")
        _run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-o", options, "-l", log, "start")


def _run(program: str, *args: str) -> None:
    folder = postgres_programs()
    assert folder is not None
    user = unprivileged()
    done = subprocess.run(
        [str(folder / program), *args],
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd="/",
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC", "USER": "plumb", "HOME": "/"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{program} failed: {done.stderr}")


@contextmanager
def start_postgres() -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="plumb-pg-"))
    try:
        server = PostgresServer(folder, free_port(), secrets.token_hex(12))
        secret = folder / "password"
        secret.write_text(server.password)
        if (user := unprivileged()) is not None:
            os.chown(folder, user, user)
            os.chown(secret, user, user)
        _run(
            "initdb", "-D", str(folder / "data"), "-U", "plumb", "--auth=scram-sha-256", f"--pwfile={secret}",
            "--no-sync", "-E", "UTF8", "--locale=C",
        )  # fmt: skip
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
