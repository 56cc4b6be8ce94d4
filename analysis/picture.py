"""A figure as an image inside a page: SVG or PNG, whichever is smaller, as a data address. It fetches nothing."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG

from marketsim.analysis.figures.style import LOOK, settle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGE = 200_000  # bytes of SVG beyond which a PNG is tried as well
DOTS = 144  # a PNG's dots per inch: sharp on a dense screen at the page's width
_LONG_NUMBER = re.compile(r"(?<=[\sML])(-?\d+\.\d\d)\d+(?=[\s\"])")


@dataclass(frozen=True)
class Picture:
    """``address`` is a data: URL; ``width`` and ``height`` are CSS pixels."""

    address: str
    width: int
    height: int


def picture(figure: Figure) -> Picture:
    """The figure as the smaller of SVG and PNG. The same figure gives the same bytes."""
    content, kind = svg(figure), "svg+xml"
    if len(content) > LARGE:
        dots = png(figure)
        if len(dots) < len(content):
            content, kind = dots, "png"
    inches = figure.get_size_inches()
    address = f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
    return Picture(address, round(inches[0] * 96), round(inches[1] * 96))


def svg(figure: Figure) -> bytes:
    """The figure as SVG, without date and with coordinates to a hundredth of a point."""
    buffer = io.StringIO()
    with mpl.rc_context(LOOK):
        settle(figure)
        # The canvas itself, not savefig: that would draw everything once more to arrange it again.
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(buffer, metadata={"Date": None, "Creator": None})
    FigureCanvasAgg(figure)
    return _LONG_NUMBER.sub(r"\1", buffer.getvalue()).encode()


def png(figure: Figure) -> bytes:
    """The figure as PNG at ``DOTS`` per inch."""
    buffer = io.BytesIO()
    with mpl.rc_context(LOOK):
        settle(figure).savefig(buffer, format="png", dpi=DOTS, metadata={"Software": None})
    return buffer.getvalue()
