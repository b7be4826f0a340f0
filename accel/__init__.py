"""accel: one control plane for every accelerator of a fleet."""
