"""What pods have been lent that something is to be undone of when they are gone, and what that is.

A pod takes no leave: its kubelet stops naming it, and whoever asks the kubelet says then that the handle is to be given
back. Agent and device plugin may have been restarted by then, so what is owed is on disk before anything is done.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

from accel.agent.board import Board
from accel.agent.files import write_whole
from accel.errors import InvalidValue, Unavailable
from accel.model.job import JobKind
from accel.model.offer import Holder
from accel.rpc import wire

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """What is owed for a handle."""

    handle: str
    """Its id on the node."""
    names: tuple[str, ...]
    """What those who lent it call it."""
    is_prepared: bool = False
    """Whether it was made ready, and is to be released."""
    end: JobKind | None = None
    """How what its user leaves is taken out: by a reset or a scrub; None: it is not."""
    method: str = ""
    """How to scrub."""
    holders: tuple[Holder, ...] = ()
    """Who was last known to have it."""


class Loans:
    """All of a node, for any thread.

    :param directory: made when it is not there; a file for each
    """

    def __init__(self, directory: Path, board: Board) -> None:
        self._directory = directory
        self._board = board
        self._lock = Lock()
        self._loans: dict[str, Loan] = {}

    def open(self) -> None:
        """Know what an earlier run of the agent has lent."""
        for path in sorted(self._directory.glob("*.json")):
            try:
                loan = wire.decode_bytes(Loan, path.read_bytes())
            except (OSError, InvalidValue) as error:
                _LOG.error("%s cannot be read: what is owed for a handle is not known: %s", path, error)
                continue
            self._loans[loan.handle] = loan
        self._show()

    def get(self, handle: str) -> Loan | None:
        """What is owed for a handle; None: nothing."""
        return self._loans.get(handle)

    def lend(self, loan: Loan) -> None:
        """Keep what will be owed, beside what is owed already.

        :raises Unavailable: the disk does not take it, so nothing is lent
        """
        with self._lock:
            before = self._loans.get(loan.handle)
            if before is not None:
                names = tuple(dict.fromkeys((*before.names, *loan.names)))
                is_prepared = loan.is_prepared or before.is_prepared
                loan = replace(loan, names=names, is_prepared=is_prepared, holders=before.holders)
                if loan.end is None:
                    loan = replace(loan, end=before.end, method=before.method)
            if loan != before:
                self._keep(loan)
        self._show()

    def used(self, held: Mapping[str, tuple[Holder, ...]]) -> None:
        """Somebody says who has what; it is known then who is to be named once he has gone."""
        with self._lock:
            for handle, holders in held.items():
                loan = self._loans.get(handle)
                if loan is not None and holders and loan.holders != holders:
                    try:
                        self._keep(replace(loan, holders=holders))
                    except Unavailable as error:  # what is owed is on disk; who is to be named is known here
                        _LOG.error("%s", error)
                        self._loans[handle] = replace(loan, holders=holders)

    def forget(self, handles: Collection[str]) -> None:
        """Nothing is owed for these any more."""
        with self._lock:
            for handle in handles:
                if self._loans.pop(handle, None) is not None:
                    self._path(handle).unlink(missing_ok=True)
        self._show()

    def _keep(self, loan: Loan) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._path(loan.handle), wire.encode_bytes(loan))
        except OSError as error:
            raise Unavailable(f"what will be owed for a handle cannot be kept in {self._directory}: {error}") from error
        self._loans[loan.handle] = loan

    def _show(self) -> None:
        self._board.lend({loan.handle: loan.names for loan in self._loans.values()})

    def _path(self, handle: str) -> Path:
        return self._directory / f"{handle}.json"
