"""``make bench``: measure everything that has a bound and print it as one table."""

import sys
import tempfile
from pathlib import Path

from bench import api, claims, conductor, hot_plug, kubelet, placement, simulate, size, whole_fleet
from bench.figures import Figure, table

PARTS = {
    "conductor": conductor.figures,
    "api": api.figures,
    "claims": claims.figures,
    "simulate": simulate.figures,
    "placement": placement.figures,
    "size": size.figures,
    "hot-plug": hot_plug.figures,
    "kubelet": kubelet.figures,
    "fleet": whole_fleet.figures,
}


def main(wanted: list[str]) -> int:
    """Measure the parts that are wanted, all by default.

    :return: 1 when a figure is over its bound
    """
    figures: list[Figure] = []
    for name, measure in PARTS.items():
        if wanted and name not in wanted:
            continue
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="accel-bench-") as directory:
            figures += measure(Path(directory))
    print(table(figures))
    return 0 if all(figure.is_within for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
