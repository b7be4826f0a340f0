"""What the agent must not forget when it stops, or while no conductor is there.

A directory with ``state.json`` (how far the sequence has been used, which driver has which card) and one file for every
report that no conductor has taken yet, oldest first. While the conductor is away every change becomes one more such
report, so that it learns afterwards of a device that vanished and came back in between; the newest alone says what is
there now.

A spool that cannot be read or written never stops the agent: it works from memory and says what that costs.
"""

import logging
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock

from accel.agent.files import write_whole
from accel.agent.merge import Claims
from accel.errors import InvalidValue
from accel.model.report import NodeReport
from accel.rpc import wire

_LOG = logging.getLogger(__name__)

MAX_PENDING = 100
"""How many reports are kept for the conductor; of more, the oldest are given up."""

_SEQUENCE_BLOCK = 1000
"""Numbers are reserved on disk by the block, so that a heartbeat costs no write; a restart skips what is left of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    reserved_sequence: int = 0
    """No message has a greater sequence than this."""
    claims: Claims = field(default_factory=dict)


class Spool:
    """The sequence of the agent's messages and the reports that wait for the conductor.

    :param directory: made when it is not there
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._state = _State()
        self._sequence = 0
        self._pending: deque[tuple[Path, NodeReport]] = deque()
        self._last_number = 0
        self._is_writable = True
        self._lock = RLock()  # one thread looks, another one may be speaking to a conductor

    def open(self) -> None:
        """Read what an earlier run of the agent has left."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            names = sorted(path for path in self._directory.iterdir() if path.match("report-*.json"))
        except OSError as error:
            self._cannot_write(error)
            return
        self._state = self._read(self._directory / "state.json", _State) or _State()
        self._sequence = self._state.reserved_sequence
        for path in names:
            report = self._read(path, NodeReport)
            if report is not None:
                self._pending.append((path, report))
        if names:
            self._last_number = int(names[-1].stem.partition("-")[2])

    # --- the sequence ---

    def next_sequence(self) -> int:
        """A number greater than all before, those of earlier runs too."""
        with self._lock:
            self._sequence += 1
            if self._sequence > self._state.reserved_sequence:
                self._save(_State(reserved_sequence=self._sequence + _SEQUENCE_BLOCK, claims=self._state.claims))
            return self._sequence

    def raise_sequence(self, to: int) -> None:
        """Go on after a number that the conductor has already seen."""
        self._sequence = max(self._sequence, to)

    # --- the claims ---

    @property
    def claims(self) -> Claims:
        """Which driver had which card when it last answered."""
        return self._state.claims

    def remember_claims(self, claims: Claims) -> None:
        """Keep them for the next run."""
        with self._lock:
            if claims != self._state.claims:
                self._save(_State(reserved_sequence=self._state.reserved_sequence, claims=claims))

    # --- the reports ---

    @property
    def oldest(self) -> NodeReport | None:
        """The report to send next; None when the conductor has taken all."""
        with self._lock:
            return self._pending[0][1] if self._pending else None

    def add(self, report: NodeReport) -> None:
        """Keep a report until ``drop`` says that it is done with."""
        with self._lock:
            while len(self._pending) >= MAX_PENDING:
                self._drop_oldest()
            self._last_number += 1
            path = self._directory / f"report-{self._last_number:012d}.json"
            self._pending.append((path, report))
            self._write(path, wire.encode_bytes(report))

    def drop(self, report: NodeReport) -> None:
        """Forget the oldest report, where it is this one; others may have come meanwhile and taken its place."""
        with self._lock:
            if self.oldest is report:
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        path, _ = self._pending.popleft()
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            self._cannot_write(error)

    # --- files ---

    def _save(self, state: _State) -> None:
        self._state = state
        self._write(self._directory / "state.json", wire.encode_bytes(state))

    def _read(self, path: Path, kind: type[wire.Value]) -> wire.Value | None:
        """A file's value; None when there is none, or none that can be read."""
        try:
            return wire.decode_bytes(kind, path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, InvalidValue) as error:
            _LOG.warning("%s cannot be read and is left out: %s", path, error)
            return None

    def _write(self, path: Path, data: bytes) -> None:
        """Write so that a power failure leaves the old or the new, never a part."""
        try:
            write_whole(path, data)
        except OSError as error:
            self._cannot_write(error)
        else:
            self._can_write()

    def _cannot_write(self, error: OSError) -> None:
        if self._is_writable:
            _LOG.error(
                "The spool %s cannot be used: %s. The agent goes on; what no conductor has taken is lost if it stops",
                self._directory,
                error,
            )
        self._is_writable = False

    def _can_write(self) -> None:
        if not self._is_writable:
            _LOG.warning("The spool %s can be written again", self._directory)
        self._is_writable = True
