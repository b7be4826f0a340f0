"""Images by URL: from hosts that are allowed, at addresses that may be asked, within a time and a size.

A name may be made to mean another address from one moment to the next, and a host may send us elsewhere. So a name is
looked up once, its addresses are judged, and the connection goes to the very address that was judged; what redirects
to another host is not followed. No proxy of the environment is used.
"""

import http.client
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing
from urllib.parse import urljoin, urlsplit

from accel.db.images import ImageRow
from accel.errors import ImageSourceRefused, ImageSourceUnavailable, InvalidValue
from accel.model.image_url import Network, Origin, may_be_asked, read_origin

_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may go well later."""


class UrlSource:
    """Reads images by their URLs.

    :param hosts: those that may be asked
    :param networks: those that are not public and may be asked all the same
    :param timeout_seconds: how long to wait for each part of an answer
    """

    def __init__(self, hosts: frozenset[str], networks: Sequence[Network], *, timeout_seconds: float = 30) -> None:
        self._hosts = hosts
        self._networks = networks
        self._timeout_seconds = timeout_seconds

    def read(self, row: ImageRow, part_bytes: int) -> Iterator[bytes]:
        """The bytes at the URL of an image.

        :raises ImageSourceRefused: they are not to be had there
        :raises ImageSourceUnavailable: they are not to be had now
        """
        url = row.source_ref
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                origin = read_origin(url, self._hosts)
            except InvalidValue as error:
                raise ImageSourceRefused(str(error)) from error
            with closing(self._connected(origin)) as connection:
                answer = self._asked(connection, origin, url)
                if answer.status not in _REDIRECTS:
                    yield from _bytes(answer, part_bytes, origin)
                    return
                url = self._elsewhere(answer, url, origin)
        raise ImageSourceRefused(f"{origin} redirects more than {_MOST_REDIRECTS} times")

    def _elsewhere(self, answer: http.client.HTTPResponse, url: str, origin: Origin) -> str:
        try:
            there = urljoin(url, answer.headers.get("Location", ""))
            parts = urlsplit(there)
            is_same = origin == Origin(parts.scheme, parts.hostname or "", parts.port or origin.port)
        except ValueError:
            there, is_same = "", False
        if not is_same:
            raise ImageSourceRefused(f"{origin} redirects to another host, which is not followed")
        return there

    def _connected(self, origin: Origin) -> http.client.HTTPConnection:
        """A connection to an address of a host, all of whose addresses may be asked."""
        try:
            found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise ImageSourceUnavailable(f"{origin.host} is not known: {error}") from error
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        for address in addresses:
            if not may_be_asked(address, self._networks):
                raise ImageSourceRefused(
                    f"{origin.host} is at {address}, which is neither public nor in one of [images] url_networks"
                )
        problem: OSError | None = None
        for address in addresses:
            try:
                return self._to(address, origin)
            except OSError as error:
                problem = error
        raise ImageSourceUnavailable(f"{origin} does not answer: {problem}")

    def _to(self, address: str, origin: Origin) -> http.client.HTTPConnection:
        plain = socket.create_connection((address, origin.port), timeout=self._timeout_seconds)
        connection = http.client.HTTPConnection(origin.host, origin.port, timeout=self._timeout_seconds)
        try:
            context = ssl.create_default_context() if origin.scheme == "https" else None
            connection.sock = context.wrap_socket(plain, server_hostname=origin.host) if context else plain
        except BaseException:
            plain.close()
            raise
        return connection

    def _asked(self, connection: http.client.HTTPConnection, origin: Origin, url: str) -> http.client.HTTPResponse:
        parts = urlsplit(url)
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        try:
            connection.request("GET", path, headers={"Accept": "*/*", "Accept-Encoding": "identity"})
            return connection.getresponse()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ImageSourceUnavailable(f"{origin} cannot be asked: {error}") from error


def _bytes(answer: http.client.HTTPResponse, part_bytes: int, origin: Origin) -> Iterator[bytes]:
    if answer.status != 200:
        kind = ImageSourceUnavailable if answer.status in _AGAIN else ImageSourceRefused
        raise kind(f"{origin} answers {answer.status} {answer.reason}")
    try:
        while part := answer.read(part_bytes):
            yield part
        if answer.length:
            raise ImageSourceUnavailable(f"{origin} broke off: {answer.length} bytes are missing")
    except (OSError, http.client.HTTPException) as error:
        raise ImageSourceUnavailable(f"{origin} broke off: {error}") from error
