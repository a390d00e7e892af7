"""Names of a package that are imported when they are first used."""

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path


def lazily(package: str, file: str) -> Callable[[str], object]:
    """Return the `__getattr__` of a package whose imports are for type checkers alone.

    A name is imported from the module that the package states when it is first used, so that a command imports the
    modules that it needs and no others. No name may be that of a module of the package.

    Args:
        package: its name.
        file: that states the imports.
    """
    stated = [node for node in ast.walk(ast.parse(Path(file).read_bytes())) if isinstance(node, ast.ImportFrom)]
    where = {one.name: node.module for node in stated for one in node.names if node.module}

    def found(name: str) -> object:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(where[name]), name)

    return found
