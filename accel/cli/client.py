"""The API as the command line uses it.

Every foreign failure becomes one of ``accel.cli.errors`` here, so that a command only says what it wants.
``requests`` takes a tenth of a second to import: it is imported with the first request, not with ``accel --help``.
"""

import ipaddress
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from accel.cli.credentials import HINT, SERVICE_HINT, Credentials, Nobody
from accel.cli.errors import (
    CommandFailed,
    NoAnswerInTime,
    NoPlacement,
    NoServer,
    NotAuthorised,
    NothingFound,
    WrongState,
    WrongUse,
)

if TYPE_CHECKING:
    import requests

DEFAULT_ENDPOINT = "http://127.0.0.1:6666"
ENDPOINT_VARIABLE = "ACCEL_ENDPOINT"
MICROVERSION = "2.4"
PAGE_SIZE = 1000
_BYTES = "application/octet-stream"
_PART_BYTES = 1 << 20

_COLLECTIONS: Mapping[str, str] = {"accelerator_requests": "arqs"}
"""What the things of a path are called in the answer, where that is not the last part of the path."""

_FAILURES: Mapping[int, type[CommandFailed]] = {
    400: WrongUse,
    403: NotAuthorised,
    404: NothingFound,
    409: WrongState,
    413: WrongUse,
    504: NoAnswerInTime,
}

_FAILURES_BY_CODE: Mapping[str, type[CommandFailed]] = {"accel.no_placement": NoPlacement}
"""What is more than its status says."""

Item = dict[str, Any]
"""A thing as the API shows it."""


class Client:
    """Requests to one endpoint.

    :param endpoint: where the API is, with or without ``/v2``
    :param timeout_seconds: how long to wait for the server to accept, and for each part of its answer
    :param credentials: who asks
    """

    def __init__(self, endpoint: str, *, timeout_seconds: float = 30, credentials: Credentials | None = None) -> None:
        self.endpoint = endpoint.rstrip("/").removesuffix("/v2")
        self._timeout_seconds = timeout_seconds
        self._credentials = credentials or Nobody()
        self._session: requests.Session | None = None

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Item:
        """Read one document below ``/v2``."""
        return self._request("GET", path, query or {})

    def post(self, path: str, body: Any = None) -> Item:
        """Act on what is at a path below ``/v2``, or add to it; what was made, where something was."""
        return self._request("POST", path, {}, body)

    def put(self, path: str, body: Item) -> Item:
        """Set what is at a path below ``/v2``; what it is now."""
        return self._request("PUT", path, {}, body)

    def patch(self, path: str, body: Any, query: Mapping[str, Any] | None = None) -> Item:
        """Change what is at a path below ``/v2``; what it is now."""
        return self._request("PATCH", path, query or {}, body)

    def upload(self, path: str, file: Path, progress: Callable[[int, int], None]) -> Item:
        """Send a file to a path below ``/v2``; what is there now.

        :param progress: is told how much is sent of how much
        """
        try:
            with file.open("rb") as opened:
                told = _Told(opened, file.stat().st_size, progress)
                return self._read(self._send("PUT", path, {}, data=told, headers={"Content-Type": _BYTES}))
        except OSError as error:
            raise WrongUse(f"{file}: cannot be read: {error.strerror}") from error

    def download(self, path: str) -> Iterator[bytes]:
        """Read the bytes at a path below ``/v2``."""
        import requests  # noqa: PLC0415 - imported with the first request: see the module's docstring

        with self._send("GET", path, {}, headers={"Accept": _BYTES}, stream=True) as answer:
            if answer.status_code >= 400:
                self._read(answer)
            try:
                yield from answer.iter_content(_PART_BYTES)
            except requests.exceptions.RequestException as error:
                raise CommandFailed(f"{self.endpoint}: the answer ended before its end: {error}") from error

    def delete(self, path: str, query: Mapping[str, Any]) -> None:
        """Remove what a query names below a path below ``/v2``."""
        self._request("DELETE", path, query)

    def items(
        self, path: str, query: Mapping[str, Any] | None = None, *, limit: int | None = None, key: str = "uuid"
    ) -> Iterator[Item]:
        """Read a collection page by page.

        :param limit: at most so many; None for all
        :param key: the member by which a page says where the next one begins
        """
        last = path.rpartition("/")[2]
        name = _COLLECTIONS.get(last, last)
        asked = dict(query or {})
        left = limit
        while left is None or left > 0:
            asked["limit"] = PAGE_SIZE if left is None else min(left, PAGE_SIZE)
            body = self.get(path, asked)
            page = body.get(name)
            if page is None:
                raise CommandFailed(f"what answers at {self.endpoint} is not an accel server")
            yield from page
            if not page or f"{name}_links" not in body:
                return
            left = None if left is None else left - len(page)
            asked["marker"] = page[-1][key]

    def _request(self, method: str, path: str, query: Mapping[str, Any], body: Any = None) -> Item:
        return self._read(self._send(method, path, query, json=body))

    def _send(self, method: str, path: str, query: Mapping[str, Any], **more: Any) -> "requests.Response":
        import requests  # noqa: PLC0415 - imported with the first request: see the module's docstring

        try:
            return self._opened().request(
                method, f"{self.endpoint}/v2{path}", params=query, timeout=self._timeout_seconds, **more
            )
        except requests.exceptions.ReadTimeout as error:
            raise NoAnswerInTime(f"{self.endpoint} did not answer within {self._timeout_seconds:g} s") from error
        except requests.exceptions.SSLError as error:
            raise NoServer(f"{self.endpoint}: TLS does not work: {error}") from error
        except requests.exceptions.ConnectionError as error:
            raise NoServer(
                f"no accel server answers at {self.endpoint}\n"
                f"Start one with `accel up`, or say where it is: --endpoint URL or {ENDPOINT_VARIABLE}=URL"
            ) from error
        except ValueError as error:  # what requests makes of an address that is none
            raise WrongUse(f"--endpoint {self.endpoint}: not an address such as {DEFAULT_ENDPOINT}") from error
        except requests.exceptions.RequestException as error:
            raise CommandFailed(f"{self.endpoint}: the answer cannot be read: {error}") from error

    def _opened(self) -> "requests.Session":
        if self._session is None:
            import requests  # noqa: PLC0415 - imported with the first request: see the module's docstring

            self._session = requests.Session()
            self._session.trust_env = not _is_loopback(self.endpoint)  # no proxy reaches this machine for us
            self._session.headers["OpenStack-API-Version"] = f"accelerator {MICROVERSION}"
            self._session.headers["Accept"] = "application/json"
            self._credentials.sign(self._session)
        return self._session

    def _read(self, answer: "requests.Response") -> Item:
        body = _body(answer)
        if answer.status_code == 406:
            newest = answer.headers.get("OpenStack-API-Maximum-Version", "").removeprefix("accelerator ")
            speaks = f"speaks version {newest} of the API at most" if newest else "speaks an older version of the API"
            raise CommandFailed(f"{self.endpoint} {speaks}; this command needs {MICROVERSION}: upgrade the server")
        if answer.status_code == 401:
            raise NotAuthorised(f"{self._said(answer, body)}\n{HINT}")
        if answer.status_code >= 400:
            said = self._said(answer, body)
            if answer.status_code == 403 and "service token" in said:
                said = f"{said}\n{SERVICE_HINT}"
            by_status = _FAILURES.get(answer.status_code, CommandFailed)
            raise _FAILURES_BY_CODE.get(str((body or {}).get("code")), by_status)(said)
        if body is None:
            raise CommandFailed(f"what answers at {self.endpoint} is not an accel server")
        return body

    def _said(self, answer: "requests.Response", body: Item | None) -> str:
        return _sentence(body) or f"{self.endpoint} answered {answer.status_code} {answer.reason}"


class _Told:
    """A file that tells how much of it has been read."""

    def __init__(self, file: BinaryIO, size: int, progress: Callable[[int, int], None]) -> None:
        self._file = file
        self._size = size
        self._progress = progress

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        data = self._file.read(size)
        self._progress(self._file.tell(), self._size)
        return data


def _is_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _body(answer: "requests.Response") -> Item | None:
    """The answer's JSON object; None when it is something else. No content is an empty object."""
    if not answer.content:
        return {}
    try:
        body = answer.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _sentence(body: Item | None) -> str:
    """What an error's body says: ``detail`` from 2.4, before it the old message, a JSON text in a string.

    keystonemiddleware has a form of its own.
    """
    if not body:
        return ""
    if body.get("detail"):
        return str(body["detail"])
    if isinstance(body.get("error"), dict):
        return str(body["error"].get("message") or "")
    message = body.get("error_message") or ""
    try:
        inner = json.loads(message) if isinstance(message, str) else message
    except ValueError:
        return str(message)
    if isinstance(inner, dict):
        return str(inner.get("faultstring") or inner.get("message") or inner.get("title") or message)
    return str(message)
