"""What a kubelet is told that a container needs for its devices."""

from collections.abc import Iterable, Mapping, Sequence

from accel.errors import Conflict, InvalidValue
from accel.kubernetes import cdi
from accel.kubernetes.config import Config
from accel.kubernetes.resources import Portion, Resource
from accel.kubernetes.units import Unit, shortened
from accel.model.device import DeviceType
from accel.protos import kubelet_device_plugin_v1beta1_pb2 as wire

_NVIDIA = "10de"
_MAX_ANNOTATION_NAME = 63
_NOTHING = "/dev/null"


def chosen(resource: Resource, known: Mapping[str, Portion], ids: Sequence[str]) -> list[Portion]:
    """The portions of a resource that a kubelet has chosen.

    :param known: all of the resource, by id
    :raises InvalidValue: there is none with such an id
    :raises Conflict: they are not to be had together, or one of them not at all any more
    """
    unknown = [one for one in ids if one not in known]
    if unknown:
        raise InvalidValue("devices_ids", ", ".join(unknown), f"a device of {resource.name} that is there now")
    portions = [known[one] for one in ids]
    _check_rule(resource, portions)
    for portion in portions:
        if portion.unit.trouble:
            raise Conflict(f"{portion.id} is not to be had any more: {portion.unit.trouble}")
    return portions


def _check_rule(resource: Resource, portions: Sequence[Portion]) -> None:
    rule = resource.rule
    if rule.is_one_per_container and len(portions) > 1:
        raise Conflict(
            f"{resource.name}: {len(portions)} are asked for, and a container may have one: several shares of a device "
            "are no more of it than one"
        )
    cards = {portion.unit.device.identity for portion in portions}
    if rule.is_on_different_cards and len(cards) < len(portions):
        raise Conflict(
            f"{resource.name}: {len(portions)} of different cards are asked for, and these are of {len(cards)}"
        )


def container_answer(config: Config, resource: Resource, portions: Iterable[Portion]) -> wire.ContainerAllocateResponse:
    """What the container gets, in each of the ways that are configured."""
    units = sorted({portion.unit.id: portion.unit for portion in portions}.values(), key=lambda unit: unit.id)
    answer = wire.ContainerAllocateResponse()
    for way in config.device_lists:
        _WAYS[way](answer, config, resource, units)
    return answer


def _by_cdi(answer: wire.ContainerAllocateResponse, config: Config, _: Resource, units: Sequence[Unit]) -> None:
    answer.cdi_devices.extend(wire.CDIDevice(name=cdi.name_of(unit, config.cdi_vendor)) for unit in units)


def _by_annotations(
    answer: wire.ContainerAllocateResponse, config: Config, resource: Resource, units: Sequence[Unit]
) -> None:
    """For runtimes that read CDI devices from annotations; the key is the resource's own."""
    name = shortened(resource.name.replace("/", "_"), _MAX_ANNOTATION_NAME)
    answer.annotations[f"cdi.k8s.io/{name}"] = ",".join(cdi.name_of(unit, config.cdi_vendor) for unit in units)


def _by_environment(
    answer: wire.ContainerAllocateResponse, _config: Config, _resource: Resource, units: Sequence[Unit]
) -> None:
    """A variable for each unit; and the one that NVIDIA's container runtime reads."""
    for unit in units:
        answer.envs[cdi.variable_of(unit)] = unit.facts["address"] or unit.id
    nvidia = [unit.id for unit in units if _is_nvidia(unit)]
    if nvidia:
        answer.envs["NVIDIA_VISIBLE_DEVICES"] = ",".join(nvidia)


def _by_mounts(
    answer: wire.ContainerAllocateResponse, _config: Config, _resource: Resource, units: Sequence[Unit]
) -> None:
    """A mount for each unit, which a pod cannot ask for by itself without privileges, as it can set a variable."""
    if any(map(_is_nvidia, units)):
        answer.envs["NVIDIA_VISIBLE_DEVICES"] = "/var/run/nvidia-container-devices"
    for unit in units:
        place = "nvidia-container-devices" if _is_nvidia(unit) else "accel-devices"
        answer.mounts.append(
            wire.Mount(container_path=f"/var/run/{place}/{unit.id}", host_path=_NOTHING, read_only=True)
        )


def _by_device_nodes(
    answer: wire.ContainerAllocateResponse, _config: Config, _resource: Resource, units: Sequence[Unit]
) -> None:
    """The nodes, each once: also where a CPU manager writes the rules of a container's devices anew."""
    paths = dict.fromkeys(path for unit in units for path in unit.nodes)
    answer.devices.extend(wire.DeviceSpec(container_path=path, host_path=path, permissions="rw") for path in paths)


def _is_nvidia(unit: Unit) -> bool:
    return unit.device.vendor == _NVIDIA and unit.device.type is DeviceType.GPU


_WAYS = {
    "cdi": _by_cdi,
    "annotations": _by_annotations,
    "environment": _by_environment,
    "mounts": _by_mounts,
    "device-nodes": _by_device_nodes,
}
