"""`keras-osnet visualize block`: an omni-scale block with its streams and gate."""

from pathlib import Path

import click

from keras_osnet.cli import options
from keras_osnet.cli.visualize import figure
from keras_osnet.cli.visualize.architecture import build


@click.command("block")
@click.option("--weights", metavar="TAG|FILE", help="Draw a block of the network of these.")
@options.width
@options.variant
@click.option(
    "--name", default="conv2_block1", metavar="NAME", show_default=True, help="Which block."
)
@figure.output
def command(
    weights: str | None, width: float | None, variant: str | None, name: str, output: Path
) -> None:
    """Draw an omni-scale block, its streams and its gate.

    \b
    keras-osnet visualize block --variant ain -o block.svg
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    model = build(weights, width=width, variant=variant, size=None)
    from keras_osnet.visualize import plot_block
    from keras_osnet.visualize.feature_maps import layer_of

    figure.write(plot_block(layer_of(model, name)), output)
