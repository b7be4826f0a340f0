"""A kubelet in a process of its own, which can be killed.

It obeys lines of JSON on standard input, ``{"do": "admit", …}``, and answers each with one.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from accel.testing.kubelet.devices import Pod, PodRefused
from accel.testing.kubelet.kubelet import Kubelet


class KubeletProcess:
    """The process, for as long as the block lasts; or until it is killed, and then started again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it; when this returns, it listens."""
        command = [
            sys.executable,
            "-c",
            f"import {__name__} as it; it.main(it.Path(it.sys.argv[1]))",
            str(self._directory),
        ]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ.copy()
        )
        assert self._read() == {"ready": True}

    def kill(self) -> None:
        """Kill it, at once."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def admit(self, pod: Pod) -> dict[str, list[str]]:
        """Admit a pod; gives the devices that it has, by resource.

        :raises PodRefused: it is not admitted
        """
        answer = self._ask(do="admit", namespace=pod.namespace, name=pod.name, containers=pod.containers)
        if "refused" in answer:
            raise PodRefused(answer["refused"])
        ids: dict[str, list[str]] = answer["ids"]
        return ids

    def delete(self, pod: Pod) -> None:
        """The pod is gone from the API."""
        self._ask(do="delete", namespace=pod.namespace, name=pod.name, containers={})

    def allocatable(self) -> dict[str, int]:
        """As the node's status shows it."""
        counts: dict[str, int] = self._ask(do="allocatable")
        return counts

    def pods(self) -> dict[str, dict[str, list[str]]]:
        """The devices of all pods, by pod and resource."""
        found: dict[str, dict[str, list[str]]] = self._ask(do="pods")
        return found

    def wait_for(self, resource: str, *, allocatable: int) -> float:
        """See ``Kubelet.wait_for``."""
        answer = self._ask(do="wait", resource=resource, allocatable=allocatable)
        assert "seconds" in answer, answer["failed"]
        return float(answer["seconds"])

    def _ask(self, **question: Any) -> Any:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def _obey(kubelet: Kubelet, question: Mapping[str, Any]) -> Any:
    match question["do"]:
        case "allocatable":
            return kubelet.allocatable()
        case "pods":
            return {key: _ids(one) for key, one in kubelet.admitted().items()}
        case "wait":
            try:
                seconds = kubelet.wait_for(question["resource"], allocatable=question["allocatable"])
            except AssertionError as error:
                return {"failed": str(error)}
            return {"seconds": seconds}
    pod = Pod(question["namespace"], question["name"], question["containers"])
    if question["do"] == "delete":
        kubelet.delete(pod)
        return {}
    try:
        return {"ids": _ids(kubelet.admit(pod))}
    except PodRefused as error:
        return {"refused": str(error)}


def _ids(one: Any) -> dict[str, list[str]]:
    return {resource: one.ids(resource) for _, resource in one.given}


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main(directory: Path) -> None:
    """Obey until standard input ends."""
    with Kubelet(directory) as kubelet:
        _say({"ready": True})
        for line in sys.stdin:
            _say(_obey(kubelet, json.loads(line)))
