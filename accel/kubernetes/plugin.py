"""The plugin of a node: what the agent says becomes resources, specifications and lists."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from threading import Condition, Event, Lock, Thread
from typing import TYPE_CHECKING

from accel.errors import AccelError
from accel.kubernetes.cdi import SpecFiles
from accel.kubernetes.config import Config
from accel.kubernetes.departures import Departures
from accel.kubernetes.endpoint import Endpoint, Need
from accel.kubernetes.features import FeatureFile, labels
from accel.kubernetes.pods import Held, Kubelet, Lent, Pods
from accel.kubernetes.registration import Place, Registration
from accel.kubernetes.resources import Act, Resource, Resources, Rule, resources_of
from accel.kubernetes.units import Unit, units_of
from accel.model.offer import Offer
from accel.protos import accel_node_v1_pb2 as node
from accel.sockets.client import Client
from accel.sockets.offers import NODE_SERVICE, from_message

if TYPE_CHECKING:
    from accel.kubernetes.events import NodeEvents

_LOG = logging.getLogger(__name__)

_RETRY_SECONDS = 0.5
_JOIN_SECONDS = 0.2
_GRACE_SECONDS = 1.0
"""For the agent to say that it took too long."""


class Plugin:
    """From ``start`` to ``stop``.

    What it has once heard stays true while the agent is away: devices do not vanish because the agent is upgraded.
    """

    def __init__(self, config: Config) -> None:
        self.started_at = time.time()
        """In seconds since 1970."""
        self._config = config
        self._agent = Client(config.node_socket, NODE_SERVICE)
        self._specs = SpecFiles(config.cdi_directory, config.cdi_vendor)
        self._place = Place(directory=config.kubelet_directory, registry=config.plugins_registry)
        self._lock = Lock()
        self._resources = Resources()
        self._units: dict[str, Unit] = {}
        self._handles: dict[str, tuple[str, ...]] = {}
        self._lent: Mapping[str, tuple[str, ...]] = {}
        self._file_trouble = ""
        self._endpoints: dict[str, Endpoint] = {}
        self._registrations: dict[str, Registration] = {}
        self._departures = Departures(config.release_grace_seconds)
        self._pods = self._pods_of(config.pod_resources_socket) if config.pod_resources_socket else None
        self._features = FeatureFile(config.features_directory) if config.features_directory else None
        self._events = _events() if config.events else None
        self._taken = Condition()
        self._revision = 0
        self._is_stopped = Event()
        self._trouble = "the agent has not been heard yet"
        self._thread = Thread(target=self._follow, name="node", daemon=True)

    def start(self) -> None:
        """Follow the agent, and register what it tells of."""
        self._thread.start()
        if self._pods:
            self._pods.start()
        if self._events:
            self._events.start()

    def stop(self, *, for_good: bool = True) -> None:
        """End: no socket of ours is left when it returns.

        :param for_good: whether nobody comes after us, so that the specifications go too
        """
        self._is_stopped.set()
        if self._pods:
            self._pods.stop()
        while self._thread.is_alive():  # it may just have been about to follow the agent anew
            self._agent.close()
            self._thread.join(_JOIN_SECONDS)
        if self._events:
            self._events.stop()
        for registration in self._registrations.values():
            registration.stop()
        if for_good:
            self._specs.remove()
            if self._features:
                self._features.remove()

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """One for each resource that there is or was."""
        with self._lock:
            return list(self._endpoints.values())

    @property
    def is_alive(self) -> bool:
        """Whether the agent is followed, be it heard or not; a mistake of ours may have ended that."""
        return self._thread.is_alive()

    @property
    def is_agent_heard(self) -> bool:
        """Whether what is offered is the agent's word of now."""
        return not self._trouble

    @property
    def held(self) -> Held:
        """Which pods have what, by the ids of units."""
        return self._pods.held if self._pods else {}

    @property
    def problems(self) -> list[str]:
        """What is the matter, in words; nothing where all is well."""
        troubles = [f"{one.name}: {one.figures.trouble}" for one in self.endpoints if one.figures.trouble]
        general = [self._trouble, self._pods.trouble if self._pods else "", self._file_trouble]
        return [*filter(None, general), *self._resources.problems, *troubles]

    # --- the agent ---

    def _follow(self) -> None:
        while not self._is_stopped.is_set():
            try:
                for message in self._agent.watch("Watch", node.WatchRequest(watcher="accel-device-plugin")):
                    self._hear(from_message(message))
            except (AccelError, ValueError) as error:
                self._say(f"the agent is not heard: {error}")
            self._is_stopped.wait(_RETRY_SECONDS)

    def _hear(self, offer: Offer) -> None:
        if self._trouble:
            _LOG.info("The agent of %s is heard", offer.node)
        self._trouble = ""
        self.take(offer)

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble and not self._is_stopped.is_set():
            _LOG.warning("%s", trouble)
        self._trouble = trouble

    # --- the resources ---

    def take(self, offer: Offer) -> None:
        """Have the kubelet and the runtimes know what there is now."""
        if self._events:
            self._events.look(offer.node, offer.devices)
        units = self._kept(units_of(offer, in_parts=self._config.parts))
        resources = resources_of(units, self._config.all_rules, self._config.mig)
        for problem in set(resources.problems) - set(self._resources.problems):
            _LOG.error("%s", problem)
        self._write(offer, units, resources)
        self._resources = resources
        for name, resource in resources.by_name.items():
            self._offer(name, resource, offer)
        before, self._lent = self._lent, {one: state.lent_as for one, state in offer.states.items() if state.lent_as}
        if self._pods and before.keys() - self._lent.keys():
            self._pods.look_soon()
        with self._taken:
            self._revision = offer.revision
            self._taken.notify_all()
        for name in self._endpoints.keys() - resources.by_name.keys():
            # The kubelet keeps a resource that it once knew; it has none of it now.
            self._offer(name, Resource(name=name, rule=Rule(name=name)), offer)

    def _kept(self, units: Iterable[Unit]) -> list[Unit]:
        """The units, those that are as they were as the same objects: comparing them then costs nothing."""
        same = [known if (known := self._units.get(unit.id)) == unit and known is not None else unit for unit in units]
        self._units = {unit.id: unit for unit in same}
        self._handles.update((unit.id, unit.handles) for unit in same)
        return same

    def _write(self, offer: Offer, units: Sequence[Unit], resources: Resources) -> None:
        """Bring the files up to date; that one cannot be written keeps nothing else from being done."""
        self._file_trouble = ""
        try:
            self._specs.write(units)
            if self._features:
                self._features.write(labels(offer.devices, units, resources, self._config.mig))
        except OSError as error:
            self._file_trouble = f"what others read cannot be written: {error}"
            _LOG.error("%s", self._file_trouble)

    def _handles_of(self, unit: str) -> tuple[str, ...]:
        """Those of a unit that is there, or was."""
        return self._handles.get(unit) or tuple(handle for handle, names in self._lent.items() if unit in names)

    def _pods_of(self, socket: Path) -> Pods:
        kubelet = Kubelet(socket=socket, directory=self._config.kubelet_directory, resend=self._resend)
        return Pods(kubelet, Lent(self._handles_of, lambda: self._lent), self._departures, self._agent)

    def _resend(self) -> None:
        for endpoint in self.endpoints:
            endpoint.resend()

    def _offer(self, name: str, resource: Resource, offer: Offer) -> None:
        """Offer a resource; one that is new is registered with what it has."""
        endpoint = self._endpoints.get(name) or Endpoint(name, self._config, self._prepare)
        endpoint.offer(resource, offer.devices)
        if name not in self._endpoints:
            registration = Registration(endpoint, self._place)
            with self._lock:
                self._endpoints[name] = endpoint
                self._registrations[name] = registration
            registration.start()

    def _prepare(self, need: Need) -> None:
        """Have the agent do something, and the runtimes know what has become of it."""
        if need.act is not None:  # else a container gets things as they are
            self._see_to(need, need.act)
        if self._pods:
            self._pods.look_soon()

    def _see_to(self, need: Need, act: Act) -> None:
        end = time.monotonic() + need.seconds
        known_as = {handle: unit.id for unit in need.units for handle in unit.handles}
        request = node.PrepareRequest(
            handles=known_as,
            act=act.kind,
            method=act.method,
            image=_image(act) if act.image else None,
            timeout_seconds=need.seconds,
        )
        if need.is_given:
            is_same_pod = self._departures.give(known_as)
            request.lent_as.extend(known_as.values())
            request.fresh = not need.is_shared and not is_same_pod
            if need.end is not None:
                request.end_act, request.end_method = need.end.kind, need.end.method
        answer = self._agent.call("Prepare", request, timeout_seconds=need.seconds + _GRACE_SECONDS)
        if need.is_given:
            self._departures.give(known_as)
        with self._taken:
            self._taken.wait_for(lambda: self._revision >= answer.revision, max(0.0, end - time.monotonic()))


def _events() -> "NodeEvents | None":
    """What tells the cluster of changes, loaded only where that is wanted: its libraries are large."""
    from accel.kubernetes.events import events_of_pod  # noqa: PLC0415 - see above

    found = events_of_pod()
    if found is None:
        _LOG.warning("events: there is no API server, because this is not in a pod")
    return found


def _image(act: Act) -> node.Image:
    texts = {key: text for key, text in act.image.items() if key != "size"}
    return node.Image(size=int(act.image["size"]), **texts)
