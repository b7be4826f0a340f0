"""What is recorded as loaded, when a driver sees that somebody has loaded something else; on every database."""

from typing import Any

import pytest
from sqlalchemy import select, update
from support.clocks import Clock
from support.databases import counted_statements
from support.images import gbs, xclbin
from support.registered import announce, send
from support.reports import NODE, address, answer, gpu, report

from accel.conductor.manager import Limits, Manager
from accel.db import image_choice
from accel.db.engine import Database
from accel.db.tables import Deployable, Event
from accel.model import device as model
from accel.model.device import Attribute, DeployableKind, DeviceType

REGION, FUNCTION, OTHER = "f64e598bea11517fa28e7bc65d885104", "d8424dc4a4a3c413f89e433683f9040b", "1" * 32


class Watched:
    """A node with an FPGA, and images."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = Clock()
        self.manager = Manager(database, self.clock, Limits())
        self.number = 0

    def sees(self, fact: str = "", value: str = "") -> None:
        """The agent reports what the driver sees in the region; nothing: it does not see it."""
        self.number += 1
        whole = f"{NODE}_{address(1)}"
        attributes = [Attribute(key="interface_id", value=REGION)]
        attributes += [Attribute(key=fact, value=value)] if fact else []
        region = model.Deployable(
            name=f"{whole}_region0",
            kind=DeployableKind.REGION,
            parent=whole,
            num_accelerators=0,
            attributes=tuple(attributes),
        )
        board = gpu(1, type=DeviceType.FPGA)
        board = gpu(1, type=DeviceType.FPGA, deployables=(*board.deployables, region))
        self.manager.report(report(answer(board, driver="intel_fpga"), sequence=self.number))

    def image(self, content: bytes, version: str = "1") -> str:
        """Register an image; its UUID."""
        return send(self.database, announce(self.database, self.clock, version=version), [content], self.clock).uuid

    def record(self, image: str | None) -> None:
        """Write down what a job has loaded."""
        with self.database.writer() as connection:
            is_region = Deployable.kind == DeployableKind.REGION
            connection.execute(update(Deployable).where(is_region).values(bitstream_id=image))

    @property
    def recorded(self) -> str | None:
        with self.database.reader() as connection:
            return connection.scalar(select(Deployable.bitstream_id).where(Deployable.kind == DeployableKind.REGION))

    def told(self) -> list[dict[str, Any]]:
        """What the events about the record say that it is."""
        with self.database.reader() as connection:
            events = connection.execute(
                select(Event.after).where(Event.kind == "deployable.changed").order_by(Event.id)
            )
            return [after for (after,) in events if "bitstream_id" in after]

    def is_loaded(self, image: str) -> bool:
        """Whether a request that asks for an image finds it loaded."""
        with self.database.reader() as connection:
            region = connection.scalars(select(Deployable.id).where(Deployable.kind == DeployableKind.REGION)).one()
            group = {"accel:bitstream_id": image}
            return image_choice.choose(connection, group, "own", region, requires_signature=False).is_loaded


@pytest.fixture
def node(any_database: Database) -> Watched:
    return Watched(any_database)


def test_a_record_that_fits_what_is_seen_stays(node: Watched) -> None:
    image = node.image(gbs(REGION, FUNCTION))
    node.sees("afu_id", OTHER)
    node.record(image)
    node.sees("afu_id", FUNCTION)

    assert (node.recorded, node.told(), node.is_loaded(image)) == (image, [], True)


def test_another_function_clears_the_record_and_says_why_and_the_image_is_loaded_again(node: Watched) -> None:
    image = node.image(gbs(REGION, FUNCTION))
    node.sees("afu_id", FUNCTION)
    node.record(image)
    node.sees("afu_id", OTHER)

    assert (node.recorded, node.is_loaded(image)) == (None, False)
    assert node.told() == [{"bitstream_id": None, "reason": f"driver intel_fpga sees {OTHER} loaded"}]


def test_what_an_image_does_says_not_which_build_it_is(node: Watched) -> None:
    image = node.image(gbs(REGION, FUNCTION))
    node.sees("afu_id", OTHER)
    node.sees("afu_id", FUNCTION)

    assert (node.recorded, node.is_loaded(image)) == (None, False)


def test_the_id_of_one_build_is_the_image_that_is_registered_with_it(node: Watched) -> None:
    old, new = node.image(xclbin(FUNCTION, interfaces=[REGION])), node.image(xclbin(OTHER, interfaces=[REGION]), "2")
    node.sees("image_id", FUNCTION)
    node.record(old)
    node.sees("image_id", OTHER)
    assert (node.recorded, node.is_loaded(new), node.is_loaded(old)) == (new, True, False)

    node.sees("image_id", "2" * 32)
    assert node.recorded is None


def test_an_id_that_two_images_have_is_none_of_them(node: Watched) -> None:
    for version in ("1", "2"):
        node.image(xclbin(OTHER, interfaces=[REGION]), version)
    node.sees("image_id", FUNCTION)
    node.sees("image_id", OTHER)

    assert node.recorded is None


def test_a_card_that_has_lost_what_was_loaded_has_nothing(node: Watched) -> None:
    image = node.image(xclbin(FUNCTION, interfaces=[REGION]))
    node.sees("image_id", FUNCTION)
    node.record(image)
    node.sees("image_id", "none")

    assert (node.recorded, node.is_loaded(image)) == (None, False)


def test_what_is_out_of_sight_is_as_it_was(node: Watched) -> None:
    image = node.image(gbs(REGION, FUNCTION))
    node.sees("afu_id", FUNCTION)
    node.record(image)
    node.sees()

    assert (node.recorded, node.is_loaded(image)) == (image, True)


def test_a_report_that_tells_of_nothing_else_loaded_costs_nothing(node: Watched) -> None:
    node.sees("afu_id", FUNCTION)
    node.sees("device_node", "/dev/dfl-port.0")
    with counted_statements(node.database) as statements:
        node.sees("device_node", "/dev/dfl-port.1")

    assert not any("bitstream_id" in statement or "image_ids" in statement for statement in statements)
