"""What a long call reports to its caller: by default nothing."""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called with the number of steps that are done, of all, and the name of the step."""
Echo = Callable[[str], None]
"""Called with each line of remarks and results."""
Epochs = Callable[[str, dict[str, float]], None]
"""Called after each epoch with the name of the model and its figures."""


def silent(*_: object) -> None:
    """Report nothing."""
