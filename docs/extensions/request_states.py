"""The picture of what can become of an accelerator request, drawn from the one list of transitions.

``.. request-states::`` puts it into a page: a column for each state, a line for each act. A dot is a state in which
the act may happen, the arrow ends at the state to which it leads.
"""

from html import escape

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from accel.model.request import TRANSITIONS, WORKING, Act, RequestState, Transition

_STATES: tuple[RequestState | None, ...] = (*RequestState, None)
_GONE = "(gone)"
_LEFT, _TOP, _COLUMN, _LINE, _TEXT = 130, 34, 98, 30, 12
_WIDTH, _HEIGHT = _LEFT + _COLUMN * len(_STATES), _TOP + _LINE * len(TRANSITIONS) + 8


class RequestStates(Directive):
    """The directive."""

    def run(self) -> list[nodes.Node]:
        """The picture, and a table that says the same in words."""
        return [nodes.raw("", drawing(), format="html"), _table()]


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("request-states", RequestStates)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def drawing() -> str:
    """The picture as SVG, in the colour of the text around it."""
    lines = [_line(number, act, transition) for number, (act, transition) in enumerate(TRANSITIONS.items())]
    style = f'font-size="{_TEXT}" fill="currentColor" stroke="none" text-anchor="middle"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%" '
        f'fill="none" stroke="currentColor" font-family="sans-serif"><title>States of a request</title>'
        f"{''.join(_column(state) for state in _STATES)}<g {style}>{''.join(map(_heading, _STATES))}</g>"
        f"{''.join(lines)}</svg>"
    )


def _x(state: RequestState | None) -> int:
    return _LEFT + _COLUMN * _STATES.index(state) + _COLUMN // 2


def _heading(state: RequestState | None) -> str:
    return f'<text x="{_x(state)}" y="{_TEXT + 4}">{escape(state or _GONE)}</text>'


def _column(state: RequestState | None) -> str:
    dashes = ' stroke-dasharray="3 4"' if state in WORKING else ""
    return f'<path d="M{_x(state)} {_TOP - 8}V{_HEIGHT}" stroke-opacity="0.35"{dashes}/>'


def _line(number: int, act: Act, transition: Transition) -> str:
    """An act: its name, the dots, and the arrows from the outermost of them on either side."""
    y, end = _TOP + _LINE * number + _LINE // 2, _x(transition.after)
    starts = sorted(map(_x, transition.before))
    name = f'<text x="4" y="{y + 4}" font-size="{_TEXT}" fill="currentColor" stroke="none">{escape(act)}</text>'
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="4" fill="currentColor"/>' for x in starts)
    before = _arrow(starts[0], end, y) if starts[0] < end else ""
    behind = _arrow(starts[-1], end, y) if starts[-1] > end else ""
    return name + dots + before + behind


def _arrow(start: int, end: int, y: int) -> str:
    back = -7 if start < end else 7
    return f'<path d="M{start} {y}H{end}M{end + back} {y - 4}L{end} {y}L{end + back} {y + 4}" stroke-width="1.5"/>'


def _table() -> nodes.table:
    body = nodes.tbody()
    for act, transition in TRANSITIONS.items():
        before = ", ".join(state for state in RequestState if state in transition.before)
        body += _row(act, before, transition.after or _GONE, transition.meaning)
    head = nodes.thead("", _row("act", "in", "leads to", "meaning"))
    widths = [nodes.colspec(colwidth=width) for width in (20, 30, 15, 35)]
    return nodes.table("", nodes.tgroup("", *widths, head, body, cols=len(widths)))


def _row(*texts: str) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", text)) for text in texts))
