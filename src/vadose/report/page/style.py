"""Style of the page's pictures, and their embedding."""

import base64
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from vadose.report.diagram import STYLES

LABEL = "#222222"
"""Colour of the in-situ readings."""
FAINT = "#8a8f94"
STEPS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Bounds of the classes of R on the map."""
SHADES = ("#440154", "#443983", "#31688e", "#21918c", "#35b779", "#90d743", "#d8cf1c", "#fde725")
"""Dark for bad, light for good estimates (viridis, perceptually uniform for colour-blind readers)."""
DENSITY = "cividis_r"
WIDTH = 10.0
"""Width of a picture across the page, inches."""

_LOOK: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "svg.fonttype": "path",
    "svg.hashsalt": "vadose",
}


@dataclass(frozen=True)
class Picture:
    """A picture of the page.

    Attributes:
        source: data address of the SVG.
        says: alternative text.
        caption: below it.
    """

    source: str
    says: str
    caption: str


def picture(draw: Callable[[], Figure], says: str, caption: str) -> Picture:
    """Draw a figure as SVG; it is embedded as an image, so that nothing in it can run."""
    return Picture(f"data:image/svg+xml;base64,{base64.b64encode(svg_of(draw)).decode()}", says, caption)


def svg_of(draw: Callable[[], Figure]) -> bytes:
    """Draw a figure as SVG with reproducible bytes."""
    with mpl.rc_context(_LOOK), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        bytes_ = BytesIO()
        draw().savefig(bytes_, format="svg", dpi=160, metadata={"Date": None, "Creator": None})
    return bytes_.getvalue()


def colour(place: int) -> str:
    """Return the colour of the product at an index."""
    return STYLES[place % len(STYLES)][0]
