"""Where a request fits, in which order, and why not: pure functions over a snapshot of the fleet."""
