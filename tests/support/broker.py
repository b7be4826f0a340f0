"""RabbitMQ for tests: every test has a topic of its own, and its queues are gone afterwards.

The server is that of TEST_RABBITMQ_URL, by default the one of this machine. Where it is not there the test is skipped
and says so; where CI is set it fails.
"""

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import kombu
import pytest

from accel import conf
from accel.rpc.messaging import oslo_messaging, transport_of

RABBITMQ_URL = os.environ.get("TEST_RABBITMQ_URL", "rabbit://guest:guest@127.0.0.1:5672/")


@contextmanager
def broker_topic() -> Iterator[str]:
    """The name of a topic that nobody else uses."""
    topic = f"accel-test-{uuid.uuid4().hex}"
    broker = kombu.Connection(RABBITMQ_URL.replace("rabbit://", "amqp://", 1), connect_timeout=5)
    try:
        broker.ensure_connection(max_retries=1, interval_start=0.1)
    except (OSError, kombu.exceptions.OperationalError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no RabbitMQ at {RABBITMQ_URL}: {error}")
    try:
        yield topic
        for queue in (topic, f"{topic}.conductor-1"):
            broker.channel().queue_delete(queue)
    finally:
        broker.release()


@contextmanager
def opened_transport(directory: Path, url: str = RABBITMQ_URL) -> Iterator[oslo_messaging.Transport]:
    """A way to the broker, configured as a service's is, that leaves no connection behind."""
    file = directory / "broker.conf"
    file.write_text(f"[DEFAULT]\ntransport_url = {url}\n")
    transport = transport_of(conf.load([], prog="test", default_config_files=[str(file)]))
    try:
        yield transport
    finally:
        transport.cleanup()


class Proxy:
    """A TCP relay to the broker that can be cut: what a restart of the broker looks like from outside."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._sockets: list[socket.socket] = []
        self._listener: socket.socket | None = None
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]

    def up(self) -> None:
        """Take connections."""
        self._listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def down(self) -> None:
        """Cut all connections and refuse new ones."""
        listener, self._listener = self._listener, None
        victims, self._sockets = self._sockets, []
        for victim in ([listener] if listener else []) + victims:
            with suppress(OSError):
                victim.shutdown(socket.SHUT_RDWR)
            victim.close()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self._target)
                self._sockets += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=_relay, args=(source, sink), daemon=True).start()


def broker_behind_proxy() -> tuple[Proxy, str]:
    """A proxy to the broker, down at first, and the transport URL that goes through it."""
    parts = urlsplit(RABBITMQ_URL)
    proxy = Proxy(parts.hostname or "127.0.0.1", parts.port or 5672)
    return proxy, parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}").geturl()


def _relay(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
