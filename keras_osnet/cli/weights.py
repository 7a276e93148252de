"""`keras-osnet weights`: the published checkpoints."""

from dataclasses import asdict

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import print_json, print_table


@click.command("weights")
@click.option("--variant", type=click.Choice(["base", "ibn", "ain"]), help="Only this variant.")
@click.option("--width", type=float, help="Only this width multiplier.")
@click.option("--files", is_flag=True, help="Show the files' names on the Hub.")
@options.as_json
def command(variant: str | None, width: float | None, files: bool, as_json: bool) -> None:
    """List the published checkpoints.

    The tag is what --weights takes, together with --width and --variant of the model.
    """
    from keras_osnet.weights import list_weights

    checkpoints = list_weights(variant, width)
    if as_json:
        print_json([asdict(checkpoint) for checkpoint in checkpoints])
        return
    print_table(
        ("model", "tag", "rank-1/mAP in %", "distance", *(("file",) if files else ())),
        [
            (
                f"{checkpoint.variant} {checkpoint.width}",
                checkpoint.tag,
                "\n".join(
                    f"{rank_1}/{mean_ap} {dataset}"
                    for dataset, (rank_1, mean_ap) in checkpoint.published.items()
                ),
                checkpoint.distance,
                *((checkpoint.file,) if files else ()),
            )
            for checkpoint in checkpoints
        ],
    )
    click.echo(f"\n{len(checkpoints)} checkpoints. model: what --variant and --width take.")
