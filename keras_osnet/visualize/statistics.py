"""How wide the gates of a network are open: for each block and stream, over pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet.visualize import _sheet
from keras_osnet.visualize.clusters import checked_gates

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)

_WIDTH, _HEIGHT, _GAP, _HEADER = 1.9, 1.7, 0.3, 0.3


@dataclass(frozen=True, eq=False)
class GateStatistics:
    """How gating values are spread over pictures and channels, for each stream of a block.

    Attributes:
        mean: Array (streams,), float64.
        std: Array (streams,), float64, the standard deviation.
        quantiles: Array (streams, 5), float64: the values that 5, 25, 50, 75 and 95 per cent of the
            gating values do not exceed.
        between_pictures: Array (streams,), float64: standard deviation over the pictures of each
            channel's gate, averaged over channels; 0 for a gate that does not look at the picture.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    between_pictures: NDArray[np.float64]


def gate_statistics(gates: ArrayLike) -> GateStatistics:
    """Sum up a block's gating vectors (paper, section 3.2) over pictures.

    Args:
        gates: Array (n, streams, channels), real; see `intermediates`.

    Raises:
        ValueError: If the shape is another, or a number is NaN or infinite.

    Example:
        >>> found = gate_statistics([[[0.2, 0.4], [1.0, 1.0]], [[0.2, 0.4], [0.0, 0.0]]])
        >>> found.mean.round(2).tolist(), found.between_pictures.tolist()
        ([0.3, 0.5], [0.0, 0.5])
    """
    values = checked_gates(gates)
    by_stream = values.transpose(1, 0, 2).reshape(values.shape[1], -1)
    return GateStatistics(
        mean=by_stream.mean(axis=1),
        std=by_stream.std(axis=1),
        quantiles=np.quantile(by_stream, _SHARES, axis=1).T,
        between_pictures=values.std(axis=0).mean(axis=1),
    )


def plot_gate_statistics(gates: Mapping[str, ArrayLike]) -> "Figure":
    """Draw how wide the gates of each stream are open, one diagram a block.

    A box reaches from the 25th to the 75th percentile of the gating values over pictures and
    channels, its whiskers from the 5th to the 95th; the line is the median, the diamond the mean.

    Args:
        gates: For each block's name an array (n, streams, channels), in the order of the network,
            as `intermediates(model, images, gate_names(model))` returns them.

    Returns:
        A matplotlib figure; see `save_figure`.

    Raises:
        ValueError: If there is no block, or for what `gate_statistics` refuses.
        ImportError: If matplotlib is not installed.

    Example:
        >>> gates = np.random.default_rng(0).random((5, 4, 8))
        >>> [plot.get_title() for plot in plot_gate_statistics({"conv2_block1_gates": gates}).axes]
        ['conv2_block1']
    """
    if not gates:
        raise ValueError("`gates` must hold at least one block's gating vectors. Received: none")
    statistics = {name: gate_statistics(values) for name, values in gates.items()}
    columns = min(len(statistics), 2 if len(statistics) == 4 else 3)
    rows = -(-len(statistics) // columns)
    left, below = 0.55, 0.5
    step = _HEIGHT + _HEADER + 0.25
    figure = _sheet.sheet(
        left + columns * (_WIDTH + _GAP) - _GAP + 2 * _sheet.MARGIN,
        _sheet.MARGIN + rows * step - 0.25 + below,
    )
    for index, (name, found) in enumerate(statistics.items()):
        row, column = divmod(index, columns)
        x, y = left + column * (_WIDTH + _GAP), _sheet.MARGIN + _HEADER + row * step
        plot = _sheet.plain(_sheet.axes(figure, x, y, _WIDTH, _HEIGHT))
        _draw_boxes(plot, found)
        title = _sheet.shortened(name.removesuffix("_gates"), _WIDTH)
        plot.set_title(title, fontsize=_sheet.TEXT, color=_sheet.INK, pad=5)
        if column == 0:
            plot.set_ylabel("gate", fontsize=_sheet.TEXT, color=_sheet.INK)
        else:
            plot.set_yticklabels([])
        if index + columns >= len(statistics):
            plot.set_xlabel("stream", fontsize=_sheet.TEXT, color=_sheet.INK)
    return figure


def _draw_boxes(plot: Any, statistics: GateStatistics) -> None:
    streams = len(statistics.mean)
    boxes = [
        {"whislo": low, "q1": q1, "med": median, "q3": q3, "whishi": high, "mean": mean}
        for (low, q1, median, q3, high), mean in zip(
            statistics.quantiles, statistics.mean, strict=True
        )
    ]
    drawn = plot.bxp(
        boxes,
        showfliers=False,
        showmeans=True,
        widths=0.6,
        patch_artist=True,
        medianprops={"color": _sheet.INK, "linewidth": 1.2},
        whiskerprops={"color": _sheet.GREY},
        capprops={"color": _sheet.GREY},
        meanprops={
            "marker": "D",
            "markersize": 4,
            "markerfacecolor": "white",
            "markeredgecolor": _sheet.INK,
        },
    )
    for box, colour in zip(drawn["boxes"], _sheet.stream_colours(streams), strict=True):
        box.set(facecolor=colour, edgecolor=_sheet.INK, linewidth=0.8)
    plot.set(ylim=(-0.03, 1.03), xticks=range(1, streams + 1), xticklabels=range(1, streams + 1))
    plot.grid(False, axis="x")
