"""Files that a power failure leaves as they were, or as they are to be."""

import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write so that a power failure leaves the old content or the new, never a part.

    :raises OSError: it cannot be written; the old content is there
    """
    temporary = path.with_suffix(".new")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
