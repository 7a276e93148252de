"""`keras-osnet visualize activations`: where networks look."""

from collections.abc import Sequence
from pathlib import Path

import click

from keras_osnet.cli import options
from keras_osnet.cli.embedder import load_embedder
from keras_osnet.cli.visualize import figure
from keras_osnet.cli.visualize.retrieval import several_weights


@click.command("activations")
@figure.pictures
@several_weights
@options.width
@options.variant
@click.option(
    "--layer",
    default="conv5",
    metavar="NAME",
    show_default=True,
    help="Whose maps: conv2, conv3, conv4, conv5, or a block such as conv4_block1.",
)
@options.input_size
@figure.show(6)
@figure.output
def command(
    paths: Sequence[Path],
    weights: tuple[str, ...],
    width: float | None,
    variant: str | None,
    layer: str,
    size: tuple[int, int] | None,
    show: int,
    output: Path,
) -> None:
    """Draw pictures with their activation maps.

    As in Fig. 6 of the paper, maps are summed over channels by absolute value and normalised over
    the picture. Several --weights are drawn side by side.

    \b
    keras-osnet visualize activations DIR --weights market1501 -o maps.png
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    files = figure.readable(paths, show)
    models = {
        each: load_embedder(each, width=width, variant=variant, size=size) for each in weights
    }
    from keras_osnet.visualize import activation_maps, feature_maps, plot_maps

    maps = {
        title: activation_maps(feature_maps(models[each], files, [layer])[layer])
        for title, each in zip(figure.titles(weights), weights, strict=True)
    }
    figure.write(plot_maps(files, maps), output)
