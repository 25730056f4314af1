"""The real console in a process of its own, on a free port, with a record of whom it spoke to.

`python -m tests.console_server RECORD HOST PORT` serves it; `start` does so and waits until it answers.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Console:
    """A running console. `spoke_to()`: the addresses outside this machine that it tried to reach."""

    url: str
    process: subprocess.Popen[str]
    record: Path
    lines: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def spoke_to(self) -> list[str]:
        if not self.record.exists():
            return []
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    def stop(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(15)


def start(
    home: Path,
    cwd: Path,
    host: str = "127.0.0.1",
    port: int = 0,
    environ: dict[str, str] | None = None,
    command: list[str] | None = None,
    seconds: float = 60,
) -> Console:
    """Start the console and wait for its first line and a healthy answer."""
    record = home.parent / f"{home.name}.spoke.jsonl"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PLUMBLINE_", "STREAMLIT_"))}
    env = {**kept, "PLUMBLINE_HOME": str(home), "PYTHONPATH": str(ROOT), **(environ or {})}
    process = subprocess.Popen(
        command or [sys.executable, "-m", "tests.console_server", str(record), host, str(port)],
        cwd=cwd,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    console = Console("", process, record)
    heard: queue.Queue[str] = queue.Queue()

    def listen() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            console.lines.append(line.rstrip("\n"))
            heard.put(line)
        heard.put("")

    threading.Thread(target=listen, daemon=True).start()
    end = time.monotonic() + seconds
    while not console.url:
        line = heard.get(timeout=max(0.1, end - time.monotonic()))
        if not line:
            raise RuntimeError("the console ended: " + "\n".join(console.lines))
        if " is at http" in line:
            console.url = line.split(" is at ")[1].split()[0]
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(console.url + "/healthz", timeout=5) as answer:
                if answer.status == 200:
                    return console
        except OSError:
            if process.poll() is not None:
                raise RuntimeError("the console ended: " + "\n".join(console.lines)) from None
    raise TimeoutError("the console did not answer")


def listen_in(record: Path) -> None:
    """Write down every attempt of this process to reach another machine."""
    local = ("127.", "::1", "localhost", "0.0.0.0", "::")

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event == "socket.getaddrinfo":
            host = args[0]
        elif event == "socket.connect" and isinstance(args[1], tuple):
            host = args[1][0]
        else:
            return
        name = host.decode() if isinstance(host, bytes) else str(host) if host is not None else ""
        if name and not name.startswith(local):
            with record.open("a") as out:
                out.write(json.dumps(f"{event} {name}") + "\n")

    sys.addaudithook(hook)


if __name__ == "__main__":
    listen_in(Path(sys.argv[1]))
    from console.asgi import serve

    serve(sys.argv[2], int(sys.argv[3]))
