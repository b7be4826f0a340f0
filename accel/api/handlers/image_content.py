"""The bytes of images: send, read."""

from typing import Any

from accel.api.call import Bytes, Call
from accel.api.environment import Stream
from accel.api.handlers.images import body_of
from accel.api.refusals import BadRequest
from accel.db import image_contents, images
from accel.db.arrival import Arrival, too_large
from accel.db.engine import Connection
from accel.db.images import ImageRow
from accel.errors import Conflict, ImageNotReady, InvalidValue
from accel.model.registry import CHUNK_BYTES, ImageSource, ImageState


def upload(call: Call) -> dict[str, Any]:
    """Send the bytes of an image, once and all of them.

    :raises Conflict: it has them, or gets them from elsewhere
    :raises ImageTooLarge: they are more than an image may have
    :raises InvalidValue: they are not as many as was announced, or say something else of themselves
    :raises InvalidImage: they are damaged
    :raises DigestMismatch: they are others than announced
    """
    row = call.database.read(lambda connection: _waiting(connection, call))
    content = call.content
    if content is None:
        raise BadRequest("The body is missing")
    _check_length(call, row, content)
    with Arrival(call.database, row, limits=call.imaging.limits, clock=call.imaging.clock) as arrival:
        try:
            for part in content.parts(CHUNK_BYTES):
                arrival.take(part)
        except OSError as error:
            raise BadRequest(f"The body ended before its end: {error}") from error
        ready = arrival.give(call.origin)
    return body_of(call, ready)


def download(call: Call) -> Bytes:
    """Read the bytes of an image.

    :raises ImageNotReady: they are not here
    """
    uuid = call.arguments["uuid"]
    row = call.database.read(lambda connection: images.get(connection, uuid, scope=call.scope))
    if row.content_id is None or row.size_bytes is None:
        raise ImageNotReady(f"image {row.title} has no bytes yet: it is {row.state}")
    return Bytes(image_contents.parts(call.database, row.content_id, row.size_bytes), row.size_bytes)


def _waiting(connection: Connection, call: Call) -> ImageRow:
    row = images.get_own(connection, call.arguments["uuid"], scope=call.scope)
    if row.source != ImageSource.UPLOAD:
        raise Conflict(f"image {row.title} gets its bytes from elsewhere: {row.source}")
    if row.state != ImageState.AWAITING:
        raise Conflict(f"image {row.title} has its bytes already: make another one for others")
    return row


def _check_length(call: Call, row: ImageRow, content: Stream) -> None:
    """Refuse what cannot become right before any of it is read."""
    size = content.size_bytes
    if size is None:
        return
    if size > call.imaging.limits.size_bytes:
        raise too_large(size, call.imaging.limits)
    if size != row.size_bytes:
        raise InvalidValue("content", f"{size} bytes", f"the {row.size_bytes} bytes that were announced")
