"""`keras-osnet synthetic`: synthetic people, to try the other commands with."""

from pathlib import Path

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import waiting

_POSITIVE = click.IntRange(min=1)


@click.command("synthetic")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder to write to, new or empty.",
)
@click.option("--identities", type=_POSITIVE, default=20, show_default=True, help="People.")
@click.option("--cameras", type=_POSITIVE, default=2, show_default=True, help="Cameras.")
@click.option(
    "--views",
    type=_POSITIVE,
    default=4,
    show_default=True,
    help="Images of each person per camera.",
)
@options.image_size("Height and width of the images.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--look-alikes",
    type=click.IntRange(min=1, max=6),
    default=1,
    metavar="N",
    show_default=True,
    help="Size of groups of people that differ only in a small detail, listed in details.csv.",
)
def command(
    output: Path,
    identities: int,
    cameras: int,
    views: int,
    image_size: tuple[int, int],
    seed: int,
    look_alikes: int,
) -> None:
    """Draw synthetic people to try things out with.

    Files are named as in Market-1501; attributes.csv lists their attributes. Repeating the call
    completes an interrupted one.
    """
    from keras_osnet.synthetic import write_synthetic_people

    with waiting(f"Drawing {identities * cameras * views} images …"):
        people = write_synthetic_people(
            output,
            identities,
            cameras,
            views,
            image_size=image_size,
            seed=seed,
            look_alikes=look_alikes,
        )
    click.echo(
        f"Wrote {len(people)} images of {identities} people under {cameras} cameras to {output}\n"
        f"Next: keras-osnet evaluate --data {output} --weights msmt17_combineall --width 0.25"
    )
