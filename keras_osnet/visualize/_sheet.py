"""A figure that things are put on by inches from its top left corner.

Figures are made without `pyplot`, which keeps every figure of a process in memory until it is
closed and changes what the user's own calls of it draw on.
"""

import functools
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_osnet.visualize._require import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEXT, SMALL, LARGE = 9.0, 7.5, 11.0
"""Sizes of letters, in points."""

INK, GREY, PALE = "#222222", "#767676", "#e6e6e6"

RIGHT, WRONG = "#009E73", "#D55E00"
"""Green and red as people with any colour vision can tell them apart (Okabe and Ito, 2008)."""

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8A7A00", "#222222")
"""Okabe and Ito's palette in an order that neighbours differ in; its yellow darkened for lines."""

HEAT = "inferno"
"""Colours of maps: rising lightness, so that they can be told in grey, too."""

MARGIN = 0.12
"""Inches around everything."""


@functools.cache
def _figure_class() -> "type[Figure]":
    figure: Any = require("matplotlib.figure", "Drawing figures")

    class _ShownFigure(figure.Figure):
        """A figure that notebooks show without pyplot."""

        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png")
            return buffer.getvalue()

    return _ShownFigure


def sheet(width: float, height: float) -> "Figure":
    """Return an empty white figure of so many inches."""
    return _figure_class()(figsize=(width, height), dpi=150, facecolor="white")


def axes(figure: "Figure", x: float, y: float, width: float, height: float, **options: Any) -> Any:
    """Return axes of a size in inches, their top left corner at (x, y) from the figure's."""
    whole_width, whole_height = figure.get_size_inches()
    box = (x / whole_width, 1 - (y + height) / whole_height)
    return figure.add_axes((*box, width / whole_width, height / whole_height), **options)


def write(figure: "Figure", x: float, y: float, text: str, **options: Any) -> None:
    """Write at (x, y) inches from the top left corner; `ha` and `va` say which point that is."""
    width, height = figure.get_size_inches()
    options = {"fontsize": TEXT, "color": INK, "ha": "center", "va": "center", **options}
    figure.text(x / width, 1 - y / height, text, **options)


def picture_axes(
    figure: "Figure",
    place: tuple[float, float],
    size: tuple[float, float],
    picture: Any = None,
    frame: str = PALE,
    line: float = 0.6,
) -> "Axes":
    """Return axes without ticks at `place` (x, y), of `size` (width, height), with a frame."""
    tile = axes(figure, *place, *size)
    tile.set(xticks=[], yticks=[])
    tile.spines[:].set(color=frame, linewidth=line)
    if picture is not None:
        height, width = picture.shape[:2]
        tile.imshow(picture, aspect="auto", extent=(0, width, height, 0))
    return tile


def plain(plot: "Axes") -> "Axes":
    """Give the axes of a diagram the look that all have: no box, pale lines, dark numbers."""
    plot.spines[["top", "right"]].set_visible(False)
    plot.spines[["left", "bottom"]].set_color(GREY)
    plot.tick_params(colors=INK, labelsize=SMALL, color=GREY)
    plot.grid(True, color=PALE, linewidth=0.6)
    plot.set_axisbelow(True)
    return plot


def text_width(text: str, size: float) -> float:
    """Inches that a text takes."""
    from matplotlib.textpath import TextPath

    # The path ends with the ink; a blank at the end has none, and counts for nothing.
    return float(TextPath((0, 0), text, size=size).get_extents().x1) / 72 if text.strip() else 0.0


def shortened(text: str, width: float, size: float = TEXT) -> str:
    """Return as much of a text as fits into `width` inches, with an ellipsis if that is not all."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1].rstrip()
    return text + "…"


def tile_width(pictures: Sequence[Any], height: float) -> float:
    """Inches that the widest of some pictures takes at a height, within reason."""
    ratios = [picture.shape[1] / picture.shape[0] for picture in pictures]
    return height * min(max(max(ratios), 0.25), 2.0)


def stream_colours(streams: int) -> list[str]:
    """Return a colour for each stream of a block, from pale to dark: more layers, more ink."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    shades = [0.35 + 0.5 * index / max(streams - 1, 1) for index in range(streams)]
    return [to_hex(colormaps["Blues"](shade)) for shade in shades]
