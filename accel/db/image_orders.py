"""From an image and what it is to be loaded into to the order that a node gets: whatever is wrong is found before."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from accel import signing
from accel.db import images
from accel.db.image_tables import Image
from accel.db.images import ImageRow, Lists
from accel.db.paging import AnySelect
from accel.db.scope import EVERYTHING, Scope
from accel.db.tables import Attribute, Deployable, Device
from accel.errors import Conflict, ImageMismatch, ImageNotReady, KeyRevoked, NotFound, SignatureMissing
from accel.model.device import DeployableKind, Presence
from accel.model.image import ImagePurpose, normal_id
from accel.model.job import ImageOrder
from accel.model.registry import DIGEST_PREFIX, ImageSource, ImageState, SignatureState

IMAGE_UUID = "uuid"
"""The key in an order's metadata under which the image's own UUID stands."""
_INTERFACE = "interface_id"
"""The fact by which drivers tell what an image must have been built for to fit a region."""
NAMES_ONE_BUILD = "image_id"
"""The fact by which drivers tell the id of what a region has loaded that no other build of it has."""
LOADED = ("afu_id", NAMES_ONE_BUILD)
"""The facts by which drivers tell what a region has loaded."""


class Part(NamedTuple):
    """A part of a device that an image may be loaded into, and what its driver says of it."""

    id: int
    uuid: str
    name: str
    kind: str
    presence: str
    bitstream_id: str | None
    device_uuid: str
    interfaces: frozenset[str]
    """What an image must have been built for; empty: not known."""
    loaded: frozenset[str]
    """The functions that it has now, or what its driver says in their place; empty: not known."""


_PARTS: AnySelect = (
    select(
        *(getattr(Deployable, name) for name in ("id", "uuid", "name", "kind", "presence", "bitstream_id")),
        Device.uuid.label("device_uuid"),
    )
    .join(Device, Device.id == Deployable.device_id)
    .order_by(Deployable.id)
)
_FACTS: AnySelect = select(Attribute.deployable_id, Attribute.driver_key, Attribute.value).where(
    Attribute.driver_key.in_([_INTERFACE, *LOADED])
)


def find_image(connection: Connection, uuid: str, *, scope: Scope) -> ImageRow:
    """The image that somebody names: by its UUID, or by the one that it has in Glance, whence it was fetched.

    :raises NotFound: there is none that the caller sees
    """
    try:
        return images.get(connection, uuid, scope=scope)
    except NotFound:
        fetched = select(Image.uuid).where(Image.source == ImageSource.GLANCE, Image.source_ref == uuid.lower())
        for known in connection.scalars(fetched.order_by(Image.id.desc())):
            try:
                return images.get(connection, known, scope=scope)
            except NotFound:
                continue
        raise


def order_of(row: ImageRow, lists: Lists, *, requires_signature: bool) -> ImageOrder:
    """What a node is told to load.

    :raises ImageNotReady: its bytes are not here
    :raises SignatureMissing: it is not signed, and must be
    :raises KeyRevoked: the key that has signed it is good no more
    :raises SignatureInvalid: its signature is not by that key
    """
    if row.state != ImageState.READY or row.digest is None or row.size_bytes is None:
        because = f": {row.reason}" if row.reason else ""
        raise ImageNotReady(f"image {row.title} cannot be loaded: it is {row.state}{because}")
    if row.signature_state is SignatureState.REVOKED:
        raise KeyRevoked(f"image {row.title} is signed with a key that has been revoked: sign it with another")
    if requires_signature and row.signature_state is SignatureState.MISSING:
        raise SignatureMissing(f"image {row.title} is not signed, and only signed images are loaded")
    order = ImageOrder(
        digest=f"{DIGEST_PREFIX}{row.digest}",
        size=row.size_bytes,
        name=row.title,
        signature=row.signature or "",
        public_key=row.public_key or "",
        metadata=_metadata(row, lists),
    )
    if order.signature:
        signing.check_signature(order)
    return order


def check_again(connection: Connection, order: Mapping[str, Any] | None) -> None:
    """Make sure that an image which was ordered once may still be loaded; nothing where there was none.

    :param order: an ``ImageOrder`` as jobs keep it
    :raises NotFound: it has been deleted
    :raises KeyRevoked: the key that has signed it is good no more
    """
    uuid = (order or {}).get("metadata", {}).get(IMAGE_UUID)
    if order is None or uuid is None:
        return
    row = images.get(connection, uuid, scope=EVERYTHING)
    order_of(row, images.lists_of(connection, [row])[row.id], requires_signature=bool(order["signature"]))


def part_for(connection: Connection, deployable_id: int, row: ImageRow, lists: Lists) -> Part:
    """The part of a device that an image is loaded into: the one that is named, or the one region of it that fits.

    :raises ImageMismatch: the image was built for another region
    :raises Conflict: it fits several regions; the text names them
    """
    parts = _parts_with(connection, deployable_id)
    named = next(part for part in parts if part.id == deployable_id)
    regions = [part for part in parts if part.kind == DeployableKind.REGION and part.presence == Presence.PRESENT]
    if row.purpose == ImagePurpose.SHELL:
        return named
    candidates = [named] if named.kind == DeployableKind.REGION or not regions else regions
    fitting = [part for part in candidates if _fits(part, lists)]
    if not fitting:
        raise ImageMismatch(_misfit(row, lists, candidates))
    if len(fitting) > 1:
        names = ", ".join(f"{part.name} ({part.uuid})" for part in fitting)
        raise Conflict(f"image {row.title} fits several regions of {named.name}; say which: {names}")
    return fitting[0]


def is_loaded(row: ImageRow, lists: Lists, part: Part) -> bool:
    """Whether a part has an image loaded, by what was recorded and by what its driver sees."""
    return part.bitstream_id == row.uuid and (not part.loaded or not part.loaded.isdisjoint(lists.function_ids))


def _parts_with(connection: Connection, deployable_id: int) -> list[Part]:
    """The parts of the device that a part is of."""
    device = select(Deployable.device_id).where(Deployable.id == deployable_id).scalar_subquery()
    rows = connection.execute(_PARTS.where(Deployable.device_id == device)).all()
    facts: dict[int, dict[bool, set[str]]] = {row.id: {True: set(), False: set()} for row in rows}
    for key, name, value in connection.execute(_FACTS.where(Attribute.deployable_id.in_(facts))):
        if name == _INTERFACE:
            facts[key][True] |= {normal_id(text) for text in value.split(",")} - {""}
        else:
            facts[key][False].add(normal_id(value) or value)
    return [Part._make((*row, frozenset(facts[row.id][True]), frozenset(facts[row.id][False]))) for row in rows]


def _fits(part: Part, lists: Lists) -> bool:
    """What is not known of either does not forbid it: the node looks again."""
    return not part.interfaces or not lists.region_ids or not part.interfaces.isdisjoint(lists.region_ids)


def _misfit(row: ImageRow, lists: Lists, parts: Iterable[Part]) -> str:
    regions = "; ".join(f"{part.name} is {', '.join(sorted(part.interfaces))}" for part in parts)
    return f"image {row.title} was built for another region: {', '.join(lists.region_ids)}, and {regions}"


def _metadata(row: ImageRow, lists: Lists) -> dict[str, str]:
    found = {
        IMAGE_UUID: row.uuid,
        "version": row.version,
        "kind": row.kind or "",
        "vendor": row.vendor,
        "platform": row.platform,
        "purpose": row.purpose,
        "region_ids": ", ".join(lists.region_ids),
        "function_ids": ", ".join(lists.function_ids),
    }
    return {name: value for name, value in found.items() if value}
