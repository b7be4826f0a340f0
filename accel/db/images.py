"""Images as the API reads, makes, changes and deletes them. Their bytes are in ``accel.db.image_contents``.

A caller sees the images of its own project, those that are shared with it, and public ones; it changes its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select, true, update

from accel.db import history
from accel.db.events import Origin
from accel.db.history import Entry
from accel.db.image_contents import drop_if_unused
from accel.db.image_tables import Image, ImageId, ImageKey, ImageProject
from accel.db.image_users import check_unused
from accel.db.paging import AnySelect, Listing, ListQuery, Page, as_stored
from accel.db.refs import may_be_called
from accel.db.rows import Values
from accel.db.scope import Scope
from accel.errors import Conflict, NotFound
from accel.model.event import EventKind
from accel.model.image import ImagePurpose, normal_id
from accel.model.registry import Facts, ImageKind, ImageSource, ImageState, NewImage, SignatureState, Visibility

REGION, FUNCTION = "region", "function"
"""What the ids of an image are of."""
"""What an id in the table of ids is of."""


class ImageRow(NamedTuple):
    """An image as the API shows it, but for what it has several of. Times are UTC without their zone."""

    id: int
    uuid: str
    project_id: str
    name: str
    version: str
    kind: str | None
    vendor: str
    platform: str
    purpose: str
    visibility: str
    source: str
    source_ref: str
    state: str
    reason: str
    digest: str | None
    size_bytes: int | None
    content_id: int | None
    signature: str | None
    created_at: datetime
    updated_at: datetime | None
    key_uuid: str | None
    public_key: str | None
    revoked_at: datetime | None

    @property
    def title(self) -> str:
        """What to call it in a sentence: name and version."""
        return f"{self.name} {self.version}".strip()

    @property
    def signature_state(self) -> SignatureState:
        """What there is to say of its signature, which was good when it was stored."""
        if self.signature is None:
            return SignatureState.MISSING
        return SignatureState.VALID if self.revoked_at is None else SignatureState.REVOKED


@dataclass(frozen=True, slots=True)
class Lists:
    """What an image has several of."""

    region_ids: tuple[str, ...] = ()
    function_ids: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    """Those that it is shared with."""


_NO_LISTS = Lists()
_COLUMNS: Mapping[str, Any] = {
    **{name: getattr(Image, name, None) for name in ImageRow._fields},
    **{name: as_stored(getattr(Image, name)) for name in ("created_at", "updated_at")},
    "key_uuid": ImageKey.uuid.label("key_uuid"),
    "public_key": ImageKey.public_key,
    "revoked_at": as_stored(ImageKey.revoked_at),
}
_SELECT: AnySelect = select(*_COLUMNS.values()).outerjoin(ImageKey, ImageKey.id == Image.key_id)
_TOLD = ("uuid", "name", "version", "kind", "visibility", "state", "digest", "size_bytes", "reason", "signature_state")
"""What events say of an image."""

_SIGNED: Mapping[str, ColumnElement[bool]] = {
    SignatureState.MISSING: Image.signature.is_(None),
    SignatureState.VALID: Image.signature.is_not(None) & ImageKey.revoked_at.is_(None),
    SignatureState.REVOKED: ImageKey.revoked_at.is_not(None),
}


def _has(of: str, text: str) -> ColumnElement[bool]:
    """Whether an image has an id."""
    return Image.id.in_(select(ImageId.image_id).where(ImageId.value == normal_id(text), ImageId.of == of))


LISTING = Listing(
    key=Image.id,
    uuid=Image.uuid,
    filters={
        **{
            name: getattr(Image, name).__eq__
            for name in ("name", "version", "kind", "vendor", "platform", "state", "visibility", "project_id")
        },
        "region_id": lambda text: _has(REGION, text),
        "function_id": lambda text: _has(FUNCTION, text),
        "digest": lambda digest: Image.digest == digest.removeprefix("sha256:").lower(),
        "signature_state": lambda state: _SIGNED[state],
        "ref": may_be_called(Image.uuid, Image.name),
    },
    sort_keys={name: getattr(Image, name) for name in ("uuid", "name", "size_bytes", "created_at", "updated_at")},
)


def find(connection: Connection, query: ListQuery, *, scope: Scope) -> Page[ImageRow]:
    """The images of a list.

    :raises InvalidValue: marker or sort key are wrong
    """
    return LISTING.read(connection, _SELECT.where(_visible(scope)), query, make=ImageRow._make)


def get(connection: Connection, uuid: str, *, scope: Scope) -> ImageRow:
    """One image.

    :raises NotFound: there is none that the caller sees
    """
    return _one(connection, uuid, _visible(scope))


def get_own(connection: Connection, uuid: str, *, scope: Scope) -> ImageRow:
    """One image of the caller's own.

    :raises NotFound: there is none that is the caller's
    """
    return _one(connection, uuid, scope.owns(Image.project_id))


def get_to_change(connection: Connection, uuid: str, *, scope: Scope) -> ImageRow:
    """One image of the caller's own; nobody else changes or deletes it before the end of the transaction.

    :raises NotFound: there is none that is the caller's
    """
    connection.execute(select(Image.id).where(Image.uuid == uuid.lower()).with_for_update()).all()
    return get_own(connection, uuid, scope=scope)


def lists_of(connection: Connection, rows: Iterable[ImageRow]) -> dict[int, Lists]:
    """What images have several of, by the images' keys."""
    keys = [row.id for row in rows]
    if not keys:
        return {}
    found: dict[int, dict[str, list[str]]] = {key: {} for key in keys}
    of_image = select(ImageId.image_id, ImageId.of, ImageId.value).where(ImageId.image_id.in_(keys))
    for key, of, value in connection.execute(of_image.order_by(ImageId.id)):
        found[key].setdefault(of, []).append(value)
    shared = select(ImageProject.image_id, ImageProject.project_id).where(ImageProject.image_id.in_(keys))
    for key, project_id in connection.execute(shared.order_by(ImageProject.project_id)):
        found[key].setdefault("projects", []).append(project_id)
    return {
        key: Lists(*(tuple(lists.get(name, ())) for name in (REGION, FUNCTION, "projects"))) if lists else _NO_LISTS
        for key, lists in found.items()
    }


def facts_of(row: ImageRow, lists: Lists) -> Facts:
    """What is known of an image."""
    return Facts(
        kind=ImageKind(row.kind) if row.kind else None,
        vendor=row.vendor,
        platform=row.platform,
        purpose=ImagePurpose(row.purpose),
        region_ids=lists.region_ids,
        function_ids=lists.function_ids,
    )


def create(connection: Connection, image: NewImage, *, signed: Values, origin: Origin) -> ImageRow:
    """Make an image, with its event.

    :param signed: its ``signature`` and ``key_id``; empty: it is not signed
    :raises Conflict: its project has another one of this name and version
    """
    _check_name(connection, image.project_id, image.name, image.version)
    state = ImageState.AWAITING if image.source is ImageSource.UPLOAD else ImageState.FETCHING
    values = {
        name: getattr(image, name)
        for name in ("uuid", "project_id", "name", "version", "visibility", "source", "source_ref", "size_bytes")
    }
    values |= {"digest": image.digest or None, "state": state, "reason": "", "created_at": origin.at}
    connection.execute(insert(Image).values(**values, **_columns(image.facts), **signed))
    row = _by_uuid(connection, image.uuid)
    _put_ids(connection, row.id, image.facts)
    _share(connection, row.id, image.projects)
    record(connection, EventKind.IMAGE_CREATED, row, None, told(row), origin=origin)
    return row


def change(
    connection: Connection,
    row: ImageRow,
    changes: Mapping[str, Any],
    *,
    projects: Sequence[str] | None = None,
    origin: Origin,
) -> ImageRow:
    """Change an image, with its event.

    :param row: from ``get_to_change`` in this transaction
    :param changes: columns and their new values
    :param projects: those that it is shared with from now on; None: as before
    :raises Conflict: its project has another one of this name and version
    """
    name, version = changes.get("name", row.name), changes.get("version", row.version)
    if (name, version) != (row.name, row.version):
        _check_name(connection, row.project_id, name, version)
    connection.execute(update(Image).where(Image.id == row.id).values(**changes, updated_at=origin.at))
    if projects is not None:
        connection.execute(delete(ImageProject).where(ImageProject.image_id == row.id))
        _share(connection, row.id, projects)
    after = _by_uuid(connection, row.uuid)
    record(connection, EventKind.IMAGE_CHANGED, after, *history.differing(told(row), told(after)), origin=origin)
    return after


def set_facts(connection: Connection, image_id: int, facts: Facts) -> None:
    """Write down what is known of an image, in place of what was known before."""
    connection.execute(update(Image).where(Image.id == image_id).values(**_columns(facts)))
    connection.execute(delete(ImageId).where(ImageId.image_id == image_id))
    _put_ids(connection, image_id, facts)


def remove(connection: Connection, uuid: str, *, scope: Scope, origin: Origin) -> None:
    """Delete an image with its event, and its bytes unless another image has them.

    :raises NotFound: there is none that is the caller's
    :raises Conflict: somebody uses it; the text says who
    """
    row = get_to_change(connection, uuid, scope=scope)
    check_unused(connection, row.uuid, row.title, scope=scope)
    for table in (ImageProject, ImageId):
        connection.execute(delete(table).where(table.image_id == row.id))
    connection.execute(delete(Image).where(Image.id == row.id))
    if row.content_id is not None:
        drop_if_unused(connection, row.content_id)
    record(connection, EventKind.IMAGE_DELETED, row, told(row), None, origin=origin)


def told(row: ImageRow) -> Values:
    """What an event says of an image."""
    return {name: getattr(row, name) for name in _TOLD}


def record(
    connection: Connection,
    kind: EventKind,
    row: ImageRow,
    before: Values | None,
    after: Values | None,
    *,
    origin: Origin,
) -> None:
    """Write an event of an image, with what was before and what is after."""
    entry = Entry(
        kind=kind,
        subject=row.title,
        source=origin.source,
        node=None,
        before=before,
        after=after,
        request_id=origin.request_id,
        project_id=None if row.visibility == Visibility.PUBLIC else row.project_id,
    )
    history.write(connection, [entry], origin.at)


def _visible(scope: Scope) -> ColumnElement[bool]:
    if scope.sees_all:
        return true()
    shared = select(ImageProject.image_id).where(ImageProject.project_id == scope.project_id)
    return or_(scope.owns(Image.project_id), Image.visibility == Visibility.PUBLIC, Image.id.in_(shared))


def _one(connection: Connection, uuid: str, condition: ColumnElement[bool]) -> ImageRow:
    found = connection.execute(_SELECT.where(Image.uuid == uuid.lower(), condition)).one_or_none()
    if found is None:
        raise NotFound("image", uuid)
    return ImageRow._make(found)


def _by_uuid(connection: Connection, uuid: str) -> ImageRow:
    return ImageRow._make(connection.execute(_SELECT.where(Image.uuid == uuid)).one())


def _check_name(connection: Connection, project_id: str, name: str, version: str) -> None:
    is_taken = (Image.project_id == project_id) & (Image.name == name) & (Image.version == version)
    other = connection.execute(select(Image.uuid).where(is_taken)).first()
    if other is not None:
        called = f"{name} of version {version}" if version else f"{name} without a version"
        raise Conflict(f"name: the project has an image {called} already, {other.uuid}")


def _columns(facts: Facts) -> Values:
    return {name: getattr(facts, name) for name in ("kind", "vendor", "platform", "purpose")}


def _put_ids(connection: Connection, image_id: int, facts: Facts) -> None:
    of = [(REGION, value) for value in facts.region_ids] + [(FUNCTION, value) for value in facts.function_ids]
    if of:
        rows = [{"image_id": image_id, "of": one, "value": value} for one, value in of]
        connection.execute(insert(ImageId), rows)


def _share(connection: Connection, image_id: int, projects: Sequence[str]) -> None:
    if projects:
        connection.execute(insert(ImageProject), [{"image_id": image_id, "project_id": one} for one in projects])
