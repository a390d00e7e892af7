"""Files, locks, processes and memory: what touches the machine."""
