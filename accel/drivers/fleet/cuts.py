"""What the cards of simulated nodes have been cut into since the fleet file was written: a small file of our own.

The fleet file is its author's. So what acts change stands beside it, in JSON: by node and number of the card, what the
card is cut into as its fact ``partition_layout`` says it.
"""

import fcntl
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from accel.errors import ActFailed

Cuts = Mapping[str, Mapping[int, str]]
"""By node and number of the card."""

NAME = "simulated-cuts.json"


@dataclass(frozen=True, slots=True)
class CutsFile:
    """The file, which need not be there."""

    path: Path

    def read(self) -> Cuts:
        """What it says."""
        try:
            found = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        return {node: {int(number): text for number, text in cards.items()} for node, cards in found.items()}

    def version(self) -> tuple[int, int]:
        """Another one whenever it has been written."""
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return 0, 0
        return stat.st_mtime_ns, stat.st_ino

    def write(self, node: str, card: int, text: str) -> None:
        """Say what a card is cut into, whole and at once; several processes may do so for several cards.

        :raises ActFailed: it cannot be written
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                cuts = {name: dict(cards) for name, cards in self.read().items()}
                cuts.setdefault(node, {})[card] = text
                new = self.path.with_suffix(".new")
                new.write_text(json.dumps(cuts))
                new.replace(self.path)
        except OSError as error:
            raise ActFailed(f"{self.path} cannot be written: {error.strerror}") from error
