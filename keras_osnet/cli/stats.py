"""`keras-osnet stats`: mean and standard deviation of a dataset's pixels."""

from pathlib import Path
from typing import Any

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import (
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
def command(
    data: Path, dataset: str | None, image_size: tuple[int, int] | None, as_json: bool
) -> None:
    """Compute the mean and standard deviation of pixels.

    Per channel, over all pixels of all images, in 0–1. Ends with the lines to paste into a
    recipe's table [model].

    \b
    keras-osnet stats --data crops
    keras-osnet stats --data datasets --dataset market1501
    """  # noqa: D301 - \b is click's mark of lines to leave alone
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
    click.echo(f"\nOf {statistics.images:,} images. For a recipe's [model]:\n")
    for name, values in rows.items():
        click.echo(f"{name} = [{', '.join(f'{value:.4f}' for value in values)}]")


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
