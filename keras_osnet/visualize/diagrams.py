"""Diagrams of the architecture: a whole network (paper, Table 1) and one block (Fig. 4)."""

import math
import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import keras

from keras_osnet.layers import ConvNorm2D, CosineClassifier, GeM, OmniScaleBlock
from keras_osnet.visualize import _sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT, _STEP = 2.7, 0.34, 0.52
_HEADER = 0.95

_BOX = (0.74, 0.36)
_LAYER, _ROW, _TOP = 0.98, 0.56, 1.0
_GATE_TEXTS = {
    "unified": "gate, shared by the streams",
    "streamwise": "gate, one value a stream",
    "separate": "gate",
    "fixed": "learned weights",
}


@dataclass(frozen=True)
class _Row:
    """One box of the drawing: its text, output size and trainable parameters."""

    text: str
    fill: str
    shape: str
    parameters: int


def plot_network(model: keras.Model) -> "Figure":
    """Draw an OSNet's stages with output sizes and numbers of parameters (paper, Table 1).

    Args:
        model: `keras_osnet.OSNet` of any configuration, with any head.

    Returns:
        A matplotlib figure with one drawing; see `save_figure`.

    Raises:
        ValueError: If the model has no omni-scale block.
        ImportError: If matplotlib is not installed.

    Example:
        >>> import keras_osnet
        >>> figure = plot_network(keras_osnet.OSNet(0.25, head="embedding"))
        >>> [text.get_text() for text in figure.axes[0].texts if "omni" in text.get_text()]
        ['conv2: 2 omni-scale blocks', 'conv3: 2 omni-scale blocks', 'conv4: 2 omni-scale blocks']
    """
    blocks = [layer for layer in model.layers if isinstance(layer, OmniScaleBlock)]
    if not blocks:
        raise ValueError(
            f"`model` must have omni-scale blocks. Received: {model.name}, which has none"
        )
    rows = _rows(model)
    height = _HEADER + len(rows) * _STEP + 0.05
    figure, drawing = _sheet.canvas(_WIDTH + 3.0, height)
    middle = _sheet.MARGIN + _WIDTH / 2
    shape_x, count_x = _sheet.MARGIN + _WIDTH + 1.4, _WIDTH + 2.85
    small = {"fontsize": _sheet.SMALL, "color": _sheet.GRAY, "ha": "right"}
    _sheet.label(
        drawing, _sheet.MARGIN, 0.2, model.name, ha="left", fontsize=_sheet.LARGE, weight="bold"
    )
    _sheet.label(drawing, _sheet.MARGIN, 0.43, _kind(blocks[0]), **{**small, "ha": "left"})
    _sheet.label(drawing, shape_x, 0.68, "height × width × channels", **small)
    _sheet.label(drawing, count_x, 0.68, "trainable parameters", **small)
    for index, row in enumerate(rows):
        y = _HEADER + (index + 0.4) * _STEP
        if index:
            _sheet.arrow(drawing, (middle, y - _STEP + _HEIGHT / 2), (middle, y - _HEIGHT / 2))
        _sheet.box(drawing, (middle, y), (_WIDTH, _HEIGHT), row.text, row.fill)
        _sheet.label(drawing, shape_x, y, row.shape, ha="right")
        _sheet.label(
            drawing, count_x, y, f"{row.parameters:,}" if row.parameters else "–", ha="right"
        )
    return figure


def _kind(block: OmniScaleBlock) -> str:
    depths = ", ".join(str(depth) for depth in block.depths)
    return f"streams of {depths} {block.convolution} 3×3 layers, fusion: {block.fusion}"


def _rows(model: keras.Model) -> list[_Row]:
    """Group the layers into named parts, each with the output of its last layer."""
    rows = []
    for part, group in groupby(model.layers, key=_part):
        layers = list(group)
        text, fill = _described(part, layers)
        output = layers[-1].output
        shape = (output[0] if isinstance(output, list | tuple) else output).shape[1:]
        size = " × ".join("any" if length is None else str(length) for length in shape)
        weights = [weight for layer in layers for weight in layer.trainable_weights]
        rows.append(_Row(text, fill, size, sum(math.prod(weight.shape) for weight in weights)))
    return rows


def _part(layer: keras.layers.Layer) -> str:
    """Return the part that a layer belongs to, such as `conv2` for `conv2_block1`."""
    if isinstance(layer, keras.layers.InputLayer):
        return "image"
    name = re.sub(r"_(block\d+|pool|pad)$", "", layer.name)
    names = {"fc": "embedding", "fc_norm": "embedding", "features": "embedding"}
    return {**names, "neck": "embedding", "predictions": "logits"}.get(name, name)


def _described(part: str, layers: list[Any]) -> tuple[str, str]:
    first, last = layers[0], layers[-1]
    if isinstance(first, OmniScaleBlock):
        several = "s" if len(layers) > 1 else ""
        return f"{part}: {len(layers)} omni-scale block{several}", _sheet.GATE
    if isinstance(first, ConvNorm2D):
        if first.kernel_size > 1:
            size, step = f"{first.kernel_size}×{first.kernel_size}", f"stride {first.strides}"
            return f"{part}: {size} convolution, {step}", _sheet.SPATIAL
        pooling = ", average pooling 2×2" if part.startswith("transition") else " convolution"
        return f"{part}: 1×1{pooling}", _sheet.POINTWISE
    if part == "embedding" and len(layers) > 1:
        dense = ["dense, batch norm, ReLU"] if first.name == "fc" else []
        neck = ["neck (batch norm)"] if any(layer.name == "neck" for layer in layers) else []
        return f"embedding: {', '.join(dense + neck)}", _sheet.POINTWISE
    if part == "logits":
        activation = f", {last.activation.__name__}" if last is not first else ""
        kind = "cosine" if isinstance(first, CosineClassifier) else "dense"
        return f"classifier: {kind}{activation}", _sheet.POINTWISE
    texts = {
        "maxpool": "max pooling 3×3, stride 2",
        "pooled": "global max pooling"
        if "Max" in type(first).__name__
        else "generalized-mean pooling"
        if isinstance(first, GeM)
        else "global average pooling",
        "preprocessing": "preprocessing of RGB 0–255",
        "normalized": "scaled to length 1",
    }
    return texts.get(part, part), _sheet.OTHER


def plot_block(block: OmniScaleBlock) -> "Figure":
    """Draw an omni-scale block (paper, Fig. 4) with its streams, gate and shortcut.

    Args:
        block: The layer: `OmniScaleBlock(256)`, or one of a model,
            `model.get_layer("conv2_block1")`, which also shows whether its shortcut has a
            convolution.

    Returns:
        A matplotlib figure with one drawing; see `save_figure`.

    Raises:
        ValueError: If it is not an omni-scale block.
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
    gate = first + depth * _LAYER + 0.35
    join = gate + (0.75 if block.has_gates else 0.15)
    expand, add = join + 0.85, join + 1.7
    width = add + (1.75 if block.norm is None else 2.6)
    bottom = _TOP + (streams - 1) * _ROW
    figure, drawing = _sheet.canvas(width, bottom + 0.85)
    middle = (_TOP + bottom) / 2

    _sheet.label(drawing, 0.12, middle, "input", ha="left")
    _sheet.arrow(drawing, (0.5, middle), (0.95 - _BOX[0] / 2 + 0.13, middle))
    _sheet.box(drawing, (1.08, middle), _BOX, "1×1", _sheet.POINTWISE)
    _draw_streams(drawing, block, (first, gate), middle)
    _draw_fusion(drawing, block, gate, (join, middle))
    _sheet.arrow(drawing, (join, middle), (expand - _BOX[0] / 2, middle))
    text = "1×1, IN" if block.instance_norm == "residual" else "1×1"
    _sheet.box(drawing, (expand, middle), _BOX, text, _sheet.POINTWISE)
    _sheet.arrow(drawing, (expand + _BOX[0] / 2, middle), (add - 0.13, middle))
    _sheet.circle(drawing, (add, middle), "+")
    _draw_shortcut(drawing, block, (0.62, middle), (add, middle))
    x = add + 0.13
    for text in (["IN"] if block.norm is not None else []) + ["ReLU"]:
        _sheet.arrow(drawing, (x, middle), (x + 0.22, middle))
        _sheet.box(drawing, (x + 0.22 + 0.3, middle), (0.6, _BOX[1]), text, _sheet.OTHER)
        x += 0.82
    _sheet.arrow(drawing, (x, middle), (x + 0.22, middle))
    _sheet.label(drawing, x + 0.27, middle, "output", ha="left")
    _sheet.label(drawing, width / 2, bottom + 0.6, _caption(block), color=_sheet.GRAY)
    return figure


def _draw_streams(
    drawing: "Axes", block: OmniScaleBlock, span: tuple[float, float], middle: float
) -> None:
    first, end = span
    start = 1.08 + _BOX[0] / 2
    text = "Lite 3×3" if block.convolution == "lite" else "3×3"
    for row, depth in enumerate(block.depths):
        y = _TOP + row * _ROW
        x = first + _LAYER / 2 - _BOX[0] / 2
        _sheet.arrow(drawing, (start, middle), (start + 0.2, middle), (start + 0.2, y), (x, y))
        for step in range(depth):
            center = first + (step + 0.5) * _LAYER
            if step:
                _sheet.arrow(drawing, (center - _LAYER + _BOX[0] / 2, y), (center - _BOX[0] / 2, y))
            _sheet.box(drawing, (center, y), _BOX, text, _sheet.SPATIAL, fontsize=_sheet.SMALL)
        last = first + (depth - 0.5) * _LAYER + _BOX[0] / 2
        _sheet.arrow(drawing, (last, y), (end, y), head=block.has_gates)
        size = f"{2 * depth + 1}×{2 * depth + 1}"
        _sheet.label(
            drawing, last + 0.08, y - 0.11, size, ha="left", fontsize=6.5, color=_sheet.GRAY
        )


def _draw_fusion(
    drawing: "Axes", block: OmniScaleBlock, gate: float, join: tuple[float, float]
) -> None:
    x, middle = join
    for row in range(len(block.depths)):
        y = _TOP + row * _ROW
        start = gate + 0.34 if block.has_gates else gate
        _sheet.arrow(drawing, (start, y), (x, y), head=False)
    bottom = _TOP + (len(block.depths) - 1) * _ROW
    _sheet.arrow(drawing, (x, _TOP), (x, bottom), head=False)
    if block.fusion == "separate":
        for row in range(len(block.depths)):
            center = gate + 0.2, _TOP + row * _ROW
            _sheet.box(drawing, center, (0.4, _BOX[1]), "gate", _sheet.GATE, fontsize=_sheet.SMALL)
    elif block.has_gates:
        _sheet.box(
            drawing,
            (gate + 0.17, (_TOP + bottom) / 2),
            (0.34, bottom - _TOP + _BOX[1]),
            _GATE_TEXTS[block.fusion] if len(block.depths) > 3 else "gate",
            _sheet.GATE,
            rotation=90,
            fontsize=_sheet.SMALL,
        )
    if block.fusion == "concatenation":
        _sheet.box(
            drawing, (x, middle), (0.26, 0.6), "concat", _sheet.OTHER, rotation=90, fontsize=6.5
        )
    elif len(block.depths) > 1:
        _sheet.circle(drawing, (x, middle), "+")


def _draw_shortcut(
    drawing: "Axes",
    block: OmniScaleBlock,
    start: tuple[float, float],
    end: tuple[float, float],
) -> None:
    y = _TOP - 0.55
    _sheet.arrow(drawing, start, (start[0], y), (end[0], y), (end[0], end[1] - 0.13))
    if block.shortcut is not None:
        _sheet.box(drawing, ((start[0] + end[0]) / 2, y), _BOX, "1×1", _sheet.POINTWISE)
    else:
        _sheet.label(
            drawing,
            (start[0] + end[0]) / 2,
            y - 0.13,
            "shortcut" if block.built else "shortcut (1×1 where channels change)",
            fontsize=_sheet.SMALL,
            color=_sheet.GRAY,
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
