"""The life of one resource beside a kubelet's.

A kubelet forgets its plugins when it restarts, deletes their sockets, and never comes back by itself. What tells of it
is any of three things: the stream of the list ends, our socket is gone, the kubelet's socket is another file. Each time
we end what is left of the old server, serve at a new socket and register again; a name is never used twice, so nothing
that is late about an old socket can touch the new one.

Where the kubelet watches a directory of plugins there is nothing to do but to serve: it comes by itself. It does not
come again to a socket that it knows, though, so there too a list that has ended is served anew at a new socket.
"""

import logging
import os
import time
from collections import deque
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

from accel.errors import AccelError, CallFailed, SocketUnavailable
from accel.kubernetes.endpoint import SERVICE, VERSION, Endpoint
from accel.protos import kubelet_device_plugin_v1beta1_pb2 as wire
from accel.protos import kubelet_plugin_registration_v1_pb2 as watcher
from accel.sockets.client import Client
from accel.sockets.server import Call, Server, is_served, methods_of

_LOG = logging.getLogger(__name__)

KUBELET_SOCKET = "kubelet.sock"

_REGISTRATION = wire.DESCRIPTOR.services_by_name["Registration"]
_WATCHED = watcher.DESCRIPTOR.services_by_name["Registration"]

_LOOK_SECONDS = 0.2
"""How often the sockets' files are looked at."""
_REGISTER_SECONDS = 15.0
"""A kubelet calls back before it answers, and gives that ten seconds."""
_FIRST_PATIENCE_SECONDS = 2.0
"""Until it must have begun to follow the list: one of 1.20 answers before it calls back, and may not get there."""
_FIRST_RETRY_SECONDS = 0.2
_LONGEST_RETRY_SECONDS = 10.0
_PERMANENT_RETRY_SECONDS = 60.0
"""After an error that trying again does not mend."""
_PERMANENT = ("is not supported by kubelet", "is invalid")
_RIVAL_ENDS = 5
_RIVAL_SECONDS = 30.0
"""So many ends of the list in so short a time are no restarts: somebody else registers the same resource."""

_Numbers = count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where plugins and kubelet meet."""

    directory: Path
    """The kubelet's, with its socket and those of plugins."""
    registry: Path | None = None
    """The directory that the kubelet watches for plugins; None: we register."""

    @property
    def kubelet(self) -> Path:
        """The kubelet's socket."""
        return self.directory / KUBELET_SOCKET


class Registration:
    """Serves an endpoint and sees to it that the kubelet knows it, from ``start`` to ``stop``."""

    def __init__(self, endpoint: Endpoint, place: Place) -> None:
        self._endpoint = endpoint
        self._place = place
        self._server: Server | None = None
        self._registered_with: tuple[int, int] | None = None
        self._is_stopped = Event()
        self._stir = Event()
        self._is_followed = False
        self._expected_at = 0.0
        self._patience_seconds = _FIRST_PATIENCE_SECONDS
        self._ends: deque[float] = deque(maxlen=_RIVAL_ENDS)
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._next_try = 0.0
        self._thread = Thread(target=self._live, name=f"register {endpoint.name}", daemon=True)
        endpoint.on_follow(self._followed, self._stir.set)

    def start(self) -> None:
        """Begin; what an earlier run was killed over is taken away first."""
        for directory in filter(None, (self._place.directory, self._place.registry)):
            for path in directory.glob(f"{_socket_prefix(self._endpoint.name)}*.sock"):
                if not is_served(path):
                    path.unlink(missing_ok=True)
        self._thread.start()

    def stop(self) -> None:
        """End: when it returns, the socket is gone."""
        self._is_stopped.set()
        self._stir.set()
        self._thread.join()
        self._end_server()

    @property
    def is_registered(self) -> bool:
        """Whether a kubelet follows the list."""
        return self._endpoint.figures.streams > 0

    def _followed(self) -> None:
        """Somebody follows the list at the server that there is now."""
        self._is_followed = True

    @property
    def _has_ended(self) -> bool:
        """Whether it was followed, and is not any more."""
        return self._is_followed and not self.is_registered

    def _live(self) -> None:
        while not self._is_stopped.is_set():
            if self._place.registry is None:
                self._register_if_needed()
            else:
                self._be_found(self._place.registry)
            self._stir.wait(_LOOK_SECONDS)
            self._stir.clear()

    # --- we register ---

    def _register_if_needed(self) -> None:
        kubelet = identity(self._place.kubelet)
        if kubelet is None:
            self._endpoint.figures.trouble = f"{self._place.kubelet} is not there: is the kubelet running?"
            return
        is_new = kubelet != self._registered_with
        has_ended = self._has_ended
        now = time.monotonic()
        is_ignored = not self._is_followed and now >= self._expected_at
        is_quiet = now >= self._next_try
        if not (is_new or has_ended or is_ignored) and self._server is not None and self._server.is_there:
            if is_quiet and self.is_registered:
                self._endpoint.figures.trouble = ""
                self._patience_seconds = _FIRST_PATIENCE_SECONDS
            return
        if not is_quiet:
            return
        self._register(kubelet)
        if has_ended and not is_new:
            self._look_for_rival()

    def _register(self, kubelet: tuple[int, int]) -> None:
        figures = self._endpoint.figures
        try:
            self._serve(self._place.directory / _socket_name(self._endpoint.name), {})
            self._call_kubelet()
        except AccelError as error:
            figures.failures += 1
            self._registered_with = None
            self._put_off(error)
            return
        figures.registrations += 1
        figures.trouble = ""
        self._registered_with = kubelet
        self._expected_at = time.monotonic() + self._patience_seconds
        self._patience_seconds *= 2
        self._retry_seconds = _FIRST_RETRY_SECONDS
        _LOG.info("%s is registered", self._endpoint.name)

    def _call_kubelet(self) -> None:
        server = self._server
        assert server is not None  # noqa: S101 - for the type: it has just been made
        client = Client(self._place.kubelet, _REGISTRATION)
        try:
            client.call(
                "Register",
                wire.RegisterRequest(
                    version=VERSION,
                    endpoint=server.path.name,
                    resource_name=self._endpoint.name,
                    options=self._endpoint.wanted(),
                ),
                timeout_seconds=_REGISTER_SECONDS,
            )
        finally:
            client.close()

    def _put_off(self, error: AccelError) -> None:
        is_permanent = isinstance(error, CallFailed) and any(text in error.text for text in _PERMANENT)
        if self._endpoint.figures.trouble != str(error):
            _LOG.warning("%s cannot be registered: %s", self._endpoint.name, error)
        self._endpoint.figures.trouble = str(error)
        pause = _PERMANENT_RETRY_SECONDS if is_permanent else self._retry_seconds
        self._next_try = time.monotonic() + pause
        if not isinstance(error, SocketUnavailable):  # of a kubelet that is about to start, the next look may find it
            self._retry_seconds = min(self._retry_seconds * 2, _LONGEST_RETRY_SECONDS)

    def _look_for_rival(self) -> None:
        """A list that ends again and again under a kubelet that does not restart has been taken over by another."""
        now = time.monotonic()
        self._ends.append(now)
        if len(self._ends) == _RIVAL_ENDS and now - self._ends[0] < _RIVAL_SECONDS:
            trouble = f"another plugin seems to register {self._endpoint.name} too: the kubelet takes the last one"
            _LOG.error("%s", trouble)
            self._endpoint.figures.trouble = trouble
            self._next_try = now + _RIVAL_SECONDS
            self._ends.clear()

    # --- the kubelet finds us ---

    def _be_found(self, registry: Path) -> None:
        if self._server is not None and self._server.is_there and not self._has_ended:
            return
        handlers: Any = {"GetInfo": self._info, "NotifyRegistrationStatus": self._notified}
        try:
            path = registry / f"{_socket_name(self._endpoint.name).removesuffix('.sock')}-reg.sock"
            self._serve(path, methods_of(_WATCHED, handlers))
        except AccelError as error:
            self._endpoint.figures.trouble = str(error)

    def _info(self, _: watcher.InfoRequest, __: Call) -> watcher.PluginInfo:
        path = str(self._server.path) if self._server else ""
        return watcher.PluginInfo(
            type="DevicePlugin", name=self._endpoint.name, endpoint=path, supported_versions=[VERSION]
        )

    def _notified(self, status: watcher.RegistrationStatus, _: Call) -> watcher.RegistrationStatusResponse:
        figures = self._endpoint.figures
        if status.plugin_registered:
            figures.registrations += 1
            figures.trouble = ""
        else:
            figures.failures += 1
            figures.trouble = status.error
            _LOG.warning("%s cannot be registered: %s", self._endpoint.name, status.error)
        return watcher.RegistrationStatusResponse()

    # --- the server ---

    def _serve(self, path: Path, more: Any) -> None:
        """Serve at a new socket, and no longer at the one before."""
        self._end_server()
        self._is_followed = False
        server = Server(path, {**methods_of(SERVICE, self._endpoint.methods()), **more})
        server.start()
        self._server = server

    def _end_server(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.stop()


def _socket_prefix(resource: str) -> str:
    """What the names of all sockets of a resource begin with; short, because the whole path is limited."""
    return f"accel-{sha256(resource.encode()).hexdigest()[:8]}-"


def _socket_name(resource: str) -> str:
    """Never the same twice."""
    return f"{_socket_prefix(resource)}{os.getpid()}-{next(_Numbers)}.sock"


def identity(path: Path) -> tuple[int, int] | None:
    """Which file is there; a socket that is made anew is another one even where it gets the same number."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns
