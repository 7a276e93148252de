"""`keras-osnet visualize` of networks: `network`, `block`, and their `gates` and `clusters`."""

from collections.abc import Sequence
from pathlib import Path

import click

from keras_osnet.cli import options
from keras_osnet.cli.options import ModelSource
from keras_osnet.cli.visualize import figure

_DRAWN = "Weights whose network to draw. Default: an untrained network."


@click.command("network")
@options.model_options(text=_DRAWN, required=False)
@figure.output
def network(model: ModelSource, output: Path) -> None:
    """Draw the stages of a network with their sizes.

    \b
    keras-osnet visualize network --width 0.25 -o network.svg
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    built = model.load(include_preprocessing=False)
    from keras_osnet.visualize import plot_network

    figure.write(plot_network(built), output)


@click.command("block")
@options.model_options(text=_DRAWN, required=False, sized=False)
@click.option(
    "--name", default="conv2_block1", metavar="NAME", show_default=True, help="Which block."
)
@figure.output
def block(model: ModelSource, name: str, output: Path) -> None:
    """Draw an omni-scale block, its streams and its gate.

    \b
    keras-osnet visualize block --variant ain -o block.svg
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    built = model.load(include_preprocessing=False)
    from keras_osnet.visualize import plot_block
    from keras_osnet.visualize.feature_maps import layer_of

    figure.write(plot_block(layer_of(built, name)), output)


@click.command("gates")
@options.images
@options.model_options()
@options.batch_size
@figure.output
def gates(images: Sequence[Path], model: ModelSource, batch_size: int, output: Path) -> None:
    """Draw the distribution of the gating values of every block.

    \b
    keras-osnet visualize gates DIR --weights msmt17_combineall -o gates.png
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    files = figure.readable(images)
    built = model.load("embedding")
    from keras_osnet.visualize import feature_maps, gate_names, plot_gate_statistics

    found = feature_maps(built, files, gate_names(built), batch_size=batch_size)
    figure.write(plot_gate_statistics(found), output)


@click.command("clusters")
@options.images
@options.model_options()
@click.option("--block", metavar="NAME", help="Block of the gates. Default: the last.")
@click.option(
    "--clusters",
    type=click.IntRange(min=1),
    default=8,
    metavar="N",
    show_default=True,
    help="Number of k-means clusters.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=15,
    metavar="N",
    show_default=True,
    help="How many images of each to draw.",
)
@options.batch_size
@figure.output
def clusters(
    images: Sequence[Path],
    model: ModelSource,
    block: str | None,
    clusters: int,
    top: int,
    batch_size: int,
    output: Path,
) -> None:
    """Cluster images by a block's gating vectors.

    As in Fig. 5 of the paper, the images nearest to each center are drawn.

    \b
    keras-osnet visualize clusters DIR --weights msmt17_combineall -o clusters.png
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    files = figure.readable(images)
    built = model.load("embedding")
    from keras_osnet.visualize import feature_maps, gate_clusters, gate_names, plot_gate_clusters

    name = f"{block}_gates" if block else gate_names(built)[-1]
    found = feature_maps(built, files, [name], batch_size=batch_size)[name]
    figure.write(plot_gate_clusters(files, gate_clusters(found, clusters), top=top), output)
