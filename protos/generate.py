"""Writes the Python code of the services to ``accel/protos``; ``--if-stale`` only where a ``.proto`` file is newer."""

import sys
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
TARGET = SOURCES.parent / "accel" / "protos"


def generate(target: Path = TARGET) -> None:
    """Write the code of all files.

    :raises RuntimeError: the compiler refuses one; it has said why
    """
    from grpc_tools import protoc  # it is there while we are built, and for developers

    files = [path.name for path in sorted(SOURCES.glob("*.proto"))]
    words = [f"--proto_path={SOURCES}", f"--python_out={target}", f"--pyi_out={target}", *files]
    if protoc.main(["protoc", *words]):
        raise RuntimeError("the protocol compiler has failed")


def is_stale(target: Path = TARGET) -> bool:
    """Whether some code is missing, or older than what it is made from."""
    return any(not made.exists() or made.stat().st_mtime < source.stat().st_mtime for source, made in _pairs(target))


def _pairs(target: Path) -> Iterator[tuple[Path, Path]]:
    for source in sorted(SOURCES.glob("*.proto")):
        for suffix in ("_pb2.py", "_pb2.pyi"):
            yield source, target / f"{source.stem}{suffix}"


if __name__ == "__main__":
    if "--if-stale" not in sys.argv[1:] or is_stale():
        generate()
