"""ROC curves of verification."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from keras_osnet._utils.checks import check_dictionary
from keras_osnet.metrics.verification import FEWEST_FALSE, VerificationResult
from keras_osnet.visualize import _sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_roc(
    results: Mapping[str, VerificationResult], *, threshold: float | None = None
) -> "Figure":
    """Draw ROC curves: pairs of the same person against pairs of different people, both accepted.

    The axis of false positives is logarithmic and begins where too few pairs are left to measure
    it: at 10 of the largest set.

    Args:
        results: For each model's name the result of `keras_osnet.metrics.evaluate_verification`.
        threshold: A similarity to mark on every curve; at the left end if it accepts fewer pairs
            than are drawn.

    Returns:
        A matplotlib figure with one diagram; see `save_figure`.

    Raises:
        ValueError: If there is no result, or the threshold is not from -1 to 1.
        ImportError: If matplotlib is not installed.

    Example:
        >>> from keras_osnet.metrics import evaluate_verification
        >>> import numpy as np
        >>> ids = np.arange(20).repeat(4)
        >>> rng = np.random.default_rng(0)
        >>> vectors = rng.normal(size=(20, 8))[ids] + rng.normal(size=(80, 8))
        >>> figure = plot_roc({"osnet_x0_25": evaluate_verification(vectors, None, ids)})
        >>> figure.axes[0].get_xscale()
        'log'
    """
    if not results:
        raise ValueError("`results` must hold at least one result. Received: none")
    check_dictionary("results", results)
    for name, result in results.items():
        if not isinstance(result, VerificationResult):
            raise ValueError(
                "`results` must hold results of `evaluate_verification`. "
                f"Received: {name!r}, {type(result).__name__}"
            )
    figure = _sheet.sheet(5.4, 3.8)
    plot = _sheet.plain(_sheet.axes(figure, 0.65, 0.2, 4.6, 3.05))
    plot.set_xscale("log")
    left = 100 * min(FEWEST_FALSE / max(each.impostor_pairs for each in results.values()), 0.1)
    for index, (name, result) in enumerate(results.items()):
        color = _sheet.COLORS[index % len(_sheet.COLORS)]
        plot.plot(
            100 * result.false_positive_rates,
            100 * result.true_positive_rates,
            label=f"{name}: EER {100 * result.equal_error_rate:.1f}",
            color=color,
            linestyle=("-", "--", "-.", ":")[index % 4],
            linewidth=1.6,
            drawstyle="steps-post",
        )
        if threshold is not None:
            false, true = result.rates_at(threshold)
            place = max(100 * false, left), 100 * true  # no logarithm of 0
            plot.plot(*place, marker="o", color=color, label="_mark", clip_on=False)
    plot.set_xlim(left, 100)
    plot.set_ylim(0, 101)
    plot.xaxis.set_major_formatter("{x:g}")
    plot.set_xlabel(
        "pairs of different people accepted (%)", fontsize=_sheet.TEXT, color=_sheet.INK
    )
    plot.set_ylabel("pairs of the same person accepted (%)", fontsize=_sheet.TEXT, color=_sheet.INK)
    curves = plot.lines[:: 1 if threshold is None else 2]
    names = [str(line.get_label()) for line in curves]
    if threshold is not None:
        names[0] += f"; at {threshold:.3f}"
    _sheet.legend(
        plot,
        curves,
        names,
        fontsize=_sheet.SMALL,
        loc="lower right",
        frameon=True,
        edgecolor=_sheet.PALE,
    )
    return figure
