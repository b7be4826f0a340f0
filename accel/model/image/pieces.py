"""A file, read in pieces that are known to be in it."""

import os
from struct import Struct
from typing import BinaryIO

from accel.errors import InvalidImage


class Pieces:
    """What is read of an image: never more than is asked for, and an error where the file ends before."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, os.SEEK_END)
        """In bytes."""

    def starts_with(self, text: bytes, *, at: int = 0) -> bool:
        """Whether a text is at a place."""
        self._file.seek(at)
        return self._file.read(len(text)) == text

    def read(self, what: str, *, at: int, length: int) -> bytes:
        """A piece of the file.

        :param what: what it is, for people
        :raises InvalidImage: the file ends before it does
        """
        if at + length > self.size:
            raise InvalidImage(f"{what} would end at byte {at + length}, and the file has {self.size}: it is cut short")
        self._file.seek(at)
        return self._file.read(length)

    def numbers(self, what: str, layout: Struct, *, at: int) -> tuple[int, ...]:
        """A piece of the file that is a row of integers. Raises as ``read``."""
        return layout.unpack(self.read(what, at=at, length=layout.size))
