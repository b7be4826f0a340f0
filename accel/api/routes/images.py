"""Images for programmable devices, and the keys that sign them."""

from http import HTTPStatus

from accel.api.handlers import image_content, image_keys, images
from accel.api.microversion import SAYS_MORE
from accel.api.route import Route
from accel.api.schemas import images as schemas

ROUTES = (
    Route(
        "GET",
        "/v2/images",
        images.index,
        policy="image:get_all",
        since=SAYS_MORE,
        query=schemas.QUERY,
        answer=schemas.IMAGES,
    ),
    Route(
        "POST",
        "/v2/images",
        images.create,
        policy="image:create",
        since=SAYS_MORE,
        body=schemas.CREATE,
        answer=schemas.IMAGE,
        success=HTTPStatus.CREATED,
    ),
    Route("GET", "/v2/images/{uuid}", images.show, policy="image:get_one", since=SAYS_MORE, answer=schemas.SHOWN),
    Route(
        "PATCH",
        "/v2/images/{uuid}",
        images.update,
        policy="image:update",
        since=SAYS_MORE,
        body=schemas.UPDATE,
        answer=schemas.IMAGE,
    ),
    Route(
        "DELETE",
        "/v2/images/{uuid}",
        images.delete,
        policy="image:delete",
        since=SAYS_MORE,
        success=HTTPStatus.NO_CONTENT,
    ),
    Route(
        "PUT",
        "/v2/images/{uuid}/content",
        image_content.upload,
        policy="image:upload",
        since=SAYS_MORE,
        takes_bytes=True,
        answer=schemas.IMAGE,
    ),
    Route(
        "GET",
        "/v2/images/{uuid}/content",
        image_content.download,
        policy="image:download",
        since=SAYS_MORE,
        gives_bytes=True,
    ),
    Route(
        "GET",
        "/v2/image_keys",
        image_keys.index,
        policy="image_key:get_all",
        since=SAYS_MORE,
        query=schemas.KEY_QUERY,
        answer=schemas.KEYS,
    ),
    Route(
        "POST",
        "/v2/image_keys",
        image_keys.create,
        policy="image_key:create",
        since=SAYS_MORE,
        body=schemas.CREATE_KEY,
        answer=schemas.KEY,
        success=HTTPStatus.CREATED,
    ),
    Route(
        "GET",
        "/v2/image_keys/{uuid}",
        image_keys.show,
        policy="image_key:get_one",
        since=SAYS_MORE,
        answer=schemas.KEY,
    ),
    Route(
        "POST",
        "/v2/image_keys/{uuid}/revoke",
        image_keys.revoke,
        policy="image_key:revoke",
        since=SAYS_MORE,
        answer=schemas.KEY,
    ),
)
