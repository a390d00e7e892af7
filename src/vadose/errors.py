"""The error that users see: context, problem, hint."""


class VadoseError(ValueError):
    """A request that cannot be met.

    Args:
        context: what was requested, starting with the room or file ("smap: granules for …").
        problem: why it cannot be met.
        hint: what the user can do.
    """

    def __init__(self, context: str, problem: str, hint: str) -> None:
        self.context, self.problem, self.hint = (_sentence(part) for part in (context, problem, hint))
        super().__init__(context, problem, hint)

    def __str__(self) -> str:
        return f"{self.context} {self.problem} {self.hint}"


class NoDataError(VadoseError):
    """A source without data for an area and a period; other sources may continue."""


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "?", "!")) else f"{text}."
