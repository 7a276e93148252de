"""Boxes and arrows on axes that are measured in inches from the top left corner."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_osnet.visualize import _sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTWISE, SPATIAL, GATE, OTHER = "#CFE2F3", "#FBE3C0", "#CDEBDD", "#EFEFEF"
"""Fills: 1×1 convolutions, 3×3 and larger, gates and blocks with them, everything else."""


def canvas(width: float, height: float) -> tuple["Figure", "Axes"]:
    """Return a figure and axes that fill it."""
    figure = _sheet.sheet(width, height)
    drawing = _sheet.axes(figure, 0, 0, width, height)
    drawing.set(xlim=(0, width), ylim=(height, 0))
    drawing.axis("off")
    return figure, drawing


def box(
    drawing: "Axes",
    centre: tuple[float, float],
    size: tuple[float, float],
    text: str,
    fill: str,
    **options: Any,
) -> None:
    """Draw a box with round corners and a text in it."""
    from matplotlib.patches import FancyBboxPatch

    (x, y), (width, height) = centre, size
    drawing.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=fill,
            edgecolor=_sheet.INK,
            linewidth=0.8,
            zorder=3,
        )
    )
    label(drawing, x, y, text, **options)


def circle(drawing: "Axes", centre: tuple[float, float], text: str) -> None:
    """Draw an operation of numbers: a circle with its sign."""
    from matplotlib.patches import Circle

    drawing.add_patch(
        Circle(centre, 0.13, facecolor="white", edgecolor=_sheet.INK, linewidth=0.8, zorder=3)
    )
    label(drawing, *centre, text, fontsize=_sheet.LARGE)


def label(drawing: "Axes", x: float, y: float, text: str, **options: Any) -> None:
    """Write a text, centred unless told otherwise."""
    options = {"fontsize": _sheet.TEXT, "color": _sheet.INK, "ha": "center", **options}
    drawing.text(x, y, text, va="center", zorder=4, **options)


def arrow(drawing: "Axes", *corners: tuple[float, float], head: bool = True) -> None:
    """Draw a line through points, the last part of it with a head."""
    path: Sequence[tuple[float, float]] = corners
    style: dict[str, Any] = {"color": _sheet.GREY, "linewidth": 1.0, "zorder": 2}
    drawing.plot(*zip(*path, strict=True), solid_joinstyle="miter", **style)
    if head:
        drawing.annotate(
            "",
            xy=path[-1],
            xytext=path[-2],
            arrowprops={
                "arrowstyle": "-|>,head_width=0.22,head_length=0.45",
                "color": _sheet.GREY,
                "linewidth": 0,
                "shrinkA": 0,
                "shrinkB": 0,
            },
            zorder=2,
        )
