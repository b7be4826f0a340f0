"""``accel-api`` as a process: gunicorn's workers, their figures, its end, and when it does not start."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from support.databases import migrated
from support.populated import populate
from support.processes import free_port
from support.users import write_users
from support.waiting import until

ACCEL_API = Path(sys.executable).with_name("accel-api")
PATIENCE_SECONDS = 30


def _wait_for(url: str, process: "subprocess.Popen[str]") -> None:
    def answers() -> bool:
        assert process.poll() is None, "the service has ended"
        try:
            requests.get(f"{url}/healthcheck", timeout=5).raise_for_status()
        except requests.ConnectionError:
            return False
        return True

    until(answers, patience_seconds=PATIENCE_SECONDS)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    with migrated("sqlite", tmp_path) as database:
        populate(database)
        port = free_port()
        config = tmp_path / "accel.conf"
        config.write_text(
            f"[database]\nconnection = sqlite:///{database.engine.url.database}\n[api]\nport = {port}\nworkers = 2\n"
        )
        command = [str(ACCEL_API), "--config-file", str(config)]
        environment = {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
            url = f"http://127.0.0.1:{port}"
            try:
                _wait_for(url, process)
                yield url, process
            finally:
                process.kill()


def test_the_figures_are_those_of_all_workers(service: tuple[str, "subprocess.Popen[str]"]) -> None:
    url, _process = service
    for _ in range(20):
        assert len(requests.get(f"{url}/v2/devices", timeout=10).json()["devices"]) == 5

    figures = requests.get(f"{url}/metrics", timeout=10).text.splitlines()
    assert 'accel_api_requests_total{method="GET",route="/v2/devices",status="200"} 20.0' in figures


def test_clients_that_keep_their_connections_are_all_answered_however_few_threads_there_are(
    service: tuple[str, "subprocess.Popen[str]"],
) -> None:
    url, _process = service
    with ExitStack() as stack:
        clients = [stack.enter_context(requests.Session()) for _ in range(40)]  # two workers have eight threads each
        for _ in range(3):
            assert [client.get(f"{url}/v2/devices", timeout=10).status_code for client in clients] == [200] * 40
        with ThreadPoolExecutor(len(clients)) as pool:
            answers = list(pool.map(lambda client: client.get(f"{url}/v2/devices", timeout=10).status_code, clients))
    assert answers == [200] * 40


def test_a_signal_ends_it_and_nothing_is_left(service: tuple[str, "subprocess.Popen[str]"], tmp_path: Path) -> None:
    _url, process = service

    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=PATIENCE_SECONDS) == 0
    assert not list(tmp_path.glob("accel-api-*"))


def test_it_refuses_to_serve_everybody_without_authentication(tmp_path: Path) -> None:
    config = tmp_path / "accel.conf"
    config.write_text("[api]\nhost = 0.0.0.0\n")

    done = subprocess.run(
        [str(ACCEL_API), "--config-file", str(config)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "[api] host = 0.0.0.0 can be reached from other machines" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_refuses_users_that_it_cannot_read(tmp_path: Path) -> None:
    config = write_users(tmp_path)
    (tmp_path / "roles").write_text("ada:research\n")

    done = subprocess.run(
        [str(ACCEL_API), "--config-file", str(config)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"accel-api: {tmp_path}/roles:1: write name:project:role,role, such as alice:research:manager\n"
    )


def test_it_refuses_a_database_that_was_not_upgraded(tmp_path: Path) -> None:
    config = tmp_path / "accel.conf"
    config.write_text(f"[database]\nconnection = sqlite:///{tmp_path}/empty.sqlite\n")

    done = subprocess.run(
        [str(ACCEL_API), "--config-file", str(config)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "run accel-manage db upgrade" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            "[placement_engine]\nweights = beauty:1\n",
            "[placement_engine] weights: 'beauty' is not one of fairness, fragmentation",
        ),
        (
            "[kubernetes]\nresource = nvidia.com/gpu\n",
            "[kubernetes] resource: 'nvidia.com/gpu' is not the name of a resource, a colon and what it means",
        ),
    ],
    ids=["weights that cannot be weighed with", "a resource of pods that means nothing"],
)
def test_it_refuses_what_placement_cannot_go_by(options: str, said: str, tmp_path: Path) -> None:
    config = tmp_path / "accel.conf"
    config.write_text(options)

    done = subprocess.run(
        [str(ACCEL_API), "--config-file", str(config)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert said in done.stderr
