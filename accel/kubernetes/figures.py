"""How the plugin itself is: figures for Prometheus, and an answer to whoever asks whether it works."""

import logging
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from accel.errors import ConfigurationError
from accel.kubernetes.endpoint import Endpoint
from accel.kubernetes.plugin import Plugin

_LOG = logging.getLogger(__name__)

_PREFIX = "accel_device_plugin_"
_Sample = tuple[str, float]
"""Labels as they are written, and the value."""


def metrics(plugin: Plugin) -> str:
    """All figures, in the text form of Prometheus."""
    endpoints = plugin.endpoints
    lines: list[str] = []
    for name, kind, text, value in _OF_RESOURCE:
        samples = [(_labels(resource=one.name), value(one)) for one in endpoints]
        lines += _family(name, kind, text, samples)
    lines += _family("devices", "gauge", "Devices of a resource, by health.", list(_devices(endpoints)))
    lines += _family("start_time_seconds", "gauge", "When the plugin was started.", [("", plugin.started_at)])
    lines += _family("agent_up", "gauge", "1 while the agent is heard.", [("", float(plugin.is_agent_heard))])
    held = [(label, 1.0) for label in _held(plugin)]
    return "\n".join([*lines, *_family("held", "gauge", "What pods have.", held)]) + "\n"


_OF_RESOURCE: tuple[tuple[str, str, str, Callable[[Endpoint], float]], ...] = (
    ("registered", "gauge", "1 while the kubelet follows the list.", lambda one: float(one.figures.streams > 0)),
    ("registrations_total", "counter", "Registrations that went well.", lambda one: one.figures.registrations),
    ("registration_failures_total", "counter", "Registrations that failed.", lambda one: one.figures.failures),
    ("lists_total", "counter", "Lists that were sent.", lambda one: one.figures.lists),
    ("last_list_timestamp_seconds", "gauge", "When the last list was sent.", lambda one: one.figures.last_list),
    ("preferences_total", "counter", "Questions about preference.", lambda one: one.figures.preferences),
    ("refusals_total", "counter", "Allocations that were refused.", lambda one: one.figures.refusals),
    ("allocate_seconds_count", "counter", "Allocations.", lambda one: one.figures.allocations),
    ("allocate_seconds_sum", "counter", "Time that allocations took.", lambda one: one.figures.allocate_seconds),
)


def _devices(endpoints: Sequence[Endpoint]) -> Iterator[_Sample]:
    for endpoint in endpoints:
        counted = endpoint.resource.counted
        healthy = sum(one.shares for one in counted if one.unit.is_healthy)
        yield _labels(resource=endpoint.name, health="healthy"), healthy
        yield _labels(resource=endpoint.name, health="unhealthy"), sum(one.shares for one in counted) - healthy


def _held(plugin: Plugin) -> Iterator[str]:
    for unit, who in sorted(plugin.held.items()):
        for holder in who:
            namespace, pod, container = (*holder.name.split("/"), "", "")[:3]
            yield _labels(namespace=namespace, pod=pod, container=container, device=unit)


def _labels(**labels: str) -> str:
    """Labels as Prometheus reads them."""
    escaped = {
        key: value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for key, value in labels.items()
    }
    return "{" + ",".join(f'{key}="{value}"' for key, value in escaped.items()) + "}"


def _family(name: str, kind: str, text: str, samples: list[_Sample]) -> list[str]:
    full = _PREFIX + name
    return [
        f"# HELP {full} {text}",
        f"# TYPE {full} {kind}",
        *(f"{full}{labels} {value:.15g}" for labels, value in samples),
    ]


class FiguresServer:
    """Answers at ``/metrics``, ``/healthz`` (whether all is well, and what is not) and ``/livez`` (whether we live).

    :param listen: ``host:port``
    """

    def __init__(self, plugin: Plugin, listen: str) -> None:
        host, _, port = listen.rpartition(":")
        try:
            self._server = ThreadingHTTPServer((host.strip("[]"), int(port)), _handler(plugin))
        except OSError as error:
            raise ConfigurationError(f"listen: {listen}: {error.strerror}") from error
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, name="figures", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(plugin: Plugin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer."""
            problems = plugin.problems
            match self.path.partition("?")[0]:
                case "/metrics":
                    self._say(HTTPStatus.OK, metrics(plugin))
                case "/livez" if plugin.is_alive:
                    self._say(HTTPStatus.OK, "ok\n")
                case "/livez":
                    self._say(HTTPStatus.SERVICE_UNAVAILABLE, "the agent is not followed any more: see the log\n")
                case "/healthz" if not problems:
                    self._say(HTTPStatus.OK, "ok\n")
                case "/healthz":
                    self._say(HTTPStatus.SERVICE_UNAVAILABLE, "".join(f"{problem}\n" for problem in problems))
                case _:
                    self._say(HTTPStatus.NOT_FOUND, "there are /metrics, /healthz and /livez\n")

        def _say(self, status: HTTPStatus, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the library has it
            """Say nothing of each question."""
            _LOG.debug(format, *args)

    return Handler
