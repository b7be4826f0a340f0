"""What may take long is done aside, so that looking does not wait for it."""

from collections.abc import Callable
from threading import Thread
from typing import Protocol


class Aside(Protocol):
    """Does one thing at a time."""

    @property
    def is_busy(self) -> bool:
        """Whether it is still at it."""
        ...

    def do(self, act: Callable[[], None], then: Callable[[], None]) -> None:
        """Begin something, while it is not busy.

        :param then: what is done when it is busy no more
        """
        ...


class AtOnce:
    """Does it before it returns: for whoever can wait, and for tests."""

    is_busy = False

    def do(self, act: Callable[[], None], then: Callable[[], None]) -> None:
        """See ``Aside.do``."""
        act()
        then()


class InThread:
    """Does it in a thread, which the process may end without."""

    def __init__(self) -> None:
        self._is_busy = False

    @property
    def is_busy(self) -> bool:
        """See ``Aside.is_busy``."""
        return self._is_busy

    def do(self, act: Callable[[], None], then: Callable[[], None]) -> None:
        """See ``Aside.do``."""
        self._is_busy = True
        Thread(target=self._do, args=(act, then), name="aside", daemon=True).start()

    def _do(self, act: Callable[[], None], then: Callable[[], None]) -> None:
        try:
            act()
        finally:
            self._is_busy = False
            then()
