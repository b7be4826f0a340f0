"""Nova, OpenStack's compute service: told what became of requests, and asked whether instances are still there.

Everything about it is here: its options too.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from oslo_config import cfg

from accel.conductor import openstack
from accel.conductor.openstack import body_of
from accel.conf.nova import GROUP
from accel.errors import NovaUnavailable
from accel.model.notification import BOUND_EVENT, Notification, Reception, Reply

if TYPE_CHECKING:
    import requests
    from keystoneauth1.adapter import Adapter

_SERVICE = "compute"
_KNOWS_ACCELERATORS = "2.82"
"""The first version of Nova's API that takes events of accelerator requests."""


def connect(conf: cfg.ConfigOpts) -> "Nova | None":
    """The Nova of a configuration; it is reached when it is first needed. None: there is none.

    :raises ConfigurationError: the text says which option is wrong
    """
    adapter = openstack.adapter_of(conf, GROUP.name, service_type=_SERVICE)
    return Nova(adapter) if adapter is not None else None


def list_opts() -> list[tuple[cfg.OptGroup, Sequence[cfg.Opt]]]:
    """What is keystoneauth's in the group, for the sample configuration."""
    return [(GROUP, openstack.options(_SERVICE))]


class Nova:
    """Speaks to Nova. Several threads may do so at once.

    :param adapter: signs in and finds the service
    """

    def __init__(self, adapter: "Adapter") -> None:
        self._adapter = adapter

    def tell(self, notifications: Sequence[Notification]) -> list[Reply]:
        """Tell of any number of requests at once; gives what becomes of each, in their order.

        Nova refuses all for the sake of one that it cannot read: halves of them are tried until only that one is left.
        """
        try:
            answer = self._ask(
                "POST",
                "/os-server-external-events",
                json={"events": [_event(notification) for notification in notifications]},
                microversion=_KNOWS_ACCELERATORS,
            )
        except NovaUnavailable as error:
            return [Reply(Reception.FAILED, str(error))] * len(notifications)
        if answer.status_code == 400 and len(notifications) > 1:
            middle = len(notifications) // 2
            return [*self.tell(notifications[:middle]), *self.tell(notifications[middle:])]
        return _replies(answer, notifications)

    def gone(self, instances: Iterable[str]) -> set[str]:
        """Those of the instances that Nova knows no more. They are asked for one by one.

        To a user who may not see the instances of every project Nova says that there are none: such a user is not
        believed.

        :raises NovaUnavailable: it does not answer, or does not let us see; nothing is known of any of them
        """
        wanted = sorted(set(instances))
        if wanted:
            self._find("/servers?all_tenants=1&limit=1")
        return {uuid for uuid in wanted if not self._find(f"/servers/{quote(uuid, safe='')}")}

    def _find(self, path: str) -> bool:
        answer = self._ask("GET", path)
        if answer.status_code == 200:
            return True
        if path.startswith("/servers/") and _has_no_such(answer):
            return False
        hint = ": the user of [nova] needs the role admin to see all instances" if answer.status_code == 403 else ""
        raise NovaUnavailable(f"{_said(answer)}{hint}")

    def _ask(self, method: str, path: str, **arguments: Any) -> "requests.Response":
        from keystoneauth1.exceptions import ClientException  # noqa: PLC0415 - see accel.conductor.openstack

        try:
            return self._adapter.request(path, method, raise_exc=False, **arguments)
        except (ClientException, OSError) as error:  # the latter of a file of [nova] that is not there
            raise NovaUnavailable(f"Nova cannot be asked: {error}") from error


def _event(notification: Notification) -> dict[str, str]:
    return {
        "name": BOUND_EVENT,
        "server_uuid": notification.instance_uuid,
        "tag": notification.request_uuid,
        "status": notification.status,
    }


def _replies(answer: "requests.Response", notifications: Sequence[Notification]) -> list[Reply]:
    if _has_no_such(answer):
        return [Reply(Reception.POINTLESS, _said(answer))] * len(notifications)
    events = body_of(answer).get("events")
    if answer.status_code not in {200, 207} or not isinstance(events, list):
        return [Reply(Reception.FAILED, _said(answer))] * len(notifications)
    codes = {
        (event.get("server_uuid"), event.get("tag")): event.get("code") for event in events if isinstance(event, dict)
    }
    default = 200 if answer.status_code == 200 else None
    return [_reply(codes.get((told.instance_uuid, told.request_uuid), default)) for told in notifications]


def _reply(code: object) -> Reply:
    """What a code means; 422 is that of an instance without a host, which looks for itself once it has one."""
    if code in {200, 422}:
        return Reply(Reception.TAKEN)
    text = f"Nova answers {code} to the event"
    return Reply(Reception.POINTLESS if code == 404 else Reception.FAILED, text)


def _has_no_such(answer: "requests.Response") -> bool:
    """Whether Nova itself says that it has no such thing: something else that answers 404 is not Nova."""
    return answer.status_code == 404 and "itemNotFound" in body_of(answer)


def _said(answer: "requests.Response") -> str:
    """The status and the words of an answer."""
    words = [fault["message"] for fault in body_of(answer).values() if isinstance(fault, dict) and "message" in fault]
    return f"Nova answers {answer.status_code}: {openstack.short(str(words[0] if words else answer.text))}"
