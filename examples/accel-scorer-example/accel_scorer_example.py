"""A scorer for accel's placement: memory that nobody asked for should not be taken.

Of GPUs with 40 and with 80 GiB either will do for somebody who says nothing of memory. This part of a score is 1 for
the smallest of this fleet and less for larger ones, so that the larger ones stay for those who ask for them.
"""

from accel.placement.scores import Placed

SMALLEST_BYTES = 16 * 2**30


def frugal(placed: Placed) -> float:
    """From 1 for the smallest memory towards 0 for very large ones; 1 where the memory is not known."""
    taken = [placed.shape.slots[pick.slot].spec.facts.get("memory_bytes", "") for pick in placed.picks]
    known = [int(text) for text in taken if text.isdecimal()]
    return min((min(1.0, SMALLEST_BYTES / max(1, size)) for size in known), default=1.0)
