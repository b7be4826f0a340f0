"""RabbitMQ for tests: every test has a topic of its own, and its queues are gone afterwards.

The server is that of TEST_RABBITMQ_URL, by default the one of this machine. Where it is not there the test is skipped
and says so; where CI is set it fails.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import kombu
import pytest
from support.proxy import Proxy

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
        for queue in (topic, f"{topic}.conductor-1", f"{topic}.conductor-2", f"{topic}.node-1"):
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


@contextmanager
def broker_behind_proxy() -> Iterator[tuple[Proxy, str]]:
    """A way to the broker that can be cut, and the transport URL that goes that way."""
    parts = urlsplit(RABBITMQ_URL)
    with Proxy(parts.hostname or "127.0.0.1", parts.port or 5672) as proxy:
        yield proxy, parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}").geturl()
