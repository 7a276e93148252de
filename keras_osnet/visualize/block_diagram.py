"""An omni-scale block, drawn: streams, gate, residual."""

from typing import TYPE_CHECKING

from keras_osnet.layers import OmniScaleBlock
from keras_osnet.visualize import _diagram, _sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BOX = (0.74, 0.36)
_STEP, _ROW, _TOP = 0.98, 0.56, 1.0
_GATE_TEXTS = {
    "unified": "gate, shared by the streams",
    "streamwise": "gate, one value a stream",
    "separate": "gate",
    "fixed": "learned weights",
}


def plot_block(block: OmniScaleBlock) -> "Figure":
    """Draw an omni-scale block (paper, Fig. 4) as it is configured.

    Args:
        block: The layer: `OmniScaleBlock(256)`, or one of a model,
            `model.get_layer("conv2_block1")`, which also shows whether its shortcut has a
            convolution.

    Returns:
        A matplotlib figure with one drawing; see `save_figure`.

    Raises:
        ValueError: If it is no omni-scale block.
        ImportError: If matplotlib is not installed.

    Example:
        >>> from keras_osnet.layers import OmniScaleBlock
        >>> figure = plot_block(OmniScaleBlock(256, streams=2))
        >>> [text.get_text() for text in figure.axes[0].texts].count("Lite 3×3")
        3
    """
    if not isinstance(block, OmniScaleBlock):
        raise ValueError(f"`block` must be an OmniScaleBlock. Received: {type(block).__name__}")
    depth, streams = max(block.depths), len(block.depths)
    first = 1.95
    gate = first + depth * _STEP + 0.35
    join = gate + (0.75 if block.has_gates else 0.15)
    expand, add = join + 0.85, join + 1.7
    width = add + (1.75 if block.norm is None else 2.6)
    bottom = _TOP + (streams - 1) * _ROW
    figure, drawing = _diagram.canvas(width, bottom + 0.85)
    middle = (_TOP + bottom) / 2

    _diagram.label(drawing, 0.12, middle, "input", ha="left")
    _diagram.arrow(drawing, (0.5, middle), (0.95 - _BOX[0] / 2 + 0.13, middle))
    _diagram.box(drawing, (1.08, middle), _BOX, "1×1", _diagram.POINTWISE)
    _draw_streams(drawing, block, (first, gate), middle)
    _draw_fusion(drawing, block, gate, (join, middle))
    _diagram.arrow(drawing, (join, middle), (expand - _BOX[0] / 2, middle))
    text = "1×1, IN" if block.instance_norm == "residual" else "1×1"
    _diagram.box(drawing, (expand, middle), _BOX, text, _diagram.POINTWISE)
    _diagram.arrow(drawing, (expand + _BOX[0] / 2, middle), (add - 0.13, middle))
    _diagram.circle(drawing, (add, middle), "+")
    _draw_shortcut(drawing, block, (0.62, middle), (add, middle))
    x = add + 0.13
    for text in (["IN"] if block.norm is not None else []) + ["ReLU"]:
        _diagram.arrow(drawing, (x, middle), (x + 0.22, middle))
        _diagram.box(drawing, (x + 0.22 + 0.3, middle), (0.6, _BOX[1]), text, _diagram.OTHER)
        x += 0.82
    _diagram.arrow(drawing, (x, middle), (x + 0.22, middle))
    _diagram.label(drawing, x + 0.27, middle, "output", ha="left")
    _diagram.label(drawing, width / 2, bottom + 0.6, _caption(block), color=_sheet.GREY)
    return figure


def _draw_streams(
    drawing: "Axes", block: OmniScaleBlock, span: tuple[float, float], middle: float
) -> None:
    first, end = span
    start = 1.08 + _BOX[0] / 2
    text = "Lite 3×3" if block.convolution == "lite" else "3×3"
    for row, depth in enumerate(block.depths):
        y = _TOP + row * _ROW
        x = first + _STEP / 2 - _BOX[0] / 2
        _diagram.arrow(drawing, (start, middle), (start + 0.2, middle), (start + 0.2, y), (x, y))
        for step in range(depth):
            centre = first + (step + 0.5) * _STEP
            if step:
                _diagram.arrow(
                    drawing, (centre - _STEP + _BOX[0] / 2, y), (centre - _BOX[0] / 2, y)
                )
            _diagram.box(drawing, (centre, y), _BOX, text, _diagram.SPATIAL, fontsize=_sheet.SMALL)
        last = first + (depth - 0.5) * _STEP + _BOX[0] / 2
        _diagram.arrow(drawing, (last, y), (end, y), head=block.has_gates)
        size = f"{2 * depth + 1}×{2 * depth + 1}"
        _diagram.label(
            drawing, last + 0.08, y - 0.11, size, ha="left", fontsize=6.5, color=_sheet.GREY
        )


def _draw_fusion(
    drawing: "Axes", block: OmniScaleBlock, gate: float, join: tuple[float, float]
) -> None:
    x, middle = join
    for row in range(len(block.depths)):
        y = _TOP + row * _ROW
        start = gate + 0.34 if block.has_gates else gate
        _diagram.arrow(drawing, (start, y), (x, y), head=False)
    bottom = _TOP + (len(block.depths) - 1) * _ROW
    _diagram.arrow(drawing, (x, _TOP), (x, bottom), head=False)
    if block.fusion == "separate":
        for row in range(len(block.depths)):
            centre = gate + 0.2, _TOP + row * _ROW
            _diagram.box(
                drawing, centre, (0.4, _BOX[1]), "gate", _diagram.GATE, fontsize=_sheet.SMALL
            )
    elif block.has_gates:
        _diagram.box(
            drawing,
            (gate + 0.17, (_TOP + bottom) / 2),
            (0.34, bottom - _TOP + _BOX[1]),
            _GATE_TEXTS[block.fusion] if len(block.depths) > 3 else "gate",
            _diagram.GATE,
            rotation=90,
            fontsize=_sheet.SMALL,
        )
    if block.fusion == "concatenation":
        _diagram.box(
            drawing, (x, middle), (0.26, 0.6), "concat", _diagram.OTHER, rotation=90, fontsize=6.5
        )
    elif len(block.depths) > 1:
        _diagram.circle(drawing, (x, middle), "+")


def _draw_shortcut(
    drawing: "Axes",
    block: OmniScaleBlock,
    start: tuple[float, float],
    end: tuple[float, float],
) -> None:
    y = _TOP - 0.55
    _diagram.arrow(drawing, start, (start[0], y), (end[0], y), (end[0], end[1] - 0.13))
    if block.shortcut is not None:
        _diagram.box(drawing, ((start[0] + end[0]) / 2, y), _BOX, "1×1", _diagram.POINTWISE)
    else:
        _diagram.label(
            drawing,
            (start[0] + end[0]) / 2,
            y - 0.13,
            "shortcut" if block.built else "shortcut (1×1 where channels change)",
            fontsize=_sheet.SMALL,
            color=_sheet.GREY,
        )


def _caption(block: OmniScaleBlock) -> str:
    streams = f"{len(block.depths)} stream{'s' if len(block.depths) > 1 else ''}"
    fusion = {
        "unified": "the unified aggregation gate",
        "separate": "a gate a stream",
        "streamwise": "a stream-wise gate",
        "fixed": "learned, fixed weights",
    }.get(block.fusion, block.fusion)
    return (
        f"Omni-scale block: {streams} of {block.width} channels, {block.filters} out; "
        f"fused by {fusion}"
    )
