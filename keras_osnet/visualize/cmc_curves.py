"""How often the right one is among the first k: CMC curves."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import positive_integer
from keras_osnet.metrics import RankingResult
from keras_osnet.visualize import _sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_cmc(results: Mapping[str, RankingResult | ArrayLike], *, max_rank: int = 20) -> "Figure":
    """Draw the CMC curves of several models into one diagram.

    Args:
        results: For each model's name what `keras_osnet.metrics.evaluate_ranking` returned, or
            a CMC curve alone: array (ranks,) of shares from 0 to 1, rank-1 first.
        max_rank: Up to which rank.

    Returns:
        A matplotlib figure with one diagram; see `save_figure`.

    Raises:
        ValueError: If there is no curve, one is of another shape, falls or leaves 0–1, or
            `max_rank` is not positive.
        ImportError: If matplotlib is not installed.

    Example:
        >>> figure = plot_cmc({"osnet_x1_0": [0.6, 0.8, 1.0], "osnet_x0_25": [0.5, 0.7, 0.9]})
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['osnet_x1_0: rank-1 60.0', 'osnet_x0_25: rank-1 50.0']
    """
    max_rank = positive_integer("max_rank", max_rank)
    if not results:
        raise ValueError("`results` must hold at least one curve. Received: none")
    curves = {name: _checked(name, result)[:max_rank] for name, result in results.items()}
    figure = _sheet.sheet(5.4, 3.8)
    plot = _sheet.plain(_sheet.axes(figure, 0.65, 0.2, 4.6, 3.05))
    for index, (name, curve) in enumerate(curves.items()):
        result = results[name]
        label = f"{name}: rank-1 {100 * curve[0]:.1f}"
        if isinstance(result, RankingResult):
            label += f", mAP {100 * result.mean_average_precision:.1f}"
        plot.plot(
            np.arange(1, len(curve) + 1),
            100 * curve,
            label=label,
            color=_sheet.COLOURS[index % len(_sheet.COLOURS)],
            linestyle=("-", "--", "-.", ":")[index % 4],
            marker="os^Dv"[index % 5],
            markersize=3.5,
            linewidth=1.6,
        )
    longest = max(len(curve) for curve in curves.values())
    plot.set_xlim(0.5, longest + 0.5)
    plot.set_xticks(_ticks(longest))
    lowest = 100 * min(float(curve[0]) for curve in curves.values())
    plot.set_ylim(max(0, 10 * np.floor(lowest / 10 - 0.5)), 101)
    plot.set_xlabel("rank k", fontsize=_sheet.TEXT, color=_sheet.INK)
    label = "queries with a match among the first k (%)"
    plot.set_ylabel(label, fontsize=_sheet.TEXT, color=_sheet.INK)
    plot.legend(fontsize=_sheet.SMALL, loc="lower right", frameon=True, edgecolor=_sheet.PALE)
    return figure


def _checked(name: str, result: RankingResult | ArrayLike) -> NDArray[np.float64]:
    values = result.cmc if isinstance(result, RankingResult) else result
    curve = np.asarray(values, np.float64)
    if curve.ndim != 1 or len(curve) == 0:
        raise ValueError(
            f"`results` must hold curves (ranks,). Received: {name!r} of shape {curve.shape}"
        )
    if not ((curve >= 0) & (curve <= 1)).all() or (np.diff(curve) < 0).any():
        raise ValueError(
            "`results` must hold curves of shares from 0 to 1 that do not fall. "
            f"Received: {name!r}, {curve.tolist()[:10]}"
        )
    return curve


def _ticks(longest: int) -> list[int]:
    if longest <= 10:
        return list(range(1, longest + 1))
    step = 5 if longest <= 30 else 10
    return [1, *range(step, longest + 1, step)]
