"""Files, locks, processes and memory."""
