"""What options the drivers have, without loading them here: that is done where they look.

The agent is smaller for it by what all drivers need, 5 MiB.
"""

import pickle
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection

from accel.agent.nursery import Nursery
from accel.drivers import registry
from accel.errors import ConfigurationError, DriverUnavailable


def learnt(nursery: Nursery, sources: Mapping[str, str]) -> Mapping[str, Sequence[registry.Option]]:
    """The options of drivers, by name; none of one that cannot be loaded, which it will say when it is asked to look.

    :param sources: where they are, ``module:class``, by name
    :raises ConfigurationError: the options of one cannot be told, which is a mistake in it
    """
    child = nursery.start(_tell, sources)
    try:
        options: Mapping[str, Sequence[registry.Option]] = pickle.loads(child.words.recv_bytes())  # noqa: S301  # ours
    except (EOFError, ConnectionError) as error:
        raise ConfigurationError(f"the options of {', '.join(sources)} cannot be told: see the log") from error
    finally:
        child.kill()
        child.forget()
    return options


def _tell(sources: Mapping[str, str], words: Connection) -> None:
    """The life of the process that learns them."""
    words.send_bytes(pickle.dumps({name: _options(name, source) for name, source in sources.items()}))


def _options(name: str, source: str) -> Sequence[registry.Option]:
    try:
        return tuple(registry.load_from(name, source).options)
    except DriverUnavailable:
        return ()
