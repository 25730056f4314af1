"""Pictures from configured hosts, over http(s): never from a private address, within limits of size and time.

The name is resolved once, every address of it must be public, and the connection goes to the address that was
checked; a redirect is a new request with the same checks.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from connectors.errors import PlumblineError
from console.encoders.images import refused
from console.settings.model import ImageLimits

Resolve = Callable[[str, int], list[str]]
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CHUNK: Final = 64 * 1024
_EMBEDDED: Final = tuple(ipaddress.ip_network(n) for n in ("64:ff9b::/96", "::/96"))


def is_public(address: str) -> bool:
    """Whether an IP address is a public one, also where it is an IPv6 form of an IPv4 address."""
    try:
        ip = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and any(ip in network for network in _EMBEDDED):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified


class Remote:
    """Fetches bytes from `hosts`, names that stand in the settings. `permitted` and `resolve` are for tests."""

    def __init__(
        self,
        hosts: tuple[str, ...],
        limits: ImageLimits,
        *,
        permitted: Callable[[str], bool] = is_public,
        resolve: Resolve | None = None,
    ) -> None:
        self._hosts = frozenset(h.lower().rstrip(".") for h in hosts)
        self._limits = limits
        self._permitted = permitted
        self._resolve = resolve or _addresses

    def read(self, url: str) -> bytes:
        """The body at `url`. Raises `image-refused`."""
        deadline = time.monotonic() + self._limits.seconds
        secure = False
        for _ in range(self._limits.redirects + 1):
            parts = self._checked(url, secure)
            secure = parts.scheme == "https"
            body, location = self._once(parts, deadline)
            if location is None:
                return body
            url = urljoin(url, location)
        raise refused(f"More than {self._limits.redirects} redirects.", _place(url))

    def _checked(self, url: str, secure: bool) -> SplitResult:
        try:
            parts = urlsplit(url)
            host, _port = (parts.hostname or "").rstrip("."), parts.port
        except ValueError:
            raise refused("The address is not a URL.", "image") from None
        if parts.scheme not in ("http", "https") or not host:
            raise refused("Only http and https addresses are fetched.", _place(url))
        if secure and parts.scheme != "https":
            raise refused("A redirect leads from https to http.", _place(url))
        if parts.username is not None or parts.password is not None:
            raise refused("The address holds a user or a password.", _place(url))
        if host not in self._hosts:
            hint = f"Add {host} to `hosts` under [images] in plumbline.toml."
            raise refused("The host is not configured for pictures.", _place(url), hint)
        return parts

    def _once(self, parts: SplitResult, deadline: float) -> tuple[bytes, str | None]:
        host = (parts.hostname or "").rstrip(".")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        place = _place(parts.geturl())
        address = self._address(host, port, deadline, place)
        connection = _Pinned(host, port, address, parts.scheme == "https", _left(deadline, place))
        # A socket's timeout starts anew with every byte; the timer ends the request as a whole.
        timer = threading.Timer(_left(deadline, place), connection.abort)
        timer.daemon = True
        timer.start()
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            headers = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "plumbline"}
            connection.request("GET", path, headers=headers)
            return self._answer(connection.getresponse(), deadline, place)
        except (OSError, ValueError, http.client.HTTPException) as fault:
            why = "it took too long" if time.monotonic() >= deadline else str(fault) or type(fault).__name__
            raise refused(f"The picture could not be fetched ({why}).", place) from None
        finally:
            timer.cancel()
            connection.close()

    def _answer(
        self, answer: http.client.HTTPResponse, deadline: float, place: str
    ) -> tuple[bytes, str | None]:
        location = answer.getheader("Location")
        if answer.status in _REDIRECTS and location:
            return b"", location
        if answer.status != 200:
            raise refused(f"The host answered {answer.status}.", place)
        most, held = self._limits.bytes, bytearray()
        if int(answer.headers.get("Content-Length") or 0) > most:
            raise refused(f"The picture has more than {most:,} bytes.", place)
        while chunk := answer.read1(_CHUNK):
            held += chunk
            _left(deadline, place)
            if len(held) > most:
                raise refused(f"The picture has more than {most:,} bytes.", place)
        if time.monotonic() >= deadline:
            raise refused("The picture could not be fetched (it took too long).", place)
        return bytes(held), None

    def _address(self, host: str, port: int, deadline: float, place: str) -> str:
        found: list[str] = []
        fault: list[Exception] = []

        def look() -> None:
            try:
                found.extend(self._resolve(host, port))
            except Exception as error:
                fault.append(error)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        thread.join(_left(deadline, place))
        if thread.is_alive() or fault or not found:
            raise refused("The host's address can't be found.", place) from None
        if not all(self._permitted(address) for address in found):
            raise refused("The host has a private address; pictures are never fetched from one.", place)
        return found[0]


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that was checked, whatever its name says by now."""

    def __init__(self, host: str, port: int, address: str, tls: bool, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._pinned_address = address
        self._tls = ssl.create_default_context() if tls else None
        self._held: socket.socket | None = None
        self.default_port = 443 if tls else 80

    def connect(self) -> None:
        plain = socket.create_connection((self._pinned_address, self.port), self.timeout)
        self.sock = self._held = plain
        if self._tls is not None:
            self.sock = self._held = self._tls.wrap_socket(plain, server_hostname=self.host)

    def abort(self) -> None:
        """Ends what another thread waits for; `sock` is gone once the answer's head was read."""
        if self._held is not None:
            with contextlib.suppress(OSError):
                self._held.shutdown(socket.SHUT_RDWR)


def _addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _left(deadline: float, place: str) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise refused("The picture could not be fetched (it took too long).", place)
    return left


def _place(url: str) -> str:
    """The address without query and fragment, which may hold a signature."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"[:200]
    except ValueError:
        return "image"


__all__ = ["PlumblineError", "Remote", "is_public"]
