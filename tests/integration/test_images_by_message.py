"""Images that a node reads from a conductor over a real broker."""

import gc
import os
from pathlib import Path

import pytest
from support.broker import broker_topic, opened_transport
from support.clocks import Clock
from support.registered import announce, send, sha256

from accel.conductor.images import ImageReader
from accel.conductor.manager import Limits, Manager
from accel.db.engine import Database
from accel.errors import ConductorRefused
from accel.model.registry import CHUNK_BYTES
from accel.rpc.client import ConductorClient
from accel.rpc.server import serve

pytestmark = [
    pytest.mark.rabbitmq,
    # Where a connection breaks, the library leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]
BYTES = os.urandom(CHUNK_BYTES + 1)


def test_a_node_reads_an_image_part_by_part(database: Database, tmp_path: Path) -> None:
    clock = Clock()
    send(database, announce(database, clock), [BYTES], clock)
    manager = Manager(database, clock, Limits())
    with broker_topic() as topic, opened_transport(tmp_path) as transport:
        server = serve(transport, manager, "conductor-1", topic=topic, images=ImageReader(database))
        server.start()
        try:
            client = ConductorClient(transport, topic=topic, timeout_seconds=10)
            parts = [client.read_image(sha256(BYTES), offset) for offset in (0, CHUNK_BYTES)]
            with pytest.raises(ConductorRefused, match="not found"):
                client.read_image(sha256(BYTES), 2 * CHUNK_BYTES)
        finally:
            server.stop()
            server.wait()
    gc.collect()

    assert b"".join(parts) == BYTES
