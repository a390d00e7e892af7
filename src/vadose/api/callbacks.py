"""Callbacks of long calls; by default they do nothing."""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called with the number of finished steps, their total, and the name of the step."""
Echo = Callable[[str], None]
"""Called with each line of remarks and results."""
Epochs = Callable[[str, dict[str, float]], None]
"""Called after each epoch with the name of the model and its figures."""


def silent(*_: object) -> None:
    """Report nothing."""
