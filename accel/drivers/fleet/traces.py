"""What acts leave on simulated cards: what is loaded into them, who has them, and what their users have left.

A small file of our own for each node, by the part of a card.
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from accel.errors import ActFailed


@dataclass(slots=True, kw_only=True)
class Traces:
    """What there is on one part of a card."""

    loaded: str = ""
    """The digest of what is loaded; empty: nothing."""
    users: list[str] = field(default_factory=list)
    """The keys of the handles that are made ready."""
    left: list[str] = field(default_factory=list)
    """The keys of those that were given back and have not been scrubbed since."""


@dataclass(frozen=True, slots=True)
class TracesFile:
    """The file of a node, which need not be there."""

    path: Path

    def read(self) -> dict[str, Traces]:
        """All that it says, by the names of parts."""
        try:
            found = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        return {name: Traces(**values) for name, values in found.items()}

    @contextmanager
    def changed(self, part: str) -> Iterator[Traces]:
        """The traces of a part, to be changed within the block; several processes may do so for several parts.

        :raises ActFailed: it cannot be written
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                found = self.read()
                yield found.setdefault(part, Traces())
                new = self.path.with_suffix(".new")
                new.write_text(json.dumps({name: asdict(traces) for name, traces in found.items()}))
                new.replace(self.path)
        except OSError as error:
            raise ActFailed(f"{self.path} cannot be written: {error.strerror}") from error


def traces_of(memory: Path, node: str) -> TracesFile:
    """The file of a node.

    :param memory: where acts remember things
    """
    return TracesFile(memory / f"simulated-{node}.json")
