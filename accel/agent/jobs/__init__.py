"""What is done to devices on this node: jobs that are kept on disk, one at a time per device, each in a process."""
