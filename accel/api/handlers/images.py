"""Images for programmable devices: list, show, make, change, sign, delete."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from accel.api.call import Call
from accel.api.refusals import AccessRefused
from accel.api.uuids import checked_uuid
from accel.api.views import collection
from accel.api.views import images as views
from accel.db import image_keys, image_users, images
from accel.db.arrival import too_large
from accel.db.engine import Connection
from accel.db.images import ImageRow
from accel.db.rows import Values
from accel.errors import ImageNotReady, InvalidValue, KeyRevoked, SignatureInvalid
from accel.model import image_url, registry
from accel.model.registry import Facts, ImageKind, ImageSource, NewImage, Visibility
from accel.signing import is_signed_by

_NOT_SIGNED: Values = {"signature": None, "key_id": None}


def index(call: Call) -> dict[str, Any]:
    """All images that the query wants."""

    def read(connection: Connection) -> Any:
        page = images.find(connection, call.list_query, scope=call.scope)
        return page, images.lists_of(connection, page.rows)

    page, lists = call.database.read(read)
    bodies = [views.render(row, lists[row.id], scope=call.scope, base_url=call.base_url) for row in page.rows]
    return collection.render(call, "images", page, bodies)


def show(call: Call) -> dict[str, Any]:
    """One image, and where it is loaded."""

    def read(connection: Connection) -> dict[str, Any]:
        row = images.get(connection, call.arguments["uuid"], scope=call.scope)
        parts = image_users.holding_parts(connection, row.uuid, scope=call.scope)
        return _body(connection, call, row) | views.render_parts(parts)

    return call.database.read(read)


def create(call: Call) -> dict[str, Any]:
    """Make an image of the caller's project. Its bytes come after it.

    :raises AccessRefused: it is to be public, and an administrator's it is not
    :raises SignatureInvalid: no key of the project has made its signature
    :raises KeyRevoked: the one that has is revoked
    """
    new, signature = _new(call, call.body), call.body.get("signature")

    def transaction(connection: Connection) -> dict[str, Any]:
        signed = {} if signature is None else _signed(connection, new.project_id, new.name, new.digest, signature)
        return _body(connection, call, images.create(connection, new, signed=signed, origin=call.origin))

    return call.database.write(transaction)


def update(call: Call) -> dict[str, Any]:
    """Change what is given of an image; raises what ``create`` raises."""
    body = call.body
    changes: dict[str, Any] = {}
    if "name" in body:
        changes["name"] = registry.check_name(body["name"])
    if "version" in body:
        changes["version"] = registry.check_version(body["version"])

    def transaction(connection: Connection) -> dict[str, Any]:
        row = images.get_to_change(connection, call.arguments["uuid"], scope=call.scope)
        visibility, projects = _sight(call, body, row)
        signed = _changed_signature(connection, row, body["signature"]) if "signature" in body else {}
        wanted = changes | {"visibility": visibility} | signed
        after = images.change(connection, row, wanted, projects=projects, origin=call.origin)
        return _body(connection, call, after)

    return call.database.write(transaction)


def delete(call: Call) -> None:
    """Delete an image that nobody uses."""
    uuid, scope, origin = call.arguments["uuid"], call.scope, call.origin
    call.database.write(lambda connection: images.remove(connection, uuid, scope=scope, origin=origin))


def body_of(call: Call, row: ImageRow) -> dict[str, Any]:
    """The body of an image."""
    return call.database.read(lambda connection: _body(connection, call, row))


def _body(connection: Connection, call: Call, row: ImageRow) -> dict[str, Any]:
    lists = images.lists_of(connection, [row])[row.id]
    return views.render(row, lists, scope=call.scope, base_url=call.base_url)


def _new(call: Call, wanted: Mapping[str, Any]) -> NewImage:
    visibility = Visibility(wanted.get("visibility", Visibility.PRIVATE))
    _check_visibility(call, visibility)
    source = ImageSource(wanted.get("source", ImageSource.UPLOAD))
    digest, size = wanted.get("digest"), wanted.get("size_bytes")
    _check_announced(call, source, digest=digest, size=size)
    kind = wanted.get("kind")
    return NewImage(
        uuid=str(uuid4()),
        project_id=call.context.project_id or "",  # the policy lets nobody through who acts for none
        name=registry.check_name(wanted["name"]),
        version=registry.check_version(wanted.get("version", "")),
        facts=Facts(
            kind=ImageKind(kind) if kind else None,
            vendor=wanted.get("vendor", ""),
            platform=wanted.get("platform", ""),
            region_ids=registry.read_ids(wanted.get("region_ids", ()), field="region_ids"),
            function_ids=registry.read_ids(wanted.get("function_ids", ()), field="function_ids"),
        ),
        visibility=visibility,
        projects=registry.check_projects(visibility, wanted.get("projects", ())),
        source=source,
        source_ref=_source_ref(call, source, wanted.get("source_ref") or ""),
        digest=registry.read_digest(digest) if digest else "",
        size_bytes=size,
    )


def _check_announced(call: Call, source: ImageSource, *, digest: str | None, size: int | None) -> None:
    if digest is None and source is not ImageSource.GLANCE:
        raise InvalidValue("digest", None, "the SHA-256 of the bytes, as sha256sum writes it")
    if size is None and source is ImageSource.UPLOAD:
        raise InvalidValue("size_bytes", None, "the number of the bytes that will be sent")
    if size is not None and size > call.imaging.limits.size_bytes:
        raise too_large(size, call.imaging.limits)


def _source_ref(call: Call, source: ImageSource, text: str) -> str:
    if source is ImageSource.URL:
        image_url.read_origin(text, call.imaging.url_hosts)
    elif source is ImageSource.GLANCE:
        if not call.imaging.has_glance:
            raise InvalidValue("source", source.value, "configured here: [glance] auth_type is not set")
        return checked_uuid("source_ref", text)
    elif text:
        raise InvalidValue("source_ref", text, "right for an upload, which has none")
    return text


def _check_visibility(call: Call, visibility: Visibility) -> None:
    if visibility is Visibility.PUBLIC and not call.scope.sees_all:
        raise AccessRefused("An image is made public by administrators only; share it with projects instead")


def _sight(call: Call, body: Mapping[str, Any], row: ImageRow) -> tuple[Visibility, tuple[str, ...] | None]:
    """Who is to see an image: its visibility, and the projects that it is shared with, None for those of before."""
    visibility = Visibility(body.get("visibility", row.visibility))
    if visibility != row.visibility:
        _check_visibility(call, visibility)
    if "projects" not in body and visibility == row.visibility:
        return visibility, None
    return visibility, registry.check_projects(visibility, body.get("projects", ()))


def _changed_signature(connection: Connection, row: ImageRow, signature: str | None) -> Values:
    if signature is None:
        return _NOT_SIGNED
    if row.digest is None:
        raise ImageNotReady(f"image {row.title} can be signed when its digest is known: it is {row.state}")
    return _signed(connection, row.project_id, row.title, row.digest, signature)


def _signed(connection: Connection, project_id: str, name: str, digest: str, signature: str) -> Values:
    """The columns of a signature, with the key of the project that has made it.

    :raises SignatureInvalid: none has
    :raises KeyRevoked: it is revoked
    """
    text = registry.read_signature(signature)
    if not digest:
        raise InvalidValue("signature", text, "right for an image whose digest is not given")
    for key in image_keys.of_project(connection, project_id):
        if is_signed_by(key.public_key, digest=digest, signature=text):
            if key.revoked_at is not None:
                raise KeyRevoked(f"image {name} is signed with key {key.name}, which has been revoked: use another")
            return {"signature": text, "key_id": key.id}
    raise SignatureInvalid(f"image {name}: no key of its project has made this signature of {digest}")
