"""`keras-osnet synthetic`: drawn people, to try the other commands with."""

from pathlib import Path

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import waiting

_POSITIVE = click.IntRange(min=1)


@click.command("synthetic")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--identities", type=_POSITIVE, default=20, show_default=True, help="People.")
@click.option("--cameras", type=_POSITIVE, default=2, show_default=True, help="Cameras.")
@click.option(
    "--views",
    type=_POSITIVE,
    default=4,
    show_default=True,
    help="Pictures of each person under each camera.",
)
@options.size("Height and width of the pictures.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--look-alikes",
    type=click.IntRange(min=1, max=6),
    default=1,
    metavar="N",
    show_default=True,
    help="So many people at a time differ by a small detail only; details.csv says by which.",
)
def command(
    folder: Path,
    identities: int,
    cameras: int,
    views: int,
    size: tuple[int, int],
    seed: int,
    look_alikes: int,
) -> None:
    """Draw synthetic people to try things out with.

    DIR, which must be new or empty, gets files named as Market-1501's, and attributes.csv, a
    table of the attributes that they show. The same call completes a run that was interrupted.
    """
    from keras_osnet.synthetic import write_synthetic_people

    with waiting(f"Drawing {identities * cameras * views} pictures …"):
        people = write_synthetic_people(
            folder, identities, cameras, views, image_size=size, seed=seed, look_alikes=look_alikes
        )
    click.echo(
        f"Wrote {len(people)} pictures of {identities} people under {cameras} cameras to {folder}\n"
        f"Next: keras-osnet evaluate --data {folder} --weights msmt17_combineall --width 0.25"
    )
