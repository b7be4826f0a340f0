"""What conductors say to agents changes only together with its version."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.wire import fingerprint

from accel.model.job import JobKind, JobOrder, JobState, JobStatus
from accel.rpc import wire
from accel.rpc.agents import AGENT_VERSIONS

DATA = Path(__file__).parents[1] / "data" / "wire"
MESSAGES = (JobOrder, JobStatus)
FINGERPRINTS = {"1.0": "311a45d42fccd4d6"}


def test_the_form_of_the_messages_to_agents_is_the_one_of_the_newest_version() -> None:
    found = fingerprint(*MESSAGES)

    assert found == FINGERPRINTS[AGENT_VERSIONS[0]], (
        f"the messages to agents have changed, their version {AGENT_VERSIONS[0]} has not: put a new version first in "
        f"accel.rpc.agents.AGENT_VERSIONS, give its fingerprint {found!r} here, and store a message of the old "
        f"version in {DATA} that must still be read. Before a first release only: correct the fingerprint."
    )


@pytest.mark.parametrize("version", FINGERPRINTS)
def test_orders_and_statuses_of_every_version_are_still_read(version: str) -> None:
    stored = json.loads((DATA / f"agent-{version}.json").read_text())

    order = wire.decode(JobOrder, stored["order"])
    status = wire.decode(JobStatus, stored["status"])

    assert (order.kind, order.node, order.deployable) == (JobKind.PROGRAM, "node-1", "node-1_0000:3b:00.0")
    assert order.image is not None
    assert order.handle is not None
    assert (status.state, status.error_code, status.is_state_unknown) == (JobState.FAILED, "accel.act_died", True)


@given(st.builds(JobOrder), st.builds(JobStatus))
def test_they_are_read_back_as_they_were(order: JobOrder, status: JobStatus) -> None:
    assert wire.decode(JobOrder, json.loads(json.dumps(wire.encode(order)))) == order
    assert wire.decode(JobStatus, json.loads(json.dumps(wire.encode(status)))) == status
