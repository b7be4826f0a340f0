"""Which image is loaded for a request: by name or by function, for the project that asks, into the region that fits."""

from typing import Any

import pytest
from sqlalchemy import update
from support.clocks import Clock
from support.databases import counted_statements
from support.images import gbs, xclbin
from support.inventory import Inventory
from support.registered import announce, send, sha256

from accel import signing
from accel.db import image_choice, image_keys
from accel.db.engine import Database
from accel.db.events import Origin
from accel.db.image_choice import Choice
from accel.db.image_tables import Image
from accel.db.images import ImageRow
from accel.errors import (
    AccelError,
    Conflict,
    ImageMismatch,
    ImageNotReady,
    InvalidValue,
    KeyRevoked,
    NotFound,
    SignatureMissing,
)
from accel.model.image import ImagePurpose
from accel.model.registry import NewKey, Visibility

REGION, OTHER_REGION = "f64e598bea11517fa28e7bc65d885104", "ce48969398f05f33946d560708be108a"
FUNCTION, OTHER_FUNCTION = "d8424dc4a4a3c413f89e433683f9040b", "1" * 32
PRIVATE = signing.new_private_key()


class Registry:
    """Images, and a card with regions to load them into."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = Clock()
        self.inventory = Inventory(database, first=1000)
        self.device = self.inventory.device(self.inventory.node(), type="FPGA")
        self.card = self.inventory.deployable(self.device, "card", kind="card")
        self.numbers = iter(range(100))
        self.keys: dict[str, int] = {}

    def region(self, interface: str = REGION, **facts: str) -> dict[str, Any]:
        """A region of the card."""
        name = f"region{next(self.numbers)}"
        columns = {"bitstream_id": facts.pop("bitstream_id", None)}
        part = self.inventory.deployable(self.device, name, kind="region", parent_id=self.card["id"], **columns)
        for key, value in {"interface_id": interface, **facts}.items():
            self.inventory.attribute(part, key, value, driver_key=key)
        return part

    def image(
        self, content: bytes | None = None, *, project: str = "own", is_signed: bool = True, **columns: Any
    ) -> ImageRow:
        """An image of a project, as a rule signed."""
        content = content or gbs(REGION, FUNCTION)
        row = announce(self.database, self.clock, project_id=project, version=str(next(self.numbers)), **columns)
        row = send(self.database, row, [content], self.clock)
        if is_signed:
            values = {"signature": signing.sign(PRIVATE, sha256(content)), "key_id": self.key(project)}
            with self.database.writer() as connection:
                connection.execute(update(Image).where(Image.id == row.id).values(values))
        return row

    def key(self, project: str) -> int:
        """The key of a project."""
        if project not in self.keys:
            new = NewKey(
                uuid=f"00000000-0000-4000-8000-{len(self.keys):012}",
                project_id=project,
                name="release",
                public_key=signing.public_key_of(PRIVATE),
            )
            origin = Origin(at=self.clock())
            with self.database.writer() as connection:
                self.keys[project] = image_keys.create(connection, new, origin=origin).id
        return self.keys[project]

    def choose(self, group: dict[str, str], *, project: str = "own", requires_signature: bool = True) -> Choice:
        with self.database.reader() as connection:
            return image_choice.choose(
                connection, group, project, self.card["id"], requires_signature=requires_signature
            )

    def refused(self, group: dict[str, str], error: type[AccelError], *, project: str = "own") -> str:
        with pytest.raises(error) as caught:
            self.choose(group, project=project)
        return str(caught.value)


@pytest.fixture
def registry(any_database: Database) -> Registry:
    return Registry(any_database)


def by_name(row: ImageRow) -> dict[str, str]:
    return {"accel:bitstream_id": row.uuid}


BY_FUNCTION = {"accel:function_id": "D8424DC4-A4A3-C413-F89E-433683F9040B"}


def test_the_image_that_is_named_goes_into_the_region_that_fits(registry: Registry) -> None:
    registry.region(OTHER_REGION)
    fitting, row = registry.region(REGION), registry.image()
    choice = registry.choose(by_name(row))

    assert (choice.part.uuid, choice.order.digest, choice.is_loaded) == (fitting["uuid"], f"sha256:{row.digest}", False)
    assert choice.order.metadata["uuid"] == row.uuid
    assert choice.order.metadata["function_ids"] == FUNCTION


def test_the_newest_image_of_the_own_project_with_the_function_is_chosen_before_public_ones(registry: Registry) -> None:
    registry.region()
    registry.image(visibility=Visibility.PUBLIC, project="foreign")
    old, new = registry.image(), registry.image()
    registry.image(gbs(REGION, OTHER_FUNCTION))

    assert old.uuid != new.uuid
    assert registry.choose(BY_FUNCTION).order.metadata["uuid"] == new.uuid


def test_nobody_slips_an_image_under_a_function_by_sharing_it(registry: Registry) -> None:
    registry.region()
    shared = registry.image(project="foreign", visibility=Visibility.SHARED, projects=("own",))

    assert "no image of the project has the function" in registry.refused(BY_FUNCTION, Conflict)
    assert registry.choose(by_name(shared)).order.metadata["uuid"] == shared.uuid
    public = registry.image(project="foreign", visibility=Visibility.PUBLIC)
    assert registry.choose(BY_FUNCTION).order.metadata["uuid"] == public.uuid


def test_of_images_with_the_function_those_that_cannot_be_loaded_are_passed_over(registry: Registry) -> None:
    registry.region()
    good = registry.image()
    registry.image(is_signed=False)
    registry.image(gbs(OTHER_REGION, FUNCTION))

    assert registry.choose(BY_FUNCTION).order.metadata["uuid"] == good.uuid


def test_when_none_can_be_loaded_all_reasons_are_told(registry: Registry) -> None:
    registry.region()
    registry.image(is_signed=False)
    registry.image(gbs(OTHER_REGION, FUNCTION))

    said = registry.refused(BY_FUNCTION, Conflict)
    assert "is not signed" in said
    assert "was built for another region" in said


def test_an_image_of_another_project_is_not_there(registry: Registry) -> None:
    registry.region()
    row = registry.image(project="foreign")
    assert registry.refused(by_name(row), NotFound) == f"Image not found: {row.uuid}"


def test_what_is_wrong_with_the_image_is_said(registry: Registry) -> None:
    registry.region()
    assert "not signed" in registry.refused(by_name(registry.image(is_signed=False)), SignatureMissing)
    assert "another region" in registry.refused(by_name(registry.image(gbs(OTHER_REGION, FUNCTION))), ImageMismatch)
    waiting = announce(registry.database, registry.clock)
    assert "it is awaiting" in registry.refused(by_name(waiting), ImageNotReady)
    both = {**by_name(waiting), **BY_FUNCTION}
    assert "one of both is enough" in registry.refused(both, InvalidValue)


def test_what_a_revoked_key_has_signed_is_not_loaded(registry: Registry) -> None:
    registry.region()
    row = registry.image()
    origin = Origin(at=registry.clock())
    with registry.database.writer() as connection:
        uuid = f"00000000-0000-4000-8000-{0:012}"
        image_keys.revoke(connection, uuid, scope=image_choice.Scope(sees_all=True), origin=origin)
    assert "revoked" in registry.refused(by_name(row), KeyRevoked)


def test_a_shell_is_loaded_by_nobody_s_request(registry: Registry) -> None:
    registry.region()
    row = registry.image(xclbin("2" * 32, is_shell=True))
    assert row.purpose == ImagePurpose.SHELL
    assert "administrators alone" in registry.refused(by_name(row), Conflict)


def test_an_image_that_fits_two_regions_of_a_card_is_not_guessed_about(registry: Registry) -> None:
    names = [registry.region()["name"] for _ in range(2)]
    said = registry.refused(by_name(registry.image()), Conflict)
    assert all(name in said for name in names)


@pytest.mark.parametrize(
    ("sees", "expected"), [({}, [True]), ({"afu_id": FUNCTION}, [True]), ({"afu_id": "3" * 32}, [False])]
)
def test_what_is_there_already_is_known_unless_the_driver_sees_something_else(
    sees: dict[str, str], expected: list[bool], registry: Registry
) -> None:
    row = registry.image()
    registry.region(bitstream_id=row.uuid, **sees)
    assert [registry.choose(by_name(row)).is_loaded] == expected


def test_where_no_signature_is_required_none_is_needed(registry: Registry) -> None:
    registry.region()
    row = registry.image(is_signed=False)
    assert registry.choose(by_name(row), requires_signature=False).order.signature == ""


def test_choosing_costs_the_same_however_many_regions_there_are(registry: Registry) -> None:
    row = registry.image()
    registry.region()

    def statements() -> int:
        with counted_statements(registry.database) as seen:
            registry.choose(by_name(row))
        return len(seen)

    once = statements()
    for _ in range(10):
        registry.region(OTHER_REGION)
    assert statements() == once == 5
