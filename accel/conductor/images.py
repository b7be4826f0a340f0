"""What a conductor has for nodes: the bytes of images, part by part."""

from accel.db import image_contents
from accel.db.engine import Database
from accel.errors import NotFound


class ImageReader:
    """Reads images for nodes.

    A node names an image by its digest, which it knows from the order to load it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def read_image(self, digest: str, offset: int) -> bytes:
        """The part of an image that an offset is in.

        :raises NotFound: there is no such image, or it is shorter
        :raises DatabaseUnavailable: the database does not answer
        """
        part = self._database.read(lambda connection: image_contents.read(connection, digest, offset))
        if part is None:
            raise NotFound("part of an image", f"{digest} at {offset}")
        return part
