"""Long histories of claims of placement: whatever is asked for, released, lost, returned, renewed or forgotten.

hypothesis makes the histories up. Two processes of the API answer, each with an index of its own, and may be started
anew at any moment.
"""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select
from support.api import NEWEST, Client
from support.claims import local_claims
from support.databases import migrated
from support.site import Site
from support.snapshots import free_in_database

from accel import conf
from accel.api.app import make_app
from accel.conductor.manager import Limits, Manager
from accel.db.tables import AcceleratorRequest, AttachHandle, Deployable, Device, Holder, PlacementClaim
from accel.model.audit import AuditWanted, FindingKind
from accel.model.node import DeviceStatus

CARDS, NODES, QUOTA = 3, 2, 5
LEASE_SECONDS = 60
CLAIMS, CANDIDATES = "/v2/placements/claims", "/v2/placements/candidates"
NUMBERS = st.integers(0, 7)


class Histories(RuleBasedStateMachine):
    """Two nodes with three cards of two handles each, a project under a quota, an operator and a conductor."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = ExitStack()
        home = Path(self.ends.enter_context(TemporaryDirectory()))
        self.database = self.ends.enter_context(migrated("sqlite", home))
        self.site = Site(self.database, name="a")
        self.there = {f"n{number}": set(range(1, CARDS + 1)) for number in range(NODES)}
        self.claims: dict[str, set[str]] = {}
        """The handles of each, which it keeps as long as it is there."""
        self.ends_at: dict[str, Any] = {}
        self.keys: dict[str, str] = {}

    @initialize()
    def begin(self) -> None:
        """There are nodes, a quota and two processes."""
        for node in self.there:
            self._report(node)
        self.processes = [self._start(), self._start()]
        self._post("/v2/quotas/local", {"quotas": {"PGPU": QUOTA}}, method="PUT")

    def _start(self) -> Client:
        configuration = conf.load([], prog="accel-api", default_config_files=[])
        return Client(make_app(self.database, configuration, local_claims(self.database), clock=self.site.clock))

    # --- what people want ---

    @rule(
        process=st.integers(0, 1),
        amount=st.integers(1, 3),
        nodes=st.sampled_from([1, 1, 2]),
        has_lease=st.booleans(),
        key=st.sampled_from(["", "", "a", "b"]),
    )
    def claim(self, process: int, amount: int, nodes: int, *, has_lease: bool, key: str) -> None:
        """Somebody claims, perhaps the same again."""
        body: dict[str, Any] = {"groups": [{"resources": {"PGPU": amount}}], "nodes": nodes}
        body |= {"lease_seconds": LEASE_SECONDS} if has_lease else {}
        body |= {"idempotency_key": key} if key else {}
        known, free = self.keys.get(key) if key else None, self._free_by_node()
        status, answered = self._post(CLAIMS, body, process=process)
        if status == 201:
            handles = {one["attach_handle_uuid"] for one in answered["allocations"]}
            assert known is None
            assert (len(handles), handles <= set().union(*free.values())) == (amount * nodes, True)
            assert len(answered["nodes"]) == nodes
            self.claims[answered["uuid"]] = handles
            self.ends_at[answered["uuid"]] = self._end(has_lease=has_lease)
            self.keys |= {key: answered["uuid"]} if key else {}
        elif status == 200:
            assert answered["uuid"] == known
        else:
            assert status == 409, answered
            wanted = sum(map(len, self.claims.values())) + amount * nodes
            is_true = {
                "accel.no_placement": sum(len(handles) >= amount for handles in free.values()) < nodes,
                "accel.conflict": wanted > QUOTA if known is None else "has been used for" in answered["detail"],
            }
            assert is_true[answered["code"]], answered

    @rule(process=st.integers(0, 1), amount=st.integers(1, 6))
    def ask(self, process: int, amount: int) -> None:
        """What candidates offer is free, and they are offered if and only if a node has so many that are."""
        body = {"groups": [{"resources": {"PGPU": amount}}]}
        status, answered = self._post(CANDIDATES, body, process=process)
        offered = {one["attach_handle_uuid"] for each in answered["candidates"] for one in each["allocations"]}
        free = self._free_by_node()
        assert status == 200
        assert offered <= set().union(*free.values())
        fits = {node for node, handles in free.items() if len(handles) >= amount}
        assert {each["nodes"][0] for each in answered["candidates"]} == fits

    @rule(pick=NUMBERS, process=st.integers(0, 1))
    def release(self, pick: int, process: int) -> None:
        """Somebody releases a claim."""
        if self.claims:
            uuid = sorted(self.claims)[pick % len(self.claims)]
            answered = self.processes[process].request("DELETE", f"{CLAIMS}/{uuid}", headers=NEWEST)
            assert answered.status_int == 204
            self._forget(uuid)

    @rule(pick=NUMBERS, process=st.integers(0, 1))
    def renew(self, pick: int, process: int) -> None:
        """Somebody renews a claim, also one that has expired already and is still there."""
        if self.claims:
            uuid = sorted(self.claims)[pick % len(self.claims)]
            status, _ = self._post(f"{CLAIMS}/{uuid}/renew", {"lease_seconds": LEASE_SECONDS}, process=process)
            assert status == 200
            self.ends_at[uuid] = self._end(has_lease=True)

    # --- what happens in the fleet ---

    @rule(number=st.integers(0, NODES - 1), slot=st.integers(1, CARDS))
    def lose_or_return(self, number: int, slot: int) -> None:
        """A card is seen no more, or again."""
        node = f"n{number}"
        self.there[node] ^= {slot}
        self._report(node)

    @rule(number=st.integers(0, 5), status=st.sampled_from(list(DeviceStatus)))
    def set_status(self, number: int, status: DeviceStatus) -> None:
        """An operator disables or enables a card."""
        with self.database.reader() as connection:
            uuids = connection.scalars(select(Device.uuid).order_by(Device.id)).all()
        self.site.set_status(status, device=uuids[number % len(uuids)])

    @rule()
    def fall_silent(self) -> None:
        """Nothing is heard of the nodes for long, but for the first."""
        self.site.clock.pass_(minutes=10)
        self._report("n0")
        Manager(self.database, self.site.clock, Limits()).mark_offline_nodes()

    @rule(number=st.integers(0, NODES - 1))
    def speak(self, number: int) -> None:
        """A node is heard."""
        self._report(f"n{number}")

    # --- what services do ---

    @rule(seconds=st.sampled_from([0, 30, LEASE_SECONDS]))
    def pass_(self, seconds: int) -> None:
        """Time passes, and the conductor looks for leases that have ended."""
        self.site.clock.pass_(seconds=seconds)
        released = self.site.conductor().release_expired_claims()
        ended = [uuid for uuid, end in self.ends_at.items() if end is not None and end <= self.site.clock().timestamp()]
        assert released == len(ended)
        for uuid in ended:
            self._forget(uuid)

    @rule(process=st.integers(0, 1))
    def restart(self, process: int) -> None:
        """A process of the API starts anew."""
        self.processes[process] = self._start()

    # --- what always holds ---

    @invariant()
    def claims_have_what_they_took_and_nobody_else_has_it(self) -> None:
        """By the API, and by the rows."""
        if not hasattr(self, "processes"):
            return
        listed = self.processes[0].get(CLAIMS)["claims"]
        found = {one["uuid"]: {part["attach_handle_uuid"] for part in one["allocations"]} for one in listed}
        assert found == self.claims
        query = select(AttachHandle.uuid).join(Holder, Holder.attach_handle_id == AttachHandle.id)
        with self.database.reader() as connection:
            held = connection.scalars(query).all()
            requests = connection.scalars(select(PlacementClaim.uuid).join(AcceleratorRequest)).all()
        assert sorted(held) == sorted(handle for handles in self.claims.values() for handle in handles)
        assert len(requests) == len(held)
        assert len(held) <= QUOTA

    @invariant()
    def no_audit_finds_more_than_what_is_lost(self) -> None:
        """A claim is no leak."""
        wanted = AuditWanted(caller=self.site.wanted().caller, fix=True)
        kinds = {finding.kind for finding in self.site.conductor().audit(wanted).findings}
        assert kinds <= {FindingKind.HELD_BUT_LOST}

    def teardown(self) -> None:
        """In the end everything can be given back, and is free when the cards are there."""
        for uuid in sorted(self.claims):
            self.processes[1].request("DELETE", f"{CLAIMS}/{uuid}", headers=NEWEST)
        with self.database.reader() as connection:
            assert connection.scalars(select(AcceleratorRequest.uuid)).all() == []
            assert connection.scalars(select(Holder.uuid)).all() == []
        self.ends.close()

    # --- looking ---

    def _report(self, node: str) -> None:
        cards = [self.site.gpu(slot, handles=2, **self._named(node, slot)) for slot in sorted(self.there[node])]
        self.site.report(*cards, node=node)

    def _named(self, node: str, slot: int) -> dict[str, Any]:
        """Two nodes have the same slots: their cards and parts have names of their own."""
        other = Site(self.database, name=f"a-{node}").gpu(slot, handles=2)
        return {"identity": other.identity, "deployables": other.deployables}

    def _free_by_node(self) -> dict[str, set[str]]:
        """The free handles of the nodes that are heard."""
        free = free_in_database(self.database)
        heard = {row["name"] for row in self.processes[0].get("/v2/nodes?state=online")["nodes"]}
        query = select(AttachHandle.uuid, Deployable.name).join(Deployable)
        with self.database.reader() as connection:
            rows = connection.execute(query).all()
        found: dict[str, set[str]] = {node: set() for node in heard}
        for uuid, name in rows:
            node = name.split("_")[0].removeprefix("a-")
            if uuid in free and node in heard:
                found[node].add(uuid)
        return found

    def _end(self, *, has_lease: bool) -> Any:
        return self.site.clock().timestamp() + LEASE_SECONDS if has_lease else None

    def _forget(self, uuid: str) -> None:
        del self.claims[uuid], self.ends_at[uuid]
        self.keys = {key: known for key, known in self.keys.items() if known != uuid}

    def _post(self, path: str, body: Any, *, process: int = 0, method: str = "POST") -> tuple[int, Any]:
        answered = self.processes[process].send(method, path, body, **NEWEST)
        return answered.status_int, answered.json


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=10,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
