"""Who is asking, and what they may: the same for every strategy once it knows whom it has before it.

``none`` takes everybody on this machine for an administrator, ``http_basic`` looks into files, ``keystone`` asks
OpenStack's identity service about a token. Each leaves an oslo.context behind, which handlers get with their call.
"""

import base64
import binascii
import ipaddress
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from oslo_config import cfg
from oslo_context.context import RequestContext

from accel.api import environment
from accel.api.accounts import AccountFiles
from accel.api.refusals import AccessRefused, NotAuthenticated
from accel.api.routing import Router
from accel.db.scope import Scope
from accel.errors import ConfigurationError
from accel.policies.enforcer import Policy

Layer = Callable[[WSGIApplication], WSGIApplication]

SERVICE = "service"
"""The role of other services: what only a service token may, a token of a user may not, whatever its roles are."""

ADMIN = "admin"
"""The role whose bearers see the things of every project."""

LOCAL_PROJECT = "local"
"""The project of whoever asks a service that asks nobody who they are."""


def layer(conf: cfg.ConfigOpts, router: Router) -> Layer:
    """The layer of the strategy that is configured.

    :raises ConfigurationError: the strategy lacks what it needs
    """
    if conf.api.auth_strategy == "none":
        return LoopbackOnly
    return partial(Door, router=router, ask=_asking(conf))


def check_identity(conf: cfg.ConfigOpts) -> None:
    """Make what the strategy needs, once, to find what it lacks before a request does.

    :raises ConfigurationError: the text says what and where
    """
    layer(conf, Router(()))(lambda _environ, _start_response: ())


def require(policy: Policy, rule: str | None, context: RequestContext) -> None:
    """Let a call pass if the rule allows it, for the project that the caller asks for.

    :param rule: None allows everybody
    :raises AccessRefused: it does not
    """
    if rule is None:
        return
    if not context.project_id:
        raise AccessRefused(f"{rule} is allowed within a project only; ask with a token that is scoped to one")
    if not policy.allows(rule, context):
        roles = ", ".join(sorted(context.roles)) or "none"
        raise AccessRefused(f"Policy does not allow {rule} with the roles that you have in this project: {roles}")


def scope_of(context: RequestContext) -> Scope:
    """Whose things the caller sees: those of its project and what is everybody's; an administrator all.

    The project of whoever asks a service that asks nobody owns nothing: what is made there is everybody's.
    """
    is_nobody = context.project_id == LOCAL_PROJECT and context.user_id is None
    project_id = None if is_nobody else context.project_id
    return Scope(project_id=project_id, sees_all=ADMIN in context.roles)


def is_service(context: RequestContext) -> bool:
    """Whether another service of the cloud vouches for the call, by a token of its own."""
    return SERVICE in context.service_roles


class LoopbackOnly:
    """Authentication strategy ``none``: everybody on this machine is an administrator, and nobody else gets in."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Let the request pass if it comes from this machine.

        :raises AccessRefused: it does not
        """
        if not is_loopback(environ.get("REMOTE_ADDR") or "localhost"):  # a Unix socket has no address
            raise AccessRefused("Without authentication this service answers requests of its own machine only")
        environ[environment.CONTEXT] = RequestContext(
            request_id=environment.request_id(environ),
            project_id=LOCAL_PROJECT,
            roles=[ADMIN, "manager", "member", "reader"],
            service_roles=[SERVICE],
        )
        return self._application(environ, start_response)


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether an address, or the name of one, can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Door:
    """Lets everybody to what is open to all, as nobody in particular, and asks who they are before anything else.

    :param ask: the layer that asks
    """

    def __init__(self, application: WSGIApplication, *, router: Router, ask: Layer) -> None:
        self._application = application
        self._asking = ask(application)
        self._router = router

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on, one way or the other."""
        if not self._router.is_open(environ.get("PATH_INFO", "")):
            return self._asking(environ, start_response)
        environ[environment.CONTEXT] = RequestContext(request_id=environment.request_id(environ))
        return self._application(environ, start_response)


class HttpBasic:
    """Authentication strategy ``http_basic``: name and password with every request."""

    def __init__(self, application: WSGIApplication, *, accounts: AccountFiles) -> None:
        self._application = application
        self._accounts = accounts

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Let a user pass.

        :raises NotAuthenticated: name and password are those of nobody
        """
        name, password = _name_and_password(environ.get("HTTP_AUTHORIZATION", ""))
        account = self._accounts.authenticate(name, password)
        if account is None:
            raise NotAuthenticated("There is no user with this name and password")
        environ[environment.CONTEXT] = RequestContext(
            request_id=environment.request_id(environ),
            user_id=account.name,
            user_name=account.name,
            project_id=account.project,
            project_name=account.project,
            roles=list(account.roles),
            service_roles=[SERVICE] if SERVICE in account.roles else [],  # there is no second password for a service
        )
        return self._application(environ, start_response)


class KeystoneUser:
    """What keystonemiddleware has found out about a token, in its headers; it lets no others of these names pass."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Read the headers; the tokens themselves are kept nowhere."""
        environ[environment.CONTEXT] = RequestContext.from_environ(environ, auth_token=None, service_token=None)
        return self._application(environ, start_response)


def _asking(conf: cfg.ConfigOpts) -> Layer:
    if conf.api.auth_strategy == "http_basic":
        accounts = AccountFiles(Path(conf.http_basic.user_file), Path(conf.http_basic.role_file))
        accounts.read()
        return partial(HttpBasic, accounts=accounts)
    return partial(_ask_keystone, conf=conf)


def _ask_keystone(application: WSGIApplication, *, conf: cfg.ConfigOpts) -> WSGIApplication:
    # These take half a second to import, and only this strategy needs them.
    from keystoneauth1.exceptions import ClientException  # noqa: PLC0415
    from keystonemiddleware.auth_token import AuthProtocol  # noqa: PLC0415

    try:
        asking: WSGIApplication = AuthProtocol(KeystoneUser(application), {"oslo_config_config": conf})
    except ClientException as error:
        raise ConfigurationError(f"[keystone_authtoken]: {error}") from error
    if not (conf.keystone_authtoken.auth_type or conf.keystone_authtoken.auth_section):
        raise ConfigurationError("[keystone_authtoken] auth_type is not set: say how this service signs in to Keystone")
    return asking


def _name_and_password(header: str) -> tuple[str, bytes]:
    """What an ``Authorization`` header says.

    :raises NotAuthenticated: it does not say so
    """
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise NotAuthenticated("Say who you are, by name and password")
    try:
        name, _, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return name.decode(), password
    except (binascii.Error, UnicodeError) as error:
        raise NotAuthenticated("The header Authorization cannot be read") from error
