"""A fleet behind the real API on a real socket: filled by reports, as agents do."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from support.claims import claims_over, terms
from support.databases import migrated
from support.served import served_application

from accel import conf
from accel.api.app import make_app
from accel.conductor.claims import Step
from accel.conductor.manager import Limits, Manager
from accel.db.engine import Database
from accel.drivers.fleet.fleet import load
from accel.model.device import Device
from accel.model.report import DriverReport, Failure, NodeInfo, NodeReport
from accel.rpc.local import LocalClaims

FLEET = """
nodes:
  - name: gpu-{0:02d}
    count: 3
    rack: r1
    labels: {zone: east}
    cards:
      - model: A100-SXM4-80GB
        count: 4
        links: pairs
  - name: mig-01
    cards:
      - model: A100-SXM4-80GB
        count: 1
        mig: [1g.10gb, 3g.40gb]
  - name: fpga-01
    rack: r2
    cards:
      - model: Alveo-U280
        count: 2
faults:
  - {node: gpu-02, card: 1, state: unhealthy, reason: ECC errors}
  - {node: gpu-03, card: 0, state: unknown, reason: no answer}
"""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class ServedFleet:
    """Sends reports and serves what becomes of them."""

    database: Database
    url: str
    _sequence: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def manager(self) -> Manager:
        """The conductor."""
        return Manager(self.database, _now, Limits())

    def report(self, info: NodeInfo, devices: Sequence[Device] = (), *, failure: Failure | None = None) -> None:
        """Report a node with one driver."""
        driver = DriverReport(driver="simulated", devices=() if failure else tuple(devices), failure=failure)
        self.manager.report(
            NodeReport(node=info, boot_id=f"boot-of-{info.name}", sequence=next(self._sequence), drivers=(driver,))
        )

    def report_file(self, path: Path) -> None:
        """Report every node of a fleet file."""
        for node in load(path).nodes:
            self.report(node.info("0.1.0"), node.devices())

    def report_fleet(self, text: str, directory: Path) -> None:
        """Report every node of a description in the words of a fleet file."""
        path = directory / "fleet.yaml"
        path.write_text(text)
        self.report_file(path)


@contextmanager
def served_fleet(directory: Path, *, steps: Mapping[str, Step] | None = None) -> Iterator[ServedFleet]:
    """An empty fleet on SQLite behind the API on a free port.

    :param steps: of the work on the node that each handle needs
    """
    with migrated("sqlite", directory) as database:
        configuration = conf.load([], prog="accel-api", default_config_files=[])
        conductor = LocalClaims(claims_over(database, steps=steps))
        app = make_app(database, configuration, conductor, terms=terms(steps=list(steps or ()), worker=None))
        with served_application(app) as url:
            yield ServedFleet(database, url)
