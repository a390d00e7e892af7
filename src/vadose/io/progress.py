"""Steps of long calls, as they are reported."""


class Step(str):
    """Name of a step that counts something else than its call does, such as the items that a map fetches first.

    Attributes:
        counted: what is counted, plural.
    """

    counted: str

    def __new__(cls, name: str, counted: str) -> "Step":
        """Name a step."""
        step = super().__new__(cls, name)
        step.counted = counted
        return step
