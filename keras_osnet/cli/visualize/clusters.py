"""`keras-osnet visualize clusters`: pictures whose streams a block weights alike."""

from collections.abc import Sequence
from pathlib import Path

import click

from keras_osnet.cli import options
from keras_osnet.cli.embedder import load_embedder
from keras_osnet.cli.visualize import figure


@click.command("clusters")
@figure.pictures
@options.weights
@options.width
@options.variant
@click.option("--block", metavar="NAME", help="Whose gates. Default: the last block's.")
@click.option(
    "--clusters",
    type=click.IntRange(min=1),
    default=8,
    metavar="N",
    show_default=True,
    help="How many clusters k-means makes.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=15,
    metavar="N",
    show_default=True,
    help="How many pictures of each to draw.",
)
@options.input_size
@options.batch_size
@figure.output
def command(
    paths: Sequence[Path],
    weights: str,
    width: float | None,
    variant: str | None,
    block: str | None,
    clusters: int,
    top: int,
    size: tuple[int, int] | None,
    batch_size: int,
    output: Path,
) -> None:
    """Cluster pictures by a block's gating vectors.

    As in Fig. 5 of the paper, the pictures nearest to each centre are drawn.

    \b
    keras-osnet visualize clusters DIR --weights msmt17_combineall -o clusters.png
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    files = figure.readable(paths)
    model = load_embedder(weights, width=width, variant=variant, size=size)
    from keras_osnet.visualize import (
        feature_maps,
        gate_clusters,
        gate_names,
        plot_gate_clusters,
    )

    name = f"{block}_gates" if block else gate_names(model)[-1]
    gates = feature_maps(model, files, [name], batch_size=batch_size)[name]
    figure.write(plot_gate_clusters(files, gate_clusters(gates, clusters), top=top), output)
