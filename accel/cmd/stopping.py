"""Waiting for the end of a service."""

from threading import Event

_WAKE_SECONDS = 1.0


def until_set(stop: Event) -> None:
    """Wait until a signal's handler, or anybody else, sets it.

    The kernel may give a signal to a thread of a library, such as grpcio's, and Python runs the handler when the main
    thread wakes the next time: so it wakes.
    """
    while not stop.wait(_WAKE_SECONDS):
        pass
