"""A driver whose module never ends loading."""

import signal

while True:
    signal.pause()
