"""The hook that finds whatever tries to reach an address that is not configured. For tests: see the package."""

from __future__ import annotations

import functools
import ipaddress
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

_EVENTS: Final = frozenset(
    {
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
        "socket.getnameinfo",
        "socket.sendto",
        "socket.sendmsg",
    }
)


class EgressRefused(PermissionError):
    """A connection to an address that is not configured."""


class Recorder:
    """What an interpreter may reach, and what it tried beyond that."""

    def __init__(self, hosts: Iterable[str], file: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._hosts = {h.lower().rstrip(".") for h in hosts if h}
        self._addresses: set[str] = set()
        self._file = file
        self.refused: list[str] = []

    def allow(self, hosts: Iterable[str]) -> None:
        with self._lock:
            self._hosts.update(h.lower().rstrip(".") for h in hosts if h)

    def resolved(self, host: str, addresses: Iterable[str]) -> None:
        """An allowed name's addresses are allowed too."""
        if self.may(host):
            with self._lock:
                self._addresses.update(addresses)

    def may(self, host: object) -> bool:
        if host is None or host in ("", b""):
            return True
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
        name = name.lower().rstrip(".").partition("%")[0]
        if name == "localhost" or name in self._hosts or name in self._addresses:
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return any(h.startswith("*.") and name.endswith(h[1:]) for h in self._hosts)

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        """For `sys.addaudithook`. Raises `EgressRefused`."""
        if event not in _EVENTS:
            return
        host: object
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            address = args[1]
            if not isinstance(address, tuple):
                return
            host = cast("tuple[object, ...]", address)[0]
        elif event == "socket.getnameinfo":
            host = args[0][0]
        else:
            host = args[0]
        if self.may(host):
            return
        self.refuse(f"{event} {host!r}")

    def channel(self, target: object) -> None:
        """For each gRPC channel. Raises `EgressRefused`."""
        host = _host_of(str(target))
        if host is not None and not self.may(host):
            self.refuse(f"grpc {host!r}")

    def refuse(self, line: str) -> None:
        """Write an attempt down; raises `EgressRefused`."""
        with self._lock:
            self.refused.append(line)
        if self._file is not None:
            number = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.write(number, f"{line}\n".encode())
            os.close(number)
        raise EgressRefused(f"{line} is not a configured address")


def _host_of(target: str) -> str | None:
    """The host of a gRPC target (gRPC naming: `host:port`, `dns:[//authority/]host:port`, `ipv4:…`, `unix:…`)."""
    scheme, colon, rest = target.partition(":")
    if colon and scheme in ("unix", "unix-abstract"):
        return None
    if colon and scheme in ("dns", "ipv4", "ipv6"):
        target = rest.rpartition("/")[2]
    if target.startswith("["):
        return target[1:].partition("]")[0]
    return target if target.count(":") > 1 else target.partition(":")[0]


class _Grpc(MetaPathFinder):
    """Asks the recorder about every channel of gRPC, once somebody imports that."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._busy = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "grpc" or self._busy:
            return None
        self._busy = True
        try:
            spec = find_spec("grpc")
        finally:
            self._busy = False
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            self.guard(module)

        setattr(spec.loader, "exec_module", exec_module)  # noqa: B010
        return spec

    def guard(self, module: Any) -> None:
        for place in (module, module.aio):
            for name in ("insecure_channel", "secure_channel"):
                setattr(place, name, self._asking(getattr(place, name)))

    def _asking(self, make: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(make)
        def channel(target: Any, *args: Any, **more: Any) -> Any:
            self._recorder.channel(target)
            return make(target, *args, **more)

        return channel


def watch(file: Path | None = None) -> Recorder:
    """Install the hook: it can't be taken out again."""
    recorder = Recorder((), file)
    sys.addaudithook(recorder.hook)
    sys.meta_path.insert(0, _Grpc(recorder))
    plain = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **more: Any) -> Any:
        found = plain(host, *args, **more)
        if isinstance(host, (str, bytes)):
            name = host if isinstance(host, str) else host.decode("ascii", "replace")
            recorder.resolved(name, (str(entry[4][0]) for entry in found))
        return found

    socket.getaddrinfo = getaddrinfo
    return recorder
