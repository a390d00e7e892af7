"""Studies on the simulated Earth: its realism, the evaluation against its truth, and the demonstration."""
