"""The one error a user meets: what was asked, what was found, what to do."""


class Refusal(ValueError):
    """A request that cannot be met, told in three parts.

    Args:
        asked: what was asked, starting with the room or file that was asked ("smap: granules for …").
        found: what was found instead.
        remedy: what the user can do about it.
    """

    def __init__(self, asked: str, found: str, remedy: str) -> None:
        self.asked, self.found, self.remedy = (_sentence(part) for part in (asked, found, remedy))
        super().__init__(asked, found, remedy)

    def __str__(self) -> str:
        return f"{self.asked} {self.found} {self.remedy}"


class NothingFound(Refusal):
    """A source that holds nothing for an area and a period; the others may go on without it."""


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "?", "!")) else f"{text}."
