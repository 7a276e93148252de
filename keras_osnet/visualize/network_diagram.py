"""An OSNet from image to result, drawn as the paper's Table 1 tells it."""

import math
import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import keras

from keras_osnet.layers import ConvNorm2D, OmniScaleBlock
from keras_osnet.visualize import _diagram, _sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT, _STEP = 2.7, 0.34, 0.52
_HEADER = 0.95


@dataclass(frozen=True)
class _Row:
    """One box of the drawing: what it says, its output's size, its trainable parameters."""

    text: str
    fill: str
    shape: str
    parameters: int


def plot_network(model: keras.Model) -> "Figure":
    """Draw an OSNet's stages, their outputs' sizes and their parameters (paper, Table 1).

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
    figure, drawing = _diagram.canvas(_WIDTH + 3.0, height)
    middle = _sheet.MARGIN + _WIDTH / 2
    shape_x, count_x = _sheet.MARGIN + _WIDTH + 1.4, _WIDTH + 2.85
    small = {"fontsize": _sheet.SMALL, "color": _sheet.GREY, "ha": "right"}
    _diagram.label(
        drawing, _sheet.MARGIN, 0.2, model.name, ha="left", fontsize=_sheet.LARGE, weight="bold"
    )
    _diagram.label(drawing, _sheet.MARGIN, 0.43, _kind(blocks[0]), **{**small, "ha": "left"})
    _diagram.label(drawing, shape_x, 0.68, "height × width × channels", **small)
    _diagram.label(drawing, count_x, 0.68, "trainable parameters", **small)
    for index, row in enumerate(rows):
        y = _HEADER + (index + 0.4) * _STEP
        if index:
            _diagram.arrow(drawing, (middle, y - _STEP + _HEIGHT / 2), (middle, y - _HEIGHT / 2))
        _diagram.box(drawing, (middle, y), (_WIDTH, _HEIGHT), row.text, row.fill)
        _diagram.label(drawing, shape_x, y, row.shape, ha="right")
        _diagram.label(
            drawing, count_x, y, f"{row.parameters:,}" if row.parameters else "–", ha="right"
        )
    return figure


def _kind(block: OmniScaleBlock) -> str:
    depths = ", ".join(str(depth) for depth in block.depths)
    return f"streams of {depths} {block.convolution} 3×3 layers, fusion: {block.fusion}"


def _rows(model: keras.Model) -> list[_Row]:
    """The parts of a network that people know by name, each with its last layer's output."""
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
    """The part that a layer belongs to, such as `conv2` for `conv2_block1`."""
    if isinstance(layer, keras.layers.InputLayer):
        return "image"
    name = re.sub(r"_(block\d+|pool|pad)$", "", layer.name)
    return {"fc": "embedding", "fc_norm": "embedding", "predictions": "logits"}.get(name, name)


def _described(part: str, layers: list[Any]) -> tuple[str, str]:
    first, last = layers[0], layers[-1]
    if isinstance(first, OmniScaleBlock):
        several = "s" if len(layers) > 1 else ""
        return f"{part}: {len(layers)} omni-scale block{several}", _diagram.GATE
    if isinstance(first, ConvNorm2D):
        if first.kernel_size > 1:
            size, step = f"{first.kernel_size}×{first.kernel_size}", f"stride {first.strides}"
            return f"{part}: {size} convolution, {step}", _diagram.SPATIAL
        pooling = ", average pooling 2×2" if part.startswith("transition") else " convolution"
        return f"{part}: 1×1{pooling}", _diagram.POINTWISE
    if part == "embedding" and len(layers) > 1:
        return "embedding: dense, batch norm, ReLU", _diagram.POINTWISE
    if part == "logits":
        activation = f", {last.activation.__name__}" if last is not first else ""
        return f"classifier: dense{activation}", _diagram.POINTWISE
    texts = {
        "maxpool": "max pooling 3×3, stride 2",
        "pooled": "global max pooling"
        if "Max" in type(first).__name__
        else "global average pooling",
        "preprocessing": "preprocessing of RGB 0–255",
        "normalized": "scaled to length 1",
    }
    return texts.get(part, part), _diagram.OTHER
