"""Events of the node in Kubernetes: that a device is not fit, why, and that it is again.

They are for people who look at a node with ``kubectl describe``. Nothing depends on them: where the API server is not
reachable, or does not let us, that is logged once, and the plugin does its work.
"""

import json
import logging
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from queue import Full, Queue
from threading import Thread
from typing import Any

from accel.model.device import Device, Health, Presence

_LOG = logging.getLogger(__name__)

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PATH = "/api/v1/namespaces/default/events"
"""Events of nodes, which are in no namespace, are kept in this one."""
_COMPONENT = "accel-device-plugin"
_MOST_WAITING = 200
_CALL_SECONDS = 10.0
_MAX_MESSAGE_LENGTH = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The way to the API server, as a pod has it."""

    host: str
    port: int
    account: Path = _ACCOUNT
    """The directory with ``token`` and ``ca.crt``; without the latter the connection is not encrypted, as for tests."""

    @classmethod
    def of_pod(cls, environment: Mapping[str, str]) -> "Access | None":
        """That of the pod that we are in; None where we are in none."""
        host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
        return cls(host=host, port=int(port)) if host and port.isdecimal() else None

    def connection(self) -> HTTPConnection:
        """A connection that is not made yet."""
        authority = self.account / "ca.crt"
        if not authority.exists():
            return HTTPConnection(self.host, self.port, timeout=_CALL_SECONDS)
        context = ssl.create_default_context(cafile=str(authority))
        return HTTPSConnection(self.host, self.port, timeout=_CALL_SECONDS, context=context)

    def token(self) -> str:
        """Read anew each time, because it is replaced from time to time."""
        return (self.account / "token").read_text().strip()


class NodeEvents:
    """Tells of changes, in a thread of its own; of too many at once, the last ones are left out."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._known: dict[str, str] = {}
        self._waiting: Queue[Mapping[str, Any] | None] = Queue(_MOST_WAITING)
        self._is_failing = False
        self._thread = Thread(target=self._send_all, name="events", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, once what waits is told."""
        self._waiting.put(None)
        self._thread.join(_CALL_SECONDS)

    def look(self, node: str, devices: tuple[Device, ...]) -> None:
        """Tell of each device that is not fit any more, or is again. One that was never known to be fit counts too."""
        for device in devices:
            trouble = _trouble(device)
            before = self._known.get(device.identity, "")
            self._known[device.identity] = trouble
            if trouble != before:
                self._add(_event(node, device, trouble))

    def _add(self, event: Mapping[str, Any]) -> None:
        try:
            self._waiting.put_nowait(event)
        except Full:
            _LOG.warning("An event is left out, because too many wait: %s", event["message"])

    def _send_all(self) -> None:
        while (event := self._waiting.get()) is not None:
            try:
                self._send(event)
            except (OSError, HTTPException) as error:
                if not self._is_failing:
                    _LOG.warning("Events of the node cannot be written: %s", error)
                self._is_failing = True
            else:
                self._is_failing = False

    def _send(self, event: Mapping[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {self._access.token()}", "Content-Type": "application/json"}
        connection = self._access.connection()
        try:
            connection.request("POST", _PATH, json.dumps(event), headers)
            answer = connection.getresponse()
            if answer.status >= 300:
                text = answer.read(_MAX_MESSAGE_LENGTH).decode(errors="replace")
                raise HTTPException(f"the API server answers {answer.status}: {text}")
        finally:
            connection.close()


def events_of_pod() -> NodeEvents | None:
    """Those of the cluster that we are in; None where we are in none."""
    access = Access.of_pod(os.environ)
    return NodeEvents(access) if access else None


def _trouble(device: Device) -> str:
    if device.presence is not Presence.PRESENT:
        return device.reason or "it is lost"
    if device.health is Health.HEALTHY:
        return ""
    return device.reason or f"its health is {device.health}"


def _event(node: str, device: Device, trouble: str) -> Mapping[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    name = f"{device.model} {device.identity}"
    message = f"{name} is not fit: {trouble}" if trouble else f"{name} is fit again"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "accel-", "namespace": "default"},
        "involvedObject": {"apiVersion": "v1", "kind": "Node", "name": node, "uid": node},
        "type": "Warning" if trouble else "Normal",
        "reason": "AcceleratorUnhealthy" if trouble else "AcceleratorHealthy",
        "message": message[:_MAX_MESSAGE_LENGTH],
        "source": {"component": _COMPONENT, "host": socket.gethostname()},
        "reportingComponent": _COMPONENT,
        "reportingInstance": node,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
