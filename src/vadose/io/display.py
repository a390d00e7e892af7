"""Display of objects: a title and a table of a few rows, as text and as HTML."""

from collections.abc import Mapping
from html import escape

_LONGEST = 100


class Summarised:
    """Mixin that derives `repr` and `_repr_html_` from `_summary`."""

    def _summary(self) -> tuple[str, Mapping[str, object]]:
        """Return a title, and rows by name."""
        raise NotImplementedError

    def __repr__(self) -> str:
        title, rows = self._summary()
        width = max(map(len, rows), default=0)
        return "\n".join([title, *(f"  {name:<{width}}  {_short(value)}" for name, value in rows.items())])

    def _repr_html_(self) -> str:
        title, rows = self._summary()
        cells = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>"
            f"{escape(_short(value))}</td></tr>"
            for name, value in rows.items()
        )
        return f"<div><strong>{escape(title)}</strong><table>{cells}</table></div>"


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
