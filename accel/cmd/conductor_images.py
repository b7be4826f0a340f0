"""The part of a conductor that fetches images, made as the configuration says."""

from datetime import UTC, datetime, timedelta
from threading import Event

from oslo_config import cfg

from accel.conductor import glance
from accel.conductor.image_fetch import Fetcher, Sources
from accel.conductor.image_url import UrlSource
from accel.conductor.service import Periodic
from accel.db.arrival import Limits
from accel.db.engine import Database
from accel.model.image_url import read_networks

_LOOK_SECONDS = 2.0


def make_fetcher(database: Database, conf: cfg.ConfigOpts, stop: Event) -> Periodic:
    """What fetches images, not started yet.

    :raises ConfigurationError: a network is none, or it does not say how to speak to Glance
    """
    group = conf.images
    sources = Sources(
        url=UrlSource(frozenset(group.url_hosts), read_networks(group.url_networks)), glance=glance.connect(conf)
    )
    limits = Limits(size_bytes=group.max_size_mib << 20, duration=timedelta(seconds=group.time_limit_seconds))
    fetcher = Fetcher(database, lambda: datetime.now(UTC), sources, limits=limits)
    return Periodic(
        [fetcher.fetch_due, fetcher.tidy], interval_seconds=_LOOK_SECONDS, stop=stop, name="fetching images"
    )
