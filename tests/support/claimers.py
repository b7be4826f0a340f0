"""Clients that claim and release, each until it has had its share."""

import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPException
from random import Random
from typing import Any

from support.storm import Connection

CLAIMS = "/v2/placements/claims"
_LONGEST_PAUSE_SECONDS = 0.2


@dataclass
class Claimer:
    """One of many. It claims and releases, so many times; where it is refused it tries again a little later."""

    ports: Sequence[int]
    number: int
    share: int
    """How many claims it wants to have had."""
    keeps: int = 0
    """How many of the last ones it does not release."""
    had: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)
    cut_off: int = 0
    """How often the service was gone in the middle of a call."""

    def __post_init__(self) -> None:
        self.chance = Random(self.number)  # noqa: S311 - chance that can be repeated, no secret

    def run(self, over: threading.Event) -> None:
        """Do so until it has had its share, or all is over."""
        while self.had < self.share and not over.is_set():
            with closing(Connection(self.ports[(self.number + self.cut_off) % len(self.ports)])) as connection:
                try:
                    self._run(connection, over)
                except (OSError, HTTPException):
                    self.cut_off += 1
                    over.wait(_LONGEST_PAUSE_SECONDS)

    def _run(self, connection: Connection, over: threading.Event) -> None:
        while self.had < self.share and not over.is_set():
            # The same key until it is had: whoever is cut off gets what it has claimed, and not another one.
            key = f"claimer-{self.number}-{self.had}"
            status, claim = connection.send("POST", CLAIMS, self._wanted() | {"idempotency_key": key})
            if status == 409:
                self.refused += 1
                over.wait(self.chance.uniform(0, _LONGEST_PAUSE_SECONDS))
                continue
            if status not in {200, 201}:
                self.faults.append(f"claim: {status} {claim}")
                return
            if self.had + self.keeps < self.share:
                self._release(connection, claim)
            self.had += 1

    def _wanted(self) -> dict[str, Any]:
        chance = Random(f"{self.number} {self.had}")  # noqa: S311 - the same request for the same key
        groups = [{"resources": {"PGPU": chance.randint(1, 2)}}]
        return {"groups": groups, "nodes": chance.choice((1, 1, 1, 2)), "consumer": f"claimer-{self.number}"}

    def _release(self, connection: Connection, claim: dict[str, Any]) -> None:
        status, said = connection.send("DELETE", f"{CLAIMS}/{claim['uuid']}")
        if status not in {204, 404}:
            self.faults.append(f"release: {status} {said}")


def let_run(claimers: Sequence[Claimer], *, patience_seconds: float) -> None:
    """Let all of them run, each in a thread, until they have had their shares or patience ends."""
    over = threading.Event()
    threads = [threading.Thread(target=claimer.run, args=(over,)) for claimer in claimers]
    for thread in threads:
        thread.start()
    timer = threading.Timer(patience_seconds, over.set)
    timer.start()
    for thread in threads:
        thread.join()
    timer.cancel()
