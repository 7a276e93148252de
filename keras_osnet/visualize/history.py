"""Training curves: metrics epoch by epoch."""

import csv
import io
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.files import read_bytes
from keras_osnet._utils.text import decode_text
from keras_osnet.visualize import _sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_METRICS = "metrics.csv"
_VALIDATION = "val_"
_EPOCH = "epoch"
_LARGEST = 64 << 20
_WIDTH, _HEIGHT, _GAP, _HEADER = 2.7, 1.8, 0.55, 0.3
_LINE, _LETTER = 0.55, 0.065
"""Inches in the legend: a line with the space around it, and an average letter."""


def plot_history(training: Any) -> "Figure":
    """Draw the metrics of one or several trainings, one diagram per metric.

    Training metrics are solid lines, validation metrics (`val_`) dashed ones.

    Args:
        training: The `keras.callbacks.History` of `model.fit`; the folder of one seed of
            `keras-osnet train` (`seed-N`); a CSV file with a column `epoch`, as
            `keras.callbacks.CSVLogger` writes it; or a dict of metrics, each a list of
            numbers. Or a dict of several of these by title.

    Returns:
        A matplotlib figure; see `save_figure`.

    Raises:
        ValueError: If there are no metrics, or one has another number of epochs.
        OSError: If a file cannot be read.
        ImportError: If matplotlib is not installed.

    Example:
        >>> figure = plot_history({"loss": [2.0, 1.0], "val_loss": [2.5, 1.5], "mAP": [0.2, 0.4]})
        >>> [plot.get_title() for plot in figure.axes]
        ['loss', 'mAP']
    """
    runs = {title: _metrics(each) for title, each in _by_title(training).items()}
    names = dict.fromkeys(name.removeprefix(_VALIDATION) for run in runs.values() for name in run)
    names.pop(_EPOCH, None)
    if not names:
        raise ValueError("`training` must hold at least one metric. Received: none")

    columns = min(len(names), 2 if len(names) == 4 else 3)
    rows = -(-len(names) // columns)
    step = _HEADER + _HEIGHT + 0.35
    width = 0.6 + columns * (_WIDTH + _GAP) - _GAP + _sheet.MARGIN
    height = _sheet.MARGIN + rows * step + 0.15
    entries = _legend_entries(runs)
    if entries:
        side_by_side = _legend_columns(entries, width)
        height += 0.14 + 0.16 * -(-len(entries) // side_by_side)
    figure = _sheet.sheet(width, height)
    for index, name in enumerate(names):
        row, column = divmod(index, columns)
        place = 0.6 + column * (_WIDTH + _GAP), _sheet.MARGIN + _HEADER + row * step
        plot = _sheet.plain(_sheet.axes(figure, *place, _WIDTH, _HEIGHT))
        for number, (title, run) in enumerate(runs.items()):
            _draw(plot, run, name, title, _sheet.COLORS[number % len(_sheet.COLORS)])
        _sheet.title(plot, name.replace("_", " "), _WIDTH)
        plot.ticklabel_format(axis="y", scilimits=(-3, 4))
        plot.yaxis.get_offset_text().set_fontsize(_sheet.SMALL)
        plot.locator_params(axis="x", integer=True)
        if index + columns >= len(names):
            plot.set_xlabel("epoch", fontsize=_sheet.TEXT, color=_sheet.INK)
    if entries:
        _write_legend(figure, entries, side_by_side)
    return figure


def _by_title(training: Any) -> dict[str, Any]:
    """Return trainings by title; one alone has an empty title."""
    if not isinstance(training, Mapping):
        return {"": training}
    several = all(
        isinstance(each, Mapping | str | os.PathLike) or hasattr(each, "history")
        for each in training.values()
    )
    return dict(training) if several else {"": training}


def _metrics(training: Any) -> dict[str, NDArray[np.float64]]:
    """Return metrics by name, with `epoch` from 1; NaN where one was not computed."""
    if isinstance(training, str | os.PathLike):
        return _from_csv(Path(training))
    history = getattr(training, "history", training)
    if not isinstance(history, Mapping):
        raise ValueError(
            "`training` must be a History, a run's folder, a CSV file or metrics by name. "
            f"Received: {type(training).__name__}"
        )
    metrics = {str(name): np.asarray(values, np.float64) for name, values in history.items()}
    if len({values.shape for values in metrics.values()}) > 1 or any(
        values.ndim != 1 for values in metrics.values()
    ):
        shapes = {name: values.shape for name, values in metrics.items()}
        raise ValueError(
            f"`training` must hold one number per epoch for each metric. Received: {shapes}"
        )
    length = max((len(values) for values in metrics.values()), default=0)
    return {_EPOCH: np.arange(1.0, length + 1), **metrics}


def _from_csv(path: Path) -> dict[str, NDArray[np.float64]]:
    file = path / _METRICS if path.is_dir() else path
    if path.is_dir() and not file.is_file():
        raise FileNotFoundError(
            f"`training` as a folder must be a run's, with {_METRICS} in it. Received: {path}"
        )
    text = io.StringIO(decode_text(read_bytes(file, _LARGEST), str(file)), newline="")
    try:
        rows = list(csv.DictReader(text))
    except csv.Error as error:
        raise ValueError(f"`training` must be a CSV file: {error}. Received: {file}") from error
    if not rows or _EPOCH not in rows[0]:
        raise ValueError(
            f"`training` must be a CSV file with a column `{_EPOCH}` and a line for each. "
            f"Received: {file}"
        )
    try:
        return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}
    except (TypeError, ValueError) as error:
        raise ValueError(f"`training` must hold numbers: {error}. Received: {file}") from error


def _draw(plot: Any, run: dict[str, NDArray], name: str, title: str, color: str) -> None:
    for column, style in ((name, "-"), (f"{_VALIDATION}{name}", "--")):
        if column not in run:
            continue
        # Some metrics are not computed after every epoch; the line continues over the gaps.
        taken = ~np.isnan(run[column])
        few = np.count_nonzero(taken) <= 30
        plot.plot(
            run[_EPOCH][taken],
            run[column][taken],
            color=color,
            linestyle=style,
            linewidth=1.5,
            marker="o" if few else "",
            markersize=2.5,
            label=f"{title} {column}".strip(),
        )


def _legend_entries(runs: dict[str, dict[str, NDArray]]) -> list[tuple[str, str, Any]]:
    """Return label, color and style of the legend's lines; none where one line needs no name."""
    entries: list[tuple[str, str, Any]] = []
    if len(runs) > 1:
        colors = itertools.cycle(_sheet.COLORS)
        entries += [(title, color, "-") for title, color in zip(runs, colors, strict=False)]
    if any(name.startswith(_VALIDATION) for run in runs.values() for name in run):
        entries += [("training", _sheet.GRAY, "-"), ("validation", _sheet.GRAY, "--")]
    return entries


def _legend_columns(entries: Sequence[tuple[str, str, Any]], width: float) -> int:
    """Return how many entries fit side by side into a width in inches."""
    longest = max(len(label) for label, _, _ in entries)
    return max(1, min(len(entries), int(width / (_LINE + _LETTER * longest))))


def _write_legend(figure: "Figure", entries: Sequence[tuple[str, str, Any]], columns: int) -> None:
    from matplotlib.lines import Line2D

    _sheet.legend(
        figure,
        [Line2D([], [], color=color, linestyle=style) for _, color, style in entries],
        [name for name, _, _ in entries],
        loc="lower center",
        ncols=columns,
        fontsize=_sheet.SMALL,
        frameon=False,
        borderaxespad=0.2,
    )
