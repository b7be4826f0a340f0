"""Which version of the messages two parties speak."""

from collections.abc import Iterable, Sequence

from accel.errors import IncompatibleVersion


def newest_common(ours: Sequence[str], theirs: Iterable[str]) -> str:
    """The newest version that both speak.

    :param ours: the newest first
    :param theirs: in any order
    :raises IncompatibleVersion: there is none
    """
    known = set(theirs)
    for version in ours:
        if version in known:
            return version
    raise IncompatibleVersion(ours, sorted(known))
