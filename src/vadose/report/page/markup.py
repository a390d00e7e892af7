"""The subset of Markdown in chapters, as HTML; all text is escaped."""

import re
from collections.abc import Sequence

from markupsafe import Markup, escape

_INLINE = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"\[([^\]]+)\]\((https://[^)\s&<>]+)\)"), r'<a href="\2">\1</a>'),
)
_HEAD = {True: Markup("<th scope='col' class=words>{}</th>"), False: Markup("<th scope='col'>{}</th>")}
_FIRST = Markup("<th scope='row'>{}</th>")
_CELLS = {True: Markup("<td class=words>{}</td>"), False: Markup("<td>{}</td>")}
_TABLE = Markup("<div class='wide'><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>")
_CELL = re.compile(r"(?<!\\)\|")


def html_of(text: str) -> Markup:
    """Convert headings of the third order, tables with bars, lists, paragraphs, `code`, **bold** and https links."""
    return Markup("\n").join(_block(block.splitlines()) for block in re.split(r"\n\s*\n", text.strip()) if block)


def table_html(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """Return a table: words to the left, figures to the right, an interval below its figure."""
    columns = zip(*rows, strict=True) if rows else [()] * len(header)
    words = [place == 0 or not all(map(_is_figure, column)) for place, column in enumerate(columns)]
    head = Markup("").join(_HEAD[left].format(cell) for cell, left in zip(header, words, strict=True))
    body = Markup("\n").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(
                (_FIRST if place == 0 else _CELLS[left]).format(_cell(cell))
                for place, (cell, left) in enumerate(zip(row, words, strict=True))
            )
        )
        for row in rows
    )
    return _TABLE.format(head, body)


def _is_figure(cell: str) -> bool:
    return not cell or cell[0] in "-–<0123456789"


def _cell(text: str) -> Markup:
    figure, bracket, ends = text.partition(" [")
    if bracket and ends.endswith("]") and _is_figure(figure):
        return Markup("{}<small>[{}</small>").format(figure, ends)
    return _words(text)


def _block(lines: Sequence[str]) -> Markup:
    if lines[0].startswith("### "):
        rest = _block(lines[1:]) if lines[1:] else Markup("")
        return Markup("<h3>{}</h3>{}").format(lines[0].removeprefix("### "), rest)
    if lines[0].startswith("|"):
        cells = [_cells(line) for line in lines]
        return table_html(cells[0], cells[2:])
    if all(line.startswith(("- ", "  ")) for line in lines):
        items = "\n".join(lines).removeprefix("- ").split("\n- ")
        return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(_words(i)) for i in items))
    if lines[0].startswith("!["):
        return Markup("")
    return Markup("<p>{}</p>").format(_words("\n".join(lines)))


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELL.split(line.strip().strip("|"))]


def _words(text: str) -> Markup:
    escaped = str(escape(text))
    for pattern, put in _INLINE:
        escaped = pattern.sub(put, escaped)
    return Markup(escaped)  # noqa: S704 - escaped above; the patterns put in tags alone
