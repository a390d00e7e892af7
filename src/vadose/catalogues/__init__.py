"""Live acquisition: search catalogues, read the windows that are needed, and keep them as an archive."""

SIMULATED_MARK = "SIMULATED.txt"
"""File of an archive that was fetched from catalogues of a simulated Earth."""
