"""Storage that is handed out and comes back: who is let in, and what is erased before others get it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import spdk
from support.storage_node import NvmeNode, SpdkNode, StorageNode

from accel.db.engine import Database
from accel.errors import Conflict
from accel.model.device import host_nqn
from accel.model.steps import WorkPolicy

ERASED = WorkPolicy(prepare=frozenset({"PCI/NVME"}), scrub={"NVME/card": "best"})
LET_IN = WorkPolicy(prepare=frozenset({"NVME_OF", "VHOST_USER"}))


@pytest.fixture
def drive(database: Database, tmp_path: Path) -> NvmeNode:
    return NvmeNode(database, tmp_path, policy=ERASED)


@pytest.fixture
def target(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SpdkNode]:
    node = SpdkNode(database, tmp_path_factory.mktemp("h"), policy=LET_IN)
    with spdk.running(node.application, node.socket):
        node.begin()
        yield node


def unbind(node: StorageNode, uuid: str) -> None:
    node.conductor().change_requests(node.site.unbinds([uuid]))


def again(node: StorageNode) -> str:
    """Whether somebody else can have it."""
    uuid = node.make()
    try:
        node.conductor().change_requests(node.binds(uuid))
    except Conflict as error:
        return str(error)
    return node.site.states(uuid)[0]


def test_a_drive_is_erased_before_somebody_else_gets_it(drive: NvmeNode) -> None:
    before = drive.drive.files[1].read_bytes()
    uuid = drive.bound()
    assert drive.drive.files[1].read_bytes() == before
    unbind(drive, uuid)

    assert drive.told() == [("prepare", "done"), ("release", "done"), ("scrub", "done")]
    assert drive.drive.files[1].read_bytes() != before
    assert (drive.site.states(uuid), drive.holders(), again(drive)) == (["Unbound"], [], "Bound")


@pytest.mark.parametrize(("how", "why"), [("fails", "the drive says failed"), ("lies", "reads at byte 0 as before")])
def test_a_drive_that_does_not_erase_is_offered_to_nobody(drive: NvmeNode, how: str, why: str) -> None:
    uuid = drive.bound()
    setattr(drive.drive, how, True)
    unbind(drive, uuid)

    [*_, scrub] = drive.all_jobs()
    assert (scrub.kind, scrub.state) == ("scrub", "failed")
    assert why in scrub.error_text
    assert (drive.site.states(uuid), drive.holders()) == (["Unbound"], [("fence", scrub.uuid)])
    assert "0 free of 1" in again(drive)


def test_whoever_gets_a_subsystem_is_let_in_and_nobody_is_when_it_comes_back(target: SpdkNode) -> None:
    there = target.application.subsystems[target.nqn]
    uuid = target.bound()
    assert there["hosts"] == [{"nqn": host_nqn(target.site.request(uuid).handle_uuid or "")}]
    unbind(target, uuid)

    assert target.told() == [("prepare", "done"), ("release", "done")]
    assert (there["hosts"], target.holders()) == ([], [])
    assert again(target) == "Bound"


def test_a_subsystem_that_has_been_opened_to_others_is_not_had(target: SpdkNode) -> None:
    target.application.subsystems[target.nqn]["allow_any_host"] = True
    uuid = target.make()
    target.conductor().change_requests(target.binds(uuid))

    assert target.site.states(uuid) == ["BindFailed"]
    assert "lets in any host" in str(target.site.request(uuid).reason)
    assert target.holders() == []
