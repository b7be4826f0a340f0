"""The API as one WSGI application."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from wsgiref.types import WSGIApplication

from oslo_config import cfg

from accel.api import identity
from accel.api.claiming import Claiming
from accel.api.controller import Application, RootController
from accel.api.faults import Boundary
from accel.api.fleet_index import FleetIndex
from accel.api.identity import Layer
from accel.api.imaging import Imaging
from accel.api.layers import BehindProxy, HealthCheck, Options, Reading, ReferenceMount, RequestId
from accel.api.metrics import Metrics
from accel.api.patience import Patience
from accel.api.placing import Placing
from accel.api.pods import configured_resources
from accel.api.recent_sizes import RecentSizes
from accel.api.routes import ROUTES
from accel.api.routing import Router
from accel.api.services import Services
from accel.db.engine import Database
from accel.db.transitions import Terms
from accel.policies.enforcer import Policy, make_enforcer
from accel.rpc.api import Claims


def _now() -> datetime:
    return datetime.now(UTC)


def make_app(
    database: Database,
    conf: cfg.ConfigOpts,
    claims: Claims,
    *,
    terms: Terms | None = None,
    placing: Placing | None = None,
    clock: Callable[[], datetime] = _now,
) -> WSGIApplication:
    """The application of a configuration over a database; it connects when the first request comes.

    :param claims: what is left to conductors of accelerator requests
    :param terms: how requests are bound and unbound, by default as the configuration says
    :param placing: what questions about placement are answered with, by default the fleet of the database; it is read
        when it is first asked for, unless somebody begins before
    :raises ConfigurationError: the authentication strategy lacks what it needs, or a resource of pods means nothing
    """
    router = Router(ROUTES)
    controller = RootController(
        router,
        Services(
            database=database,
            claiming=Claiming.over(database, terms or Terms.configured(conf), claims),
            placing=placing or _placing(database, conf),
            imaging=Imaging.configured(conf),
            patience=_patience(conf),
            pod_resources=configured_resources(conf),
        ),
        policy=Policy(make_enforcer(conf)),
        public_endpoint=conf.api.public_endpoint,
        clock=clock,
    )
    application: WSGIApplication = Application(controller)
    for layer in reversed(_layers(conf, database, router)):
        application = layer(application)
    return application


def _patience(conf: cfg.ConfigOpts) -> Patience:
    """Of the threads that answer, half may wait for devices."""
    return Patience(seats=conf.api.threads // 2, limit=timedelta(seconds=conf.images.program_limit_seconds))


def _placing(database: Database, conf: cfg.ConfigOpts) -> Placing:
    recent = RecentSizes.configured(database, conf.placement_engine)
    return Placing(index=FleetIndex(database), recent=recent)


def _layers(conf: cfg.ConfigOpts, database: Database, router: Router) -> list[Layer]:
    """What stands around the application, the outermost first: a request passes from the top to the bottom."""
    return [
        partial(HealthCheck, conf=conf),
        partial(Metrics, database=database),
        partial(BehindProxy, conf=conf),  # what the client really sent, before anybody looks at it
        RequestId,  # from here on a request has a name, errors included
        ReferenceMount,
        Boundary,  # errors of everything below become answers
        identity.layer(conf, router),  # who is asking
        partial(Reading, router=router, max_body_bytes=conf.api.max_request_body_bytes),
        partial(Options, router=router),
    ]
