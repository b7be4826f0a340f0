"""What an agent makes of a conductor whose database took a message and broke before it could say so."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.clocks import Clock
from support.inventories import event_kinds, load
from support.reports import answer, gpu, report

from accel.agent.correspondence import Correspondence
from accel.agent.spool import Spool
from accel.conductor.manager import Limits, Manager
from accel.db.engine import Database
from accel.model.report import Acknowledgement, Heartbeat, NodeReport
from accel.rpc.wire import content_hash


class BreakingOnce:
    """Takes its first message twice, as the repetition of a transaction does whose COMMIT was not answered."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._is_broken = True

    def report(self, report: NodeReport) -> Acknowledgement:
        self._break(lambda: self._manager.report(report))
        return self._manager.report(report)

    def heartbeat(self, heartbeat: Heartbeat) -> Acknowledgement:
        self._break(lambda: self._manager.heartbeat(heartbeat))
        return self._manager.heartbeat(heartbeat)

    def _break(self, take: Callable[[], Acknowledgement]) -> None:
        if self._is_broken:
            take()
        self._is_broken = False


@pytest.fixture
def manager(database: Database) -> Manager:
    return Manager(database, Clock(), Limits())


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool")
    spool.open()
    return spool


def test_a_report_whose_taking_was_not_answered_is_taken_once(
    manager: Manager, database: Database, spool: Spool
) -> None:
    seen = report(answer(gpu(1)))
    Correspondence(BreakingOnce(manager), spool).report(seen)
    assert event_kinds(database) == ["node.added", "driver.added", "device.added"]
    assert [known.device.identity for known in load(database).devices] == ["GPU-1"]


def test_a_sign_of_life_whose_taking_was_not_answered_is_no_reason_to_report(manager: Manager, spool: Spool) -> None:
    seen = report(answer(gpu(1)))
    Correspondence(manager, spool).report(seen)
    is_known = Correspondence(BreakingOnce(manager), spool).heartbeat(seen.node.name, seen.boot_id, content_hash(seen))
    assert is_known
