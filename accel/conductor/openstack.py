"""How a conductor reaches a service of OpenStack: keystoneauth signs in and finds it.

It takes a quarter of a second to import, so only a conductor that speaks to such a service imports it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from accel.errors import ConfigurationError

if TYPE_CHECKING:
    import requests
    from keystoneauth1.adapter import Adapter

_TEXT_LENGTH = 300


def adapter_of(conf: cfg.ConfigOpts, group: str, *, service_type: str) -> "Adapter | None":
    """The way to the service of an option group; it is reached when it is first needed. None: there is none.

    :raises ConfigurationError: the text says which option is wrong
    """
    section = conf[group].auth_section
    if not (conf[group].auth_type or section):
        return None
    from keystoneauth1 import loading  # noqa: PLC0415 - see the module's docstring
    from keystoneauth1.exceptions import ClientException  # noqa: PLC0415 - see the module's docstring

    conf.register_opts(_session_options(service_type), group=group)
    try:
        if conf[group].timeout <= 0:
            raise ConfigurationError(f"[{group}] timeout: a number of seconds above 0 is wanted")
        if section and section != group:
            conf.register_opts(loading.get_auth_common_conf_options(), group=section)
        auth = loading.load_auth_from_conf_options(conf, group)
        if auth is None:
            raise ConfigurationError(f"[{group}] auth_section: [{section}] has no auth_type")
        session = loading.load_session_from_conf_options(conf, group, auth=auth)
        adapter: Adapter = loading.load_adapter_from_conf_options(conf, group, session=session, client_name="accel")
    except (ClientException, TypeError, cfg.Error) as error:
        raise ConfigurationError(f"[{group}]: {error}") from error
    return adapter


def options(service_type: str) -> Sequence[cfg.Opt]:
    """What is keystoneauth's in such a group, with what its plugin ``password`` needs, for the sample configuration."""
    from keystoneauth1 import loading  # noqa: PLC0415 - see the module's docstring

    return [*_session_options(service_type), *loading.get_auth_plugin_conf_options("password")]


def _session_options(service_type: str) -> list[cfg.Opt]:
    """How a service is found and spoken to; what keystoneauth leaves open is decided here."""
    from keystoneauth1 import loading  # noqa: PLC0415 - see the module's docstring

    session = loading.get_session_conf_options()
    cfg.set_defaults(session, timeout=15)
    adapter = loading.get_adapter_conf_options(include_deprecated=False)
    cfg.set_defaults(adapter, service_type=service_type, valid_interfaces=["internal", "public"])
    return [*session, *adapter]


def body_of(answer: "requests.Response") -> Mapping[str, Any]:
    """The JSON object of an answer; an empty one where it is none."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def short(text: str) -> str:
    """The words of an answer on one line of a log."""
    return " ".join(text.split())[:_TEXT_LENGTH]
