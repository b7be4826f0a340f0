"""Rows for tests of what reads them: each factory fills in what the test does not care about."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from sqlalchemy import func, insert, select

from accel.db.engine import Database
from accel.db.job_tables import Job
from accel.db.tables import (
    AcceleratorRequest,
    AttachHandle,
    Attribute,
    Base,
    Deployable,
    Device,
    DeviceProfile,
    Event,
    Holder,
    Node,
    NodeDriver,
    PlacementClaim,
    Quota,
)

BEGIN = datetime(2026, 11, 21, 3, 45, 13, tzinfo=UTC)
"""When the first row was made; each later one a second after it."""


@dataclass(slots=True)
class Inventory:
    """Adds rows to a database. Each method returns the values of its row, its integer key included."""

    database: Database
    first: int = 1
    """The first key: where somebody else has added rows before, it must be beyond theirs."""
    gap: int = 1
    """How far apart keys are: where somebody else adds rows in between, they need room."""
    _ids: Iterator[int] = field(init=False)
    _collected: dict[type[Base], list[Mapping[str, Any]]] | None = None
    """Rows that wait to be inserted in bulk; None while each row is inserted at once."""

    def __post_init__(self) -> None:
        self._ids = count(self.first, self.gap)

    def node(self, name: str = "node1", **columns: Any) -> dict[str, Any]:
        """A node that is heard."""
        defaults = {
            "name": name,
            "state": "online",
            "boot_id": str(uuid4()),
            "retired_boot_ids": [],
            "sequence": 1,
            "content_hash": "0" * 64,
            "agent_version": "0.1.0",
            "kernel": "6.1.0",
            "rack": "",
            "labels": {},
            "numa": [],
            "last_heartbeat_at": BEGIN,
        }
        return self._add(Node, defaults | columns)

    def driver(self, node: Mapping[str, Any], name: str = "fake", **columns: Any) -> dict[str, Any]:
        """A driver that answered."""
        defaults = {"failure_kind": None, "failure_message": "", "failure_hint": "", "changed_at": BEGIN}
        row = {"id": next(self._ids), "node_id": node["id"], "driver": name, **defaults, **columns}
        self._insert(NodeDriver, [row])
        return row

    def device(self, node: Mapping[str, Any], **columns: Any) -> dict[str, Any]:
        """A healthy, enabled device, as the fake driver has it."""
        number = next(self._ids)
        defaults = {
            "node_id": node["id"],
            "identity": f"serial:{number}",
            "driver": "fake",
            "type": "FPGA",
            "vendor": "0xABCD",
            "product": "0xabcd",
            "model": "miss model info",
            "address": None,
            "serial": None,
            "kernel_driver": None,
            "numa_node": None,
            "pci_path": [],
            "links": [],
            "std_board_info": {"device_id": "0xabcd", "class": "Fake class"},
            "vendor_board_info": "fake_vendor_info",
            "status": "enabled",
            "presence": "present",
            "health": "healthy",
            "reason": "",
            "lost_at": None,
        }
        return self._add(Device, defaults | columns)

    def deployable(self, device: Mapping[str, Any], name: str | None = None, **columns: Any) -> dict[str, Any]:
        """The whole card."""
        defaults = {
            "device_id": device["id"],
            "parent_id": None,
            "root_id": None,
            "name": name or f"part-{device['uuid']}",
            "kind": "card",
            "num_accelerators": 1,
            "rp_uuid": str(uuid4()),
            "bitstream_id": None,
            "presence": "present",
        }
        return self._add(Deployable, defaults | columns)

    def attribute(self, deployable: Mapping[str, Any], key: str, value: str, **columns: Any) -> dict[str, Any]:
        """An attribute that the driver reports."""
        defaults = {"deployable_id": deployable["id"], "driver_key": key, "key": key, "value": value}
        return self._add(Attribute, defaults | columns)

    def handle(self, deployable: Mapping[str, Any], *, held: bool = False, **columns: Any) -> dict[str, Any]:
        """An attach handle, with a holder or without."""
        info = columns.pop("info", {"domain": "0000", "bus": "0c", "device": "00", "function": str(next(self._ids))})
        defaults = {
            "deployable_id": deployable["id"],
            "type": "TEST_PCI",
            "info": info,
            "info_key": json.dumps(info, sort_keys=True, separators=(",", ":")),
            "presence": "present",
        }
        row = self._add(AttachHandle, defaults | columns)
        if held:
            self.holder(row)
        return row

    def holder(self, handle: Mapping[str, Any], **columns: Any) -> dict[str, Any]:
        """An instance that has an attach handle and is no project's."""
        defaults = {
            "attach_handle_id": handle["id"],
            "kind": "instance",
            "name": "vm",
            "project_id": None,
            "request_id": None,
            "created_at": BEGIN,
        }
        row = {"id": next(self._ids), "uuid": str(uuid4()), **defaults, **columns}
        self._insert(Holder, [row])
        return row

    def profile(self, name: str, **columns: Any) -> dict[str, Any]:
        """A device profile that everybody sees."""
        defaults = {
            "name": name,
            "description": None,
            "groups": [{"resources:FPGA": "1", "trait:CUSTOM_FAKE_DEVICE": "required"}],
            "version": 1,
            "project_id": None,
            "is_public": True,
        }
        return self._add(DeviceProfile, defaults | columns)

    def request(self, profile: Mapping[str, Any], **columns: Any) -> dict[str, Any]:
        """An accelerator request that has nothing yet."""
        defaults = {
            "project_id": "red",
            "state": "Initial",
            "profile_id": profile["id"],
            "profile_name": profile["name"],
            "group_index": 0,
            "group": {"resources:FPGA": "1"},
            "resource_class": "FPGA",
            "reason": "",
            "steps": [],
        }
        return self._add(AcceleratorRequest, defaults | columns)

    def claim(self, **columns: Any) -> dict[str, Any]:
        """A claim of placement that holds nothing yet and does not end by itself."""
        defaults = {
            "project_id": "red",
            "user_id": None,
            "consumer": "",
            "idempotency_key": None,
            "request": {"groups": [{"count": 1}]},
            "request_hash": "0" * 64,
            "lease_seconds": None,
            "expires_at": None,
        }
        return self._add(PlacementClaim, defaults | columns)

    def quota(self, project_id: str, resource_class: str = "PGPU", limit: int = 1) -> dict[str, Any]:
        """How many accelerators a project may hold."""
        row = {"id": next(self._ids), "project_id": project_id, "resource_class": resource_class, "limit": limit}
        self._insert(Quota, [row | {"created_at": BEGIN}])
        return row

    def job(self, device: Mapping[str, Any], **columns: Any) -> dict[str, Any]:
        """A job on a device that nobody attends to yet."""
        number = next(self._ids)
        defaults = {
            "kind": "reset",
            "state": "queued",
            "node": "node1",
            "driver": "fake",
            "identity": device["identity"],
            "device_uuid": device["uuid"],
            "arguments": {},
            "time_limit_seconds": 60,
            "deadline_at": BEGIN + timedelta(days=1000),
            "project_id": None,
            "key": "",
            "message": "",
            "error_code": "",
            "error_text": "",
            "is_state_unknown": False,
            "is_cancel_wanted": False,
        }
        made = BEGIN + timedelta(seconds=number)
        row = {"id": number, "uuid": str(uuid4()), "created_at": made, **defaults, **columns}
        self._insert(Job, [row])
        return row

    def event(self, kind: str = "device.added", **columns: Any) -> dict[str, Any]:
        """Something that happened."""
        number = next(self._ids)
        row = {
            "id": number,
            "uuid": str(uuid4()),
            "kind": kind,
            "node": None,
            "device_uuid": None,
            "subject": "something",
            "before": None,
            "after": None,
            "source": "conductor",
            "request_id": None,
            "occurred_at": BEGIN + timedelta(seconds=number),
            **columns,
        }
        self._insert(Event, [row])
        return row

    def fleet(self, nodes: int, devices_per_node: int, *, prefix: str = "node-") -> None:
        """Many nodes alike, each device with a card, three attributes and a handle; inserted in bulk."""
        self._collected = {}
        for number in range(nodes):
            node = self.node(f"{prefix}{number:05}")
            self.driver(node)
            for slot in range(devices_per_node):
                device = self.device(node, address=f"0000:{slot:02x}:00.0", type="GPU", model="Simulated 80GB")
                deployable = self.deployable(device)
                self.attribute(deployable, "rc", "PGPU")
                self.attribute(deployable, "traits1", "CUSTOM_GPU_SIMULATED")
                self.attribute(deployable, "memory_bytes", str(80 << 30))
                self.handle(deployable)
        collected, self._collected = self._collected, None
        for table, rows in collected.items():
            self._insert(table, rows)

    def settle(self) -> None:
        """Let what others add from now on have later keys: PostgreSQL does not notice that we have chosen ours."""
        if self.database.engine.dialect.name != "postgresql":
            return
        with self.database.writer() as connection:
            for table in (table for table in Base.metadata.sorted_tables if "id" in table.c):
                newest = func.max(table.c.id)
                keys = func.pg_get_serial_sequence(table.name, "id")
                connection.execute(select(func.setval(keys, newest)).having(newest > 0))

    def _add(self, table: type[Base], values: dict[str, Any]) -> dict[str, Any]:
        number = next(self._ids)
        made = BEGIN + timedelta(seconds=number)
        row = {"id": number, "uuid": str(uuid4()), "created_at": made, "updated_at": None, **values}
        self._insert(table, [row])
        return row

    def _insert(self, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
        if self._collected is not None:
            self._collected.setdefault(table, []).extend(rows)
            return
        with self.database.writer() as connection:
            connection.execute(insert(table), rows)
