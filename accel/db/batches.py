"""Long lists of keys in statements."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

_BATCH = 5000
"""SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535."""


def batches(keys: Sequence[T]) -> Iterator[Sequence[T]]:
    """The keys in parts that fit into a statement each; nothing of an empty list."""
    return (keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH))
