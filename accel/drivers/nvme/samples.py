"""Samples of what is on a namespace, by which is seen whether it has been erased.

What an erased drive reads as is its own business: zeros, ones, what the exchanged key makes of the old data, or an
error. What it must not read as is what was there before.
"""

from collections.abc import Iterable, Mapping, Sequence

from accel.drivers.base import Host
from accel.drivers.nvme.subsystems import Namespace
from accel.errors import ActRefused, NotVerified

SAMPLE_BYTES = 4096
_COUNT = 64
"""For each namespace, from the first block to the last, at equal distances."""

Samples = Mapping[tuple[str, int], bytes | None]
"""What was read, by the kernel's name of a namespace and the offset in bytes; None: it cannot be read."""


def take(host: Host, namespaces: Iterable[Namespace]) -> Samples:
    """Read samples of namespaces.

    :raises ActRefused: a namespace cannot be read at all, or does not say how large it is
    """
    found: dict[tuple[str, int], bytes | None] = {}
    for namespace in namespaces:
        mine = {(namespace.name, offset): _read(host, namespace, offset) for offset in offsets(namespace)}
        if all(content is None for content in mine.values()):
            raise ActRefused(f"{namespace.name} cannot be read, so nobody could tell whether it is erased")
        found |= mine
    return found


def offsets(namespace: Namespace) -> Sequence[int]:
    """Where samples of a namespace are taken, in bytes.

    :raises ActRefused: it does not say how large it is
    """
    if not namespace.capacity_bytes:
        raise ActRefused(f"{namespace.name} does not say how large it is")
    last = max(namespace.capacity_bytes // SAMPLE_BYTES - 1, 0)
    return sorted({last * step // (_COUNT - 1) * SAMPLE_BYTES for step in range(_COUNT)})


def check_gone(before: Samples, after: Samples) -> None:
    """See that nothing is there any more that was there before.

    Blocks that are all zeros or all ones say nothing: an empty block reads so before and after.

    :raises NotVerified: something is; the text says where
    """
    for (name, offset), content in before.items():
        if content is not None and len(set(content)) > 1 and after.get((name, offset)) == content:
            raise NotVerified(f"{name} reads at byte {offset} as before it was erased", "do not hand the drive out")


def check_zero(after: Samples) -> None:
    """See that there are zeros only.

    :raises NotVerified: something else is; the text says where
    """
    for (name, offset), content in after.items():
        if content is None or any(content):
            said = "cannot be read" if content is None else "is not zero"
            raise NotVerified(f"{name} {said} at byte {offset} after zeros were written", "do not hand the drive out")


def _read(host: Host, namespace: Namespace, offset: int) -> bytes | None:
    try:
        return host.privileged.read_blocks(host.dev / namespace.name, offset, SAMPLE_BYTES)
    except OSError:
        return None
