"""Whatever the description of the API allows to be sent, and more: no faults, and answers as they are described."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.databases import MARIADB, POSTGRESQL, SQLITE, migrated
from support.populated import populate
from support.registered import add_images
from support.served import served
from support.worked_on import add_work

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
TESTS = Path(__file__).parents[1]
RUNS = [("2.0", SQLITE), ("2.4", SQLITE), ("2.0", MARIADB), ("2.4", POSTGRESQL)]
SECONDS = float(os.environ.get("TEST_FUZZ_SECONDS") or (120 if os.environ.get("CI") else 60))
"""For all of the runs together."""
# These two ask that just what a schema allows is accepted. No schema says that a marker is in the list, nor that
# an empty parameter is an absent one.
UNWANTED = "positive_data_acceptance,negative_data_rejection"


@pytest.mark.timeout(max(300, SECONDS * 2))
@pytest.mark.parametrize(
    ("version", "kind"),
    [pytest.param(version, *kind.values, id=f"{version}-{kind.id}", marks=kind.marks) for version, kind in RUNS],
)
def test_no_request_is_answered_with_a_fault_or_otherwise_than_described(
    version: str, kind: str, tmp_path: Path
) -> None:
    with migrated(kind, tmp_path) as database, served(database) as url:
        populate(database)
        add_images(database)
        add_work(database)
        done = _fuzz(url, version, tmp_path)

    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert "Tested: " in done.stdout


def _fuzz(url: str, version: str, directory: Path) -> "subprocess.CompletedProcess[str]":
    command = [
        *(str(SCHEMATHESIS), "run", f"{url}/openapi.json", "--no-color", "--continue-on-failure"),
        *("--header", f"OpenStack-API-Version: accelerator {version}", "--max-time", str(int(SECONDS / len(RUNS)))),
        *("--exclude-checks", UNWANTED, "--output-sanitize", "false", "--generation-database", "none"),
    ]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "support.fuzz_hooks", "PYTHONPATH": f"{TESTS}:{TESTS.parent}"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=directory)
