"""Looks at everything the device plugin needs and says of each how it is and how to mend it."""

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from accel.errors import AccelError
from accel.kubernetes.config import Config
from accel.kubernetes.registration import KUBELET_SOCKET
from accel.kubernetes.resources import resources_of
from accel.kubernetes.units import units_of
from accel.model.finding import Finding, Probe, failed, ok, warning
from accel.model.offer import Offer
from accel.protos import accel_node_v1_pb2 as node
from accel.protos import kubelet_pod_resources_v1_pb2 as kubelet
from accel.sockets.client import Client
from accel.sockets.offers import NODE_SERVICE, from_message
from accel.sockets.server import is_served

_CALL_SECONDS = 10.0
_LISTER = kubelet.DESCRIPTOR.services_by_name["PodResourcesLister"]


def probes(config: Config, file: Path | None) -> list[Probe]:
    """Everything, in the order in which it is needed.

    :param file: where the configuration comes from; None: nothing was read
    """
    return [
        partial(_configuration, file),
        partial(_node, config),
        partial(_kubelet, config),
        partial(_pods, config),
        partial(_cdi, config),
        partial(_features, config),
    ]


def _configuration(file: Path | None) -> Iterator[Finding]:
    if file:
        yield ok("configuration", str(file))
    else:
        yield warning("configuration", "no file was read: all is default", "write /etc/accel/device-plugin.yaml")


def _node(config: Config) -> Iterator[Finding]:
    """The agent, and what becomes of what it tells."""
    client = Client(config.node_socket, NODE_SERVICE)
    try:
        answers = iter(client.watch("Watch", node.WatchRequest(watcher="accel-device-plugin doctor")))
        offer = from_message(next(answers))
    except StopIteration:
        yield failed("agent", f"{config.node_socket} ends without a word", "look at the agent's log")
    except (AccelError, ValueError) as error:
        mend = "see that accel-agent runs with [node_socket] path, and that this user is root or among its users"
        yield failed("agent", str(error), mend)
    else:
        yield ok("agent", f"node {offer.node} with {len(offer.devices)} devices")
        yield from _resources(config, offer)
    finally:
        client.close()


def _resources(config: Config, offer: Offer) -> Iterator[Finding]:
    found = resources_of(units_of(offer, in_parts=config.parts), config.all_rules, config.mig)
    for problem in found.problems:
        yield warning("resources", problem, "change the configuration, or how the devices are cut")
    if not found.by_name:
        yield warning("resources", "there is nothing to offer", "see accel-agent discover")
    for name, resource in found.by_name.items():
        count = sum(1 for _ in resource.portions())
        troubles = sorted({unit.trouble for unit in resource.units if unit.trouble})
        if troubles:
            yield warning(f"resource {name}", f"{count}; of some: {'; '.join(troubles)}", "see accel device list")
        else:
            yield ok(f"resource {name}", str(count))


def _kubelet(config: Config) -> Iterator[Finding]:
    directory = config.plugins_registry or config.kubelet_directory
    yield _writable("kubelet's directory", directory, "mount the host's directory there, and run as root")
    path = config.kubelet_directory / KUBELET_SOCKET
    if config.plugins_registry is not None:
        return
    if is_served(path):
        yield ok("kubelet", f"{path} answers")
    elif path.exists():
        yield failed("kubelet", f"nobody listens at {path}", "start the kubelet; the plugin will register by itself")
    else:
        yield failed("kubelet", f"{path} is not there", "start the kubelet, or set kubelet_directory")


def _pods(config: Config) -> Iterator[Finding]:
    if config.pod_resources_socket is None:
        yield warning("pods", "nobody asks which pod has what", "set pod_resources_socket")
        return
    client = Client(config.pod_resources_socket, _LISTER)
    try:
        answer = client.call("List", kubelet.ListPodResourcesRequest(), timeout_seconds=_CALL_SECONDS)
    except AccelError as error:
        yield warning("pods", str(error), "mount the directory of the kubelet's socket of pod resources")
    else:
        yield ok("pods", f"the kubelet tells of {len(answer.pod_resources)}")
    finally:
        client.close()


def _cdi(config: Config) -> Iterator[Finding]:
    if not {"cdi", "annotations"} & set(config.device_lists):
        return
    yield _writable("CDI", config.cdi_directory, "mount the host's directory there, and see that the runtime reads CDI")


def _features(config: Config) -> Iterator[Finding]:
    if config.features_directory is not None:
        yield _writable("labels", config.features_directory, "mount node-feature-discovery's directory there")


def _writable(probe: str, directory: Path, mend: str) -> Finding:
    try:
        is_directory = stat.S_ISDIR(directory.stat().st_mode)
    except OSError as error:
        return failed(probe, f"{directory}: {error.strerror}", mend)
    if not is_directory or not os.access(directory, os.W_OK | os.X_OK):
        return failed(probe, f"{directory} cannot be written", mend)
    return ok(probe, f"{directory} can be written")
