"""How far something is that takes long: a line that is drawn over and over, on a terminal only."""

from collections.abc import Callable
from typing import Final, TextIO

from accel.cli import formats

_CELLS: Final = 30
_CLEAR_TO_END_OF_LINE: Final = "\033[K"


class Progress:
    """A bar on a stream; nothing at all where the stream is no terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_shown = stream.isatty()
        self._last = ""

    def of(self, what: str) -> Callable[[int, int], None]:
        """What to call with how much is done of how much."""

        def show(done: int, total: int) -> None:
            filled = _CELLS * done // max(total, 1)
            percent = 100 * done // max(total, 1)
            self._write(f"{what}  {'█' * filled}{'░' * (_CELLS - filled)} {percent:3} %")

        return show

    def clear(self) -> None:
        """Leave an empty line."""
        if self._last:
            self._write("")

    def _write(self, text: str) -> None:
        if not self._is_shown or text == self._last:
            return
        self._last = text
        self._stream.write(f"\r{formats.shortened(text, formats.terminal_width() - 1)}{_CLEAR_TO_END_OF_LINE}")
        self._stream.flush()
