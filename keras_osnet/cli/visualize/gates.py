"""`keras-osnet visualize gates`: how wide the gates of each stream are open."""

from collections.abc import Sequence
from pathlib import Path

import click

from keras_osnet.cli import options
from keras_osnet.cli.embedder import load_embedder
from keras_osnet.cli.visualize import figure


@click.command("gates")
@figure.pictures
@options.weights
@options.width
@options.variant
@options.input_size
@options.batch_size
@figure.output
def command(
    paths: Sequence[Path],
    weights: str,
    width: float | None,
    variant: str | None,
    size: tuple[int, int] | None,
    batch_size: int,
    output: Path,
) -> None:
    """Draw how wide the gates of every block are open.

    \b
    keras-osnet visualize gates DIR --weights msmt17_combineall -o gates.png
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    files = figure.readable(paths)
    model = load_embedder(weights, width=width, variant=variant, size=size)
    from keras_osnet.visualize import feature_maps, gate_names, plot_gate_statistics

    gates = feature_maps(model, files, gate_names(model), batch_size=batch_size)
    figure.write(plot_gate_statistics(gates), output)
