"""What crosses the wire changes only together with its version."""

import json
import subprocess
import sys
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.wire import fingerprint

from accel.errors import InvalidValue
from accel.model.address import PciAddress
from accel.model.audit import Audit, AuditWanted, FindingKind
from accel.model.device import Device
from accel.model.offer import Withdrawal
from accel.model.report import Acknowledgement, DriverReport, Heartbeat, NodeReport, Verdict
from accel.model.request import RequestChanges
from accel.rpc import wire
from accel.rpc.api import VERSIONS
from accel.rpc.local import LocalConductor

DATA = Path(__file__).parents[1] / "data" / "wire"
MESSAGES = (NodeReport, Heartbeat, Acknowledgement, RequestChanges, AuditWanted, Audit, Withdrawal)
FINGERPRINTS = {"1.0": "2f51f6de4ef17468", "1.1": "d5e8e284781a151a", "1.2": "a3b7c287db47917f"}


AT_ONCE = """
import sys, threading
from accel.model.request import RequestChanges
from accel.rpc import wire

sys.setswitchinterval(1e-6)
message = {"changes": [{"request": "1", "target": None}], "caller": {"request_id": "2"}}
together = threading.Barrier(8)

def read():
    together.wait()
    for _ in range(50):
        wire.decode(RequestChanges, message)

threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_the_form_of_the_messages_is_the_one_of_the_newest_version() -> None:
    found = fingerprint(*MESSAGES)

    assert found == FINGERPRINTS[VERSIONS[0]], (
        f"the messages have changed and their version {VERSIONS[0]} has not: put a new version first in "
        f"accel.rpc.api.VERSIONS, give its fingerprint {found!r} here, and store a message of the old version in "
        f"{DATA} that must still be read. Before a first release only: correct the fingerprint."
    )


@pytest.mark.parametrize("version", FINGERPRINTS)
def test_messages_of_every_version_are_still_read(version: str) -> None:
    stored = json.loads((DATA / f"{version}.json").read_text())

    report = wire.decode(NodeReport, stored["report"])
    heartbeat = wire.decode(Heartbeat, stored["heartbeat"])
    acknowledgement = wire.decode(Acknowledgement, stored["acknowledgement"])

    assert report.drivers[0].devices[0].address == PciAddress(0x10000, 0x3B, 0, 0)
    assert report.drivers[1].failure is not None
    assert heartbeat.node == report.node.name == "node-1"
    assert acknowledgement.verdict is Verdict.REPORT_WANTED


def test_changes_of_requests_are_still_read() -> None:
    changes = wire.decode(RequestChanges, json.loads((DATA / "1.1.json").read_text())["changes"])

    assert [change.target is None for change in changes.changes] == [False, True]
    assert changes.caller.project_id == "red"


def test_an_audit_is_still_read() -> None:
    stored = json.loads((DATA / "1.1.json").read_text())

    wanted = wire.decode(AuditWanted, stored["audit_wanted"])
    audit = wire.decode(Audit, stored["audit"])

    assert (wanted.fix, wanted.caller.user_id) == (True, "ada")
    assert [finding.kind for finding in audit.findings] == [FindingKind.HELD_BUT_LOST]
    assert audit.left_out == ("requests for instances that are gone: no Nova",)


def test_many_threads_may_read_the_first_message_of_a_kind_at_once() -> None:
    """It happens in a process of its own: where the library is left alone with it, the process crashes."""
    done = subprocess.run([sys.executable, "-c", AT_ONCE], capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_fingerprint_of_a_stored_report_s_content_stays_what_it_was() -> None:
    stored = json.loads((DATA / "1.0.json").read_text())

    assert wire.content_hash(wire.decode(NodeReport, stored["report"])) == stored["heartbeat"]["content_hash"]


def test_a_member_that_later_versions_add_is_empty_where_it_is_not_given() -> None:
    """Otherwise the content hash of an older agent's report would differ from the one that the agent computes."""
    not_empty = {
        f"{kind.__name__}.{field.name}"
        for kind in _types_below(NodeReport, set())
        for field in fields(kind)
        if field.default is not MISSING and field.default not in (None, "", ())
    }

    assert not_empty == {"Device.presence", "Device.health"}  # these are in version 1.0, so every agent sends them


@dataclass(frozen=True, slots=True, kw_only=True)
class NewerDevice(Device):
    """A device as a later release knows it."""

    power_limit_watts: int | None = None
    pools: tuple[str, ...] = ()


def test_the_content_of_an_older_agent_has_the_fingerprint_that_the_agent_computes() -> None:
    older = wire.decode(NodeReport, json.loads((DATA / "1.0.json").read_text())["report"])
    driver = older.drivers[0]
    newer = replace(driver, devices=tuple(_as_newer(device) for device in driver.devices))

    assert wire.content_hash(replace(older, drivers=(newer, *older.drivers[1:]))) == wire.content_hash(older)


def _as_newer(device: Device) -> NewerDevice:
    return NewerDevice(**{field.name: getattr(device, field.name) for field in fields(device)})


def _types_below(kind: Any, seen: set[Any]) -> set[Any]:
    if is_dataclass(kind) and kind not in seen:
        seen.add(kind)
        for hint in get_type_hints(kind).values():
            _types_below(hint, seen)
    for argument in get_args(kind):
        _types_below(argument, seen)
    return seen


# --- round trips ---

BYTE = st.integers(0, 255)
st.register_type_strategy(
    PciAddress, st.builds(PciAddress, st.integers(0, 0xFFFFFFFF), BYTE, st.integers(0, 31), st.integers(0, 7))
)
REPORTS = st.builds(
    NodeReport,
    drivers=st.lists(
        st.builds(DriverReport, devices=st.lists(st.from_type(Device), max_size=2).map(tuple)), max_size=2
    ).map(tuple),
)


@given(REPORTS)
def test_a_report_is_read_back_as_it_was(report: NodeReport) -> None:
    assert wire.decode(NodeReport, json.loads(json.dumps(wire.encode(report)))) == report
    assert wire.decode_bytes(NodeReport, wire.encode_bytes(report)) == report


@given(REPORTS)
def test_the_content_hash_is_the_same_after_the_journey_and_after_a_restart(report: NodeReport) -> None:
    travelled = wire.decode(NodeReport, wire.encode(report) | {"boot_id": "another", "sequence": 99})

    assert wire.content_hash(travelled) == wire.content_hash(report)


@given(REPORTS)
def test_within_one_process_a_message_is_the_same_as_over_a_broker(report: NodeReport) -> None:
    conductor = _Echo()

    LocalConductor(conductor).report(report)

    assert conductor.taken == report
    assert conductor.taken is not report


class _Echo:
    taken: NodeReport | None = None

    def report(self, report: NodeReport) -> Acknowledgement:
        self.taken = report
        return Acknowledgement(verdict=Verdict.ACCEPTED, sequence=report.sequence)

    def heartbeat(self, heartbeat: Heartbeat) -> Acknowledgement:
        return Acknowledgement(verdict=Verdict.REPORT_WANTED, sequence=heartbeat.sequence)


# --- what is not understood ---


def test_members_that_only_a_later_version_knows_are_ignored() -> None:
    stored = json.loads((DATA / "1.0.json").read_text())
    heartbeat = wire.decode(Heartbeat, stored["heartbeat"])

    assert wire.decode(Heartbeat, stored["heartbeat"] | {"mood": "fine"}) == heartbeat


@pytest.mark.parametrize(
    ("member", "value", "where"),
    [
        ("sequence", "many", r"\$\.sequence"),
        ("drivers", [{"driver": "x", "devices": [{}]}], r"\$\.drivers\[0\]\.devices\[0\]"),
        ("node", None, r"\$\.node"),
    ],
)
def test_a_wrong_member_is_named_with_its_place(member: str, value: object, where: str) -> None:
    stored = json.loads((DATA / "1.0.json").read_text())

    with pytest.raises(InvalidValue, match=where):
        wire.decode(NodeReport, stored["report"] | {member: value})


def test_bytes_that_are_no_message_are_an_invalid_value() -> None:
    with pytest.raises(InvalidValue, match="malformed"):
        wire.decode_bytes(NodeReport, b"{torn")
