"""Live acquisition: search catalogues, read the windows that are needed, and keep them as an archive."""
