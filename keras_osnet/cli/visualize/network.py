"""`keras-osnet visualize network`: an OSNet from image to result."""

from pathlib import Path

import click

from keras_osnet.cli import options
from keras_osnet.cli.visualize import figure
from keras_osnet.cli.visualize.architecture import build


@click.command("network")
@click.option("--weights", metavar="TAG|FILE", help="Draw the network that these are of.")
@options.width
@options.variant
@options.size("Height and width of the image.", default=None)
@figure.output
def command(
    weights: str | None,
    width: float | None,
    variant: str | None,
    size: tuple[int, int] | None,
    output: Path,
) -> None:
    """Draw the stages of a network with their sizes.

    \b
    keras-osnet visualize network --width 0.25 -o network.svg
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    model = build(weights, width=width, variant=variant, size=size)
    from keras_osnet.visualize import plot_network

    figure.write(plot_network(model), output)
