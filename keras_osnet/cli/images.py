"""`keras-osnet stats` and `synthetic`: pixel statistics of images, and images to try with."""

from pathlib import Path
from typing import Any

import click

from keras_osnet.cli import options, outputs
from keras_osnet.cli.console import (
    echo,
    print_json,
    print_table,
    progress,
    report_unreadable,
    waiting,
    warn_unreadable,
)

_DEFAULT_SIZE = (256, 128)


@click.command("stats")
@click.option(
    "--data",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder of images. With --dataset, the folder it is in.",
)
@click.option(
    "--dataset",
    metavar="NAME",
    help="Published dataset that --data holds (market1501, …): only its training images count. "
    "Default: all images in DIR.",
)
@options.image_size(
    "Height and width that images are resized to. Default: 256 128; CIFAR's own.", default=None
)
@options.as_json
def stats(
    data: Path, dataset: str | None, image_size: tuple[int, int] | None, as_json: bool
) -> None:
    """Compute the mean and standard deviation of pixels.

    Per channel, over all pixels of all images, in 0–1. Ends with the lines to paste into a
    recipe's table [model].

    \b
    keras-osnet stats --data crops
    keras-osnet stats --data datasets --dataset market1501
    """
    with waiting("Looking for images …"):
        from keras_osnet.data import pixel_statistics

        images = _images(data, dataset)
    if image_size is None and isinstance(images, list | tuple):
        image_size = _DEFAULT_SIZE
    with progress("Reading", len(images)) as advance:
        statistics = pixel_statistics(images, image_size, progress=advance)
    warn_unreadable(statistics.unreadable, len(images))
    if as_json:
        report = {"mean": statistics.mean, "std": statistics.std, "images": statistics.images}
        report["image_size"] = image_size or images.shape[1:3]
        report["unreadable"] = report_unreadable(statistics.unreadable)
        print_json(report)
        return
    columns = ("", "red", "green", "blue")
    rows = {"mean": statistics.mean, "std": statistics.std}
    print_table(
        columns,
        [[name, *(f"{value:.4f}" for value in values)] for name, values in rows.items()],
        numbers=columns[1:],
    )
    echo(f"\nOf {statistics.images:,} images. For a recipe's [model]:\n")
    for name, values in rows.items():
        echo(f"{name} = [{', '.join(f'{value:.4f}' for value in values)}]")


def _images(data: Path, dataset: str | None) -> Any:
    """Return paths, or pixels as an array."""
    from keras_osnet.data import (
        AttributeDataset,
        ClassificationDataset,
        list_images,
        read_dataset,
    )

    if dataset is None:
        return list_images(data)
    content = read_dataset(dataset, data)
    if isinstance(content, ClassificationDataset):
        return content.train.images
    if isinstance(content, AttributeDataset):
        return content.train.paths
    return [image.path for image in content.train]


@click.command("synthetic")
@outputs.output_folder("Folder to write to, new or empty.", required=True)
@options.count("--identities", "People.", 20)
@options.count("--cameras", "Cameras.", 2)
@options.count("--views", "Images of each person per camera.", 4)
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
def synthetic(
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
    echo(
        f"Wrote {len(people)} images of {identities} people under {cameras} cameras to {output}\n"
        f"Next: keras-osnet evaluate --data {output} --weights msmt17_combineall --width 0.25"
    )
