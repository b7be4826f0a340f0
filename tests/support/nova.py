"""A stand-in for Nova: what its API does with external events, and what it says of servers, behind a real socket."""

import json
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Event, Lock
from typing import Any, NamedTuple
from uuid import UUID
from wsgiref.types import StartResponse, WSGIEnvironment

from support.served import served_application

from accel import conf
from accel.conductor.nova import Nova, connect

PATIENCE_SECONDS = 30
HOME = "nova-compute-1"
VERSION = "/v2.1"
"""May stand before every path, as in the catalogs of clouds."""


class Post(NamedTuple):
    """What came in at once."""

    events: list[dict[str, str]]
    headers: dict[str, str]

    @property
    def tags(self) -> list[str]:
        """The requests that it is about."""
        return [event["tag"] for event in self.events]


class Answer(NamedTuple):
    """What the stand-in says instead of what Nova would."""

    status: int
    body: object = {"computeFault": {"code": 500, "message": "Unexpected API Error."}}


class StandInNova:
    """A WSGI application. ``servers`` are the ones that there are, with their hosts."""

    def __init__(self) -> None:
        self.servers: dict[str, str] = {}
        """By UUID; without a host while none is chosen."""
        self.script: deque[Answer | str] = deque()
        """What the next posts are answered with: an answer; ``hang`` for none before ``let_go`` is set."""
        self.let_go = Event()
        self.sees_all = True
        """Whether whoever asks is an administrator."""
        self.posts: Queue[Post] = Queue()
        """What came in, in its order."""
        self.told: list[dict[str, str]] = []
        """The events that went on to a compute node."""
        self.url = ""
        self._lock = Lock()

    def next_post(self) -> Post:
        """What comes in next."""
        return self.posts.get(timeout=PATIENCE_SECONDS)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer."""
        path = environ["PATH_INFO"].removeprefix(VERSION)
        if path in {"", "/"}:
            status, body = 200, {"version": self._version()}
        elif path == "/os-server-external-events" and environ["REQUEST_METHOD"] == "POST":
            status, body = self._take(environ)
        elif path == "/servers":
            status, body = (200, {"servers": []}) if self.sees_all else _fault(403, "forbidden")
        elif path.startswith("/servers/"):
            uuid = path.removeprefix("/servers/")
            is_there = self.sees_all and uuid in self.servers
            status, body = (200, {"server": {"id": uuid}}) if is_there else _fault(404, "itemNotFound")
        else:
            status, body = 404, "The resource could not be found."
        start_response(f"{status} -", [("Content-Type", "application/json")])
        return [(body if isinstance(body, str) else json.dumps(body)).encode()]

    def _version(self) -> dict[str, object]:
        link = {"rel": "self", "href": f"{self.url}{VERSION}/"}
        return {"id": "v2.1", "status": "CURRENT", "version": "2.100", "min_version": "2.1", "links": [link]}

    def _take(self, environ: WSGIEnvironment) -> tuple[int, Any]:
        events = json.loads(environ["wsgi.input"].read())["events"]
        headers = {name: value for name, value in environ.items() if name.startswith("HTTP_")}
        self.posts.put(Post([dict(event) for event in events], headers))
        with self._lock:
            scripted = self.script.popleft() if self.script else None
        if scripted == "hang":
            assert self.let_go.wait(PATIENCE_SECONDS)
        elif isinstance(scripted, Answer):
            return scripted.status, scripted.body
        if not all(_is_uuid(event["server_uuid"]) for event in events):
            return _fault(400, "badRequest")
        for event in events:
            event["code"] = self._code(event["server_uuid"])
        with self._lock:
            self.told += [event for event in events if event["code"] == 200]
        return 200 if all(event["code"] == 200 for event in events) else 207, {"events": events}

    def _code(self, server: str) -> int:
        if server not in self.servers:
            return 404
        return 200 if self.servers[server] else 422


def _fault(code: int, name: str) -> tuple[int, object]:
    return code, {name: {"code": code, "message": f"This is {name}."}}


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


@contextmanager
def running_nova(port: int = 0, nova: StandInNova | None = None) -> Iterator[StandInNova]:
    """A stand-in that answers within the block.

    :param nova: one that has been away
    """
    nova = nova or StandInNova()
    with served_application(nova, port) as nova.url:
        try:
            yield nova
        finally:
            nova.let_go.set()


def options(url: str, **options: object) -> str:
    """The section of accel.conf of a Nova that asks nobody who they are."""
    wanted = {"auth_type": "none", "endpoint_override": url, "timeout": 15} | options
    return "\n".join(["[nova]", *(f"{name} = {value}" for name, value in wanted.items()), ""])


def connected(directory: Path, section: str) -> Nova:
    """Nova as a conductor with this section in its configuration knows it."""
    file = directory / "nova.conf"
    file.write_text(section)
    nova = connect(conf.load([], prog="test", default_config_files=[str(file)]))
    assert nova is not None
    return nova
