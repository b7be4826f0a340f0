"""Which image is loaded for a request: the one that its profile names, or one that has the function that it names."""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, select

from accel.db import image_orders, images
from accel.db.image_orders import Part
from accel.db.image_tables import Image, ImageId
from accel.db.images import ImageRow
from accel.db.scope import Scope
from accel.errors import Conflict, ImageMismatch, ImageRefused
from accel.model.image import ImagePurpose, normal_id
from accel.model.job import ImageOrder
from accel.model.profile import Group
from accel.model.registry import ImageState, Visibility
from accel.model.steps import BITSTREAM_KEY, FUNCTION_KEY, check_image_keys


class Choice(NamedTuple):
    """An image for a request, and where it goes."""

    order: ImageOrder
    part: Part
    is_loaded: bool
    """Whether it is there already."""


def check(
    connection: Connection, group: Group, project_id: str, deployable_id: int, *, requires_signature: bool
) -> None:
    """Make sure that there is an image; raises what ``choose`` raises."""
    choose(connection, group, project_id, deployable_id, requires_signature=requires_signature)


def choose(
    connection: Connection, group: Group, project_id: str, deployable_id: int, *, requires_signature: bool
) -> Choice:
    """The image that a group of a profile wants in a part of a device.

    What has a function is looked for among the images of the project, the newest first, and then among public ones:
    nobody slips an image under another project's function by sharing it.

    :raises InvalidValue: the group names an image in two ways
    :raises NotFound: the project sees no such image
    :raises ImageMismatch: it was built for another region
    :raises ImageRefused: it is not to be loaded, as ``image_orders.order_of`` says
    :raises Conflict: it is a card's shell, or no image has the function and can be loaded
    """
    check_image_keys(group)
    if group.get(BITSTREAM_KEY):
        row = image_orders.find_image(connection, group[BITSTREAM_KEY], scope=Scope(project_id=project_id))
        return _choice(connection, row, deployable_id, requires_signature=requires_signature)
    function = normal_id(group.get(FUNCTION_KEY, ""))
    reasons = []
    for row in _with_function(connection, function, project_id):
        try:
            return _choice(connection, row, deployable_id, requires_signature=requires_signature)
        except (ImageRefused, ImageMismatch, Conflict) as error:
            reasons.append(str(error))
    because = f": {'; '.join(reasons)}" if reasons else ", nor does a public one"
    raise Conflict(f"no image of the project has the function {group.get(FUNCTION_KEY)} and can be loaded{because}")


def _choice(connection: Connection, row: ImageRow, deployable_id: int, *, requires_signature: bool) -> Choice:
    if row.purpose == ImagePurpose.SHELL:
        raise Conflict(f"image {row.title} is the shell of a card, which administrators alone load")
    lists = images.lists_of(connection, [row])[row.id]
    order = image_orders.order_of(row, lists, requires_signature=requires_signature)
    part = image_orders.part_for(connection, deployable_id, row, lists)
    return Choice(order, part, image_orders.is_loaded(row, lists, part))


def _with_function(connection: Connection, function: str, project_id: str) -> Iterator[ImageRow]:
    """The images that have a function, the best first."""
    has_it = Image.id.in_(select(ImageId.image_id).where(ImageId.value == function, ImageId.of == images.FUNCTION))
    may_be_used = (Image.project_id == project_id) | (Image.visibility == Visibility.PUBLIC)
    found = connection.scalars(
        select(Image.uuid)
        .where(has_it, may_be_used, Image.state == ImageState.READY)
        .order_by((Image.project_id != project_id).asc(), Image.id.desc())
    ).all()
    for uuid in found:
        yield images.get(connection, uuid, scope=Scope(project_id=project_id))
