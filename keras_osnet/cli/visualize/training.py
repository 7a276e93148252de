"""`keras-osnet visualize training`: metrics epoch by epoch."""

from pathlib import Path

import click

from keras_osnet.cli.visualize import figure


@click.command("training")
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@figure.output
def training(runs: tuple[Path, ...], output: Path) -> None:
    """Draw the metrics of one or several trainings.

    RUNS are folders of `keras-osnet train` (with a line for each seed), or CSV files with a column
    `epoch`.

    \b
    keras-osnet visualize training run -o training.png
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    from keras_osnet.visualize import plot_history

    found = [seed for run in runs for seed in _seeds(run)]
    several = dict(zip(figure.titles([str(each) for each in found]), found, strict=True))
    figure.write(plot_history(several if len(several) > 1 else found[0]), output)


def _seeds(run: Path) -> list[Path]:
    """Return the trainings in a folder, one per seed, or the folder itself."""
    return sorted(path.parent for path in run.glob("seed-*/metrics.csv")) or [run]
