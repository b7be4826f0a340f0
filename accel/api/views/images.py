"""The bodies of images and of the keys that sign them."""

from typing import Any

from accel.db.image_keys import KeyRow
from accel.db.image_users import HoldingPart
from accel.db.images import ImageRow, Lists
from accel.db.scope import Scope
from accel.model.registry import DIGEST_PREFIX

_AS_THEY_ARE = ("uuid", "name", "version", "kind", "vendor", "platform")


def render(row: ImageRow, lists: Lists, *, scope: Scope, base_url: str) -> dict[str, Any]:
    """An image as a caller sees it: what only its project and administrators know of it is empty for others."""
    is_theirs = scope.knows(row.project_id)
    return {
        **{name: getattr(row, name) for name in _AS_THEY_ARE},
        "region_ids": lists.region_ids,
        "function_ids": lists.function_ids,
        "purpose": row.purpose,
        "visibility": row.visibility,
        "projects": lists.projects if is_theirs else (),
        "project_id": row.project_id,
        "source": row.source,
        "source_ref": row.source_ref if is_theirs else None,
        "state": row.state,
        "reason": row.reason if is_theirs else "",
        "digest": f"{DIGEST_PREFIX}{row.digest}" if row.digest else None,
        "size_bytes": row.size_bytes,
        "signature": row.signature,
        "signature_state": row.signature_state,
        "public_key": row.public_key,
        "key_uuid": row.key_uuid if is_theirs else None,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "links": [{"href": f"{base_url}/v2/images/{row.uuid}", "rel": "self"}],
    }


def render_parts(parts: list[HoldingPart]) -> dict[str, Any]:
    """Where an image is loaded."""
    return {"loaded_in": [part._asdict() for part in parts]}


def render_key(row: KeyRow, *, base_url: str) -> dict[str, Any]:
    """A key that signs images."""
    return {
        "uuid": row.uuid,
        "name": row.name,
        "public_key": row.public_key,
        "project_id": row.project_id,
        "revoked_at": row.revoked_at,
        "created_at": row.created_at,
        "links": [{"href": f"{base_url}/v2/image_keys/{row.uuid}", "rel": "self"}],
    }
