"""Figures laid out in inches from the top left corner: tiles, texts, boxes and arrows; their files.

Figures are made without `pyplot`, which keeps every figure of a process in memory until it is
closed and changes the current figure of the user's own calls.
"""

import bisect
import functools
import io
import math
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_osnet._utils.files import atomic_path
from keras_osnet._utils.optional import require
from keras_osnet._utils.text import drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEXT, SMALL, LARGE = 9.0, 7.5, 11.0
"""Sizes of letters, in points."""

INK, GRAY, PALE = "#222222", "#767676", "#e6e6e6"

RIGHT, WRONG = "#009E73", "#D55E00"
"""Green and red that are distinct with any color vision (Okabe and Ito, 2008)."""

COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8A7A00", "#222222")
"""Okabe and Ito's palette, ordered so that neighbors differ; its yellow darkened for lines."""

HEAT = "inferno"
"""Colormap of feature maps: lightness rises steadily, so that it also works in gray."""

_FONTS = (
    *("Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC"),
    *("WenQuanYi Zen Hei", "Microsoft YaHei", "SimHei", "Yu Gothic", "Malgun Gothic"),
    *("PingFang SC", "Hiragino Sans", "Heiti TC", "Apple SD Gothic Neo", "Arial Unicode MS"),
    *("Nirmala UI", "Segoe UI", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Thai"),
)
"""Fonts of systems with the letters of other scripts."""

_LONGEST = 200
"""Letters of a text that could fit anywhere."""

_ENTRY = 4.0
"""Width of the longest entry of a legend, in inches."""

MARGIN = 0.12
"""Margin in inches."""

POINTWISE, SPATIAL, GATE, OTHER = "#CFE2F3", "#FBE3C0", "#CDEBDD", "#EFEFEF"
"""Fills: 1×1 convolutions, 3×3 and larger, gates and blocks with them, everything else."""


@functools.cache
def _figure_class() -> "type[Figure]":
    figure: Any = require("matplotlib.figure", "Drawing figures", extra="visualize")

    class _ShownFigure(figure.Figure):
        """A figure that notebooks show without pyplot."""

        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png")
            return buffer.getvalue()

    return _ShownFigure


def sheet(width: float, height: float) -> "Figure":
    """Return an empty white figure of this size in inches."""
    return _figure_class()(figsize=(width, height), dpi=150, facecolor="white")


def axes(figure: "Figure", x: float, y: float, width: float, height: float, **options: Any) -> Any:
    """Return axes of a size in inches, their top left corner at (x, y) from the figure's."""
    whole_width, whole_height = figure.get_size_inches()
    box = (x / whole_width, 1 - (y + height) / whole_height)
    return figure.add_axes((*box, width / whole_width, height / whole_height), **options)


def write(figure: "Figure", x: float, y: float, text: str, **options: Any) -> None:
    """Write at (x, y) inches from the top left corner; `ha` and `va` align the text there."""
    width, height = figure.get_size_inches()
    options = {"fontsize": TEXT, "color": INK, "ha": "center", "va": "center", **options}
    figure.text(x / width, 1 - y / height, drawable(text), **as_it_is(), **options)


def image_axes(
    figure: "Figure",
    place: tuple[float, float],
    size: tuple[float, float],
    image: Any,
    frame: str = PALE,
    line: float = 0.6,
    *,
    draw: bool = True,
) -> "Axes":
    """Return axes without ticks at `place` (x, y), of `size` (width, height), with a frame.

    Where the image has another shape than the tile, margins are left on two sides of it.
    """
    tile = axes(figure, *place, *size)
    tile.set(xticks=[], yticks=[])
    tile.spines[:].set(color=frame, linewidth=line)
    height, width = image.shape[:2]
    if draw:
        tile.imshow(image, aspect="auto", extent=(0, width, height, 0))
    wide = max(width, height * size[0] / size[1])
    tall = wide * size[1] / size[0]
    tile.set(xlim=((width - wide) / 2, (width + wide) / 2))
    tile.set(ylim=((height + tall) / 2, (height - tall) / 2))
    return tile


def plain(plot: "Axes") -> "Axes":
    """Style the axes of a diagram: no box, pale lines, dark numbers."""
    plot.spines[["top", "right"]].set_visible(False)
    plot.spines[["left", "bottom"]].set_color(GRAY)
    plot.tick_params(colors=INK, labelsize=SMALL, color=GRAY)
    plot.grid(True, color=PALE, linewidth=0.6)
    plot.set_axisbelow(True)
    return plot


def as_it_is() -> dict[str, Any]:
    """Return the options of a text that is no formula and may be in any script.

    Letters that the user's font lacks are taken from another one that is installed.
    """
    from matplotlib import rcParams

    return {"parse_math": False, "fontfamily": [*rcParams["font.family"], *_installed_fonts()]}


@functools.cache
def _installed_fonts() -> list[str]:
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in _FONTS if name in installed]


def text_width(text: str, size: float) -> float:
    """Return the width of a text in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    text = drawable(text).replace("$", r"\$")  # which would begin a formula
    # The extent covers ink only; trailing blanks do not count.
    font = FontProperties(family=as_it_is()["fontfamily"])
    return float(TextPath((0, 0), text, size, font).get_extents().x1) / 72 if text.strip() else 0.0


def shortened(text: str, width: float, size: float = TEXT) -> str:
    """Shorten a text to `width` inches, with an ellipsis if something was cut off."""
    kept = text[:_LONGEST]
    if kept == text and text_width(text, size) <= width:
        return text
    lengths = range(len(kept) + 1)
    fitting = bisect.bisect_right(lengths, width, key=lambda n: text_width(kept[:n] + "…", size))
    return kept[: max(fitting - 1, 0)].rstrip() + "…"


def tile_width(images: Sequence[Any], height: float) -> float:
    """Return the width in inches of a tile at a height: the images' median shape, within limits."""
    ratio = statistics.median(image.shape[1] / image.shape[0] for image in images)
    return height * min(max(ratio, 0.25), 2.0)


def columns(
    count: int,
    size: tuple[float, float],
    ratio: float,
    *,
    above: float = 0.0,
    filled: bool = False,
) -> int:
    """Return the number of columns whose arrangement comes nearest to an aspect ratio.

    Args:
        count: Number of tiles.
        size: (width, height) of one.
        ratio: Width / height to come near to.
        above: Height above the first row.
        filled: Whether a column must not be empty when tiles are written down the columns.
    """

    def distance(columns: int) -> float:
        rows = -(-count // columns)
        return abs(math.log(columns * size[0] / (rows * size[1] + above) / ratio))

    possible = [c for c in range(1, count + 1) if not filled or -(-count // -(-count // c)) == c]
    return min(possible, key=distance)


def stream_colors(streams: int) -> list[str]:
    """Return a color for each stream of a block, from pale to dark: more layers, more ink."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    shades = [0.35 + 0.5 * index / max(streams - 1, 1) for index in range(streams)]
    return [to_hex(colormaps["Blues"](shade)) for shade in shades]


def canvas(width: float, height: float) -> tuple["Figure", "Axes"]:
    """Return a figure and axes that fill it."""
    figure = sheet(width, height)
    drawing = axes(figure, 0, 0, width, height)
    drawing.set(xlim=(0, width), ylim=(height, 0))
    drawing.axis("off")
    return figure, drawing


def box(
    drawing: "Axes",
    center: tuple[float, float],
    size: tuple[float, float],
    text: str,
    fill: str,
    **options: Any,
) -> None:
    """Draw a box with rounded corners and a text in it."""
    from matplotlib.patches import FancyBboxPatch

    (x, y), (width, height) = center, size
    drawing.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=fill,
            edgecolor=INK,
            linewidth=0.8,
            zorder=3,
        )
    )
    label(drawing, x, y, text, **options)


def circle(drawing: "Axes", center: tuple[float, float], text: str) -> None:
    """Draw an arithmetic operation: a circle with its sign."""
    from matplotlib.patches import Circle

    drawing.add_patch(
        Circle(center, 0.13, facecolor="white", edgecolor=INK, linewidth=0.8, zorder=3)
    )
    label(drawing, *center, text, fontsize=LARGE)


def label(drawing: "Axes", x: float, y: float, text: str, **options: Any) -> None:
    """Write a text, centered by default."""
    options = {"fontsize": TEXT, "color": INK, "ha": "center", **options}
    drawing.text(x, y, drawable(text), va="center", zorder=4, **as_it_is(), **options)


def title(plot: "Axes", text: str, width: float) -> None:
    """Write the title of a diagram, at most `width` inches of it."""
    text = drawable(shortened(text, width))
    plot.set_title(text, fontsize=TEXT, color=INK, pad=5, **as_it_is())


def legend(
    owner: "Axes | Figure", handles: Sequence[Any], names: Sequence[str], **options: Any
) -> None:
    """Write a legend with these names as they are: matplotlib leaves out "_name"."""
    drawn = owner.legend(handles, [f"{number}" for number in range(len(names))], **options)
    for text, name in zip(drawn.get_texts(), names, strict=True):
        text.set(text=drawable(shortened(name, _ENTRY, SMALL)), **as_it_is())


def arrow(drawing: "Axes", *corners: tuple[float, float], head: bool = True) -> None:
    """Draw a line through points, with a head on its last segment."""
    path: Sequence[tuple[float, float]] = corners
    style: dict[str, Any] = {"color": GRAY, "linewidth": 1.0, "zorder": 2}
    drawing.plot(*zip(*path, strict=True), solid_joinstyle="miter", **style)
    if head:
        drawing.annotate(
            "",
            xy=path[-1],
            xytext=path[-2],
            arrowprops={
                "arrowstyle": "-|>,head_width=0.22,head_length=0.45",
                "color": GRAY,
                "linewidth": 0,
                "shrinkA": 0,
                "shrinkB": 0,
            },
            zorder=2,
        )


if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")


def save_figure(figure: "Figure", path: str | os.PathLike[str], *, dpi: int = 150) -> None:
    """Write a figure to a file, atomically.

    Args:
        figure: The figure.
        path: The file, replaced if it exists: `.png`, or the vector formats `.svg` and `.pdf`.
        dpi: Pixels per inch, of a `.png` and of images in the vector formats.

    Raises:
        ValueError: If the path has another suffix.
        FileNotFoundError: If the folder does not exist.

    Example:
        >>> from keras_osnet.visualize import plot_cmc
        >>> file = getfixture("tmp_path") / "cmc.svg"
        >>> save_figure(plot_cmc({"osnet_x1_0": [0.5, 1.0]}), file)
        >>> file.exists()
        True
    """
    check_format(path)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=dpi)


def check_format(path: str | os.PathLike[str]) -> None:
    """Raise ValueError if `save_figure` does not write files of this name."""
    if Path(path).suffix.lower() not in FORMATS:
        raise ValueError(f"`path` must end in {', '.join(FORMATS)}. Received: {os.fspath(path)}")
