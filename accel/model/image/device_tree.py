"""Flattened device trees: nodes with properties in one block of bytes, integers big endian.

The layout is that of the Devicetree Specification, chapter 5: a header, a block of tokens, a block of names.
"""

from collections.abc import Iterator
from struct import Struct, error

from accel.errors import InvalidImage

MAGIC = 0xD00DFEED
_HEADER = Struct(">4I")
"""The magic, the size of all, where the tokens are, where the names are."""
_WORD = Struct(">I")
_PROPERTY = Struct(">II")

_BEGIN_NODE, _END_NODE, _PROP, _NOP, _END = 1, 2, 3, 4, 9


def properties(tree: bytes) -> Iterator[tuple[str, str, bytes]]:
    """The properties of all nodes: the node's path, which ends with ``/``, the property's name, its value.

    :raises InvalidImage: it is no device tree, or is cut short
    """
    try:
        yield from _properties(tree)
    except (error, IndexError, ValueError) as problem:
        raise InvalidImage("the metadata of its partition are no device tree, or are cut short") from problem


def _properties(tree: bytes) -> Iterator[tuple[str, str, bytes]]:
    magic, _, at, names = _HEADER.unpack_from(tree)
    if magic != MAGIC:
        raise ValueError(magic)
    path: list[str] = []
    while True:
        (token,) = _WORD.unpack_from(tree, at)
        at += _WORD.size
        if token == _BEGIN_NODE:
            name, at = _text(tree, at)
            path.append(f"{name}/")
        elif token == _END_NODE:
            path.pop()
        elif token == _PROP:
            length, name_at = _PROPERTY.unpack_from(tree, at)
            at += _PROPERTY.size
            value = tree[at : at + length]
            at = _aligned(at + length)
            yield "".join(path), _text(tree, names + name_at)[0], value
        elif token == _END:
            return
        elif token != _NOP:
            raise ValueError(token)


def _text(tree: bytes, at: int) -> tuple[str, int]:
    """A text that ends with a zero, and where what follows it begins."""
    end = tree.index(b"\0", at)
    return tree[at:end].decode("ascii", errors="replace"), _aligned(end + 1)


def _aligned(at: int) -> int:
    return (at + 3) & ~3
