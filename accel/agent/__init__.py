"""The per-node daemon: runs the drivers, watches for change, reports to the conductor."""
