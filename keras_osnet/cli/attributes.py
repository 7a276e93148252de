"""`keras-osnet attributes`: accuracy of attribute recognition."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from keras_osnet.cli import options, people
from keras_osnet.cli.console import (
    echo,
    per_cent,
    print_facts,
    print_json,
    print_table,
    progress,
    report_unreadable,
    warn_unreadable,
)
from keras_osnet.cli.options import ModelSource

if TYPE_CHECKING:
    import keras

    from keras_osnet.data import AttributeDataset
    from keras_osnet.data.records import AttributeImages
    from keras_osnet.evaluation.attribute_recognition import RecognitionResult

_MEASURES = {
    "mA": "mean_accuracy",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "f1",
}
"""Names in the report, and in `keras_osnet.metrics.attributes.AttributeResult`."""


_Command = TypeVar("_Command", bound=Any)


def task_options(command: _Command) -> _Command:
    """Give a command images with attributes, and the model that recognizes them."""
    for option in reversed(
        (
            click.option(
                "--data",
                type=people.DATA,
                required=True,
                metavar="PATH",
                help="A table (.csv, .parquet) of images and attributes. With --dataset, the "
                "folder it is in.",
            ),
            click.option(
                "--dataset", metavar="NAME", help="Published dataset that --data holds: pa100k."
            ),
            people.no_check,
            options.model_options(
                text="An attribute model: .keras, .safetensors, .pth, or "
                "hf://owner/repo[/file][@revision]."
            ),
            click.option(
                "--part",
                type=click.Choice(["test", "validation", "train"]),
                default="test",
                show_default=True,
                help="Part of the dataset.",
            ),
            click.option(
                "--threshold",
                type=float,
                default=0.5,
                metavar="P",
                show_default=True,
                help="Lowest probability at which an attribute is predicted.",
            ),
        )
    ):
        command = option(command)
    return command


@click.command("attributes")
@task_options
@options.batch_size
@options.as_json
def command(
    data: Path,
    dataset: str | None,
    no_check: bool,
    model: ModelSource,
    part: str,
    threshold: float,
    batch_size: int,
    as_json: bool,
) -> None:
    """Compute mA, accuracy, precision, recall and F1 of attributes.

    A table has a column `path`, perhaps `split` (train, validation, test), and one for each
    attribute, 0 or 1, in the model's order.

    \b
    keras-osnet attributes --data DIR --dataset pa100k --weights pa100k.pth
    keras-osnet attributes --data people.csv --weights own.keras --part train
    """
    content = read_attributes(data, dataset, check=not no_check)
    images = images_of(content, part)
    network = load_attribute_model(model)
    from keras_osnet.evaluation import evaluate_attribute_model

    with progress("Recognizing", len(images.paths)) as advance:
        result = evaluate_attribute_model(
            network, images, threshold=threshold, batch_size=batch_size, progress=advance
        )
    report = _report(result, content.attribute_names)
    report |= {"dataset": content.name, "part": part, "threshold": threshold}
    report |= {"weights": model.weights, "model": network.name}
    report["image_size"] = list(network.input_shape[1:3])
    warn_unreadable(result.unreadable, len(images.paths))
    if as_json:
        print_json(report)
    else:
        _print(report)


def load_attribute_model(source: ModelSource) -> "keras.Model":
    """Build the model that turns pixels into probabilities.

    Raises:
        ValueError: The weights are of a model with another head, or have no classifier.
        OSError: They cannot be read.
    """
    checkpoint = source.open()
    # A torch checkpoint does not store its head: accept any number of classes as attributes.
    head = checkpoint.description.get("head") or "attribute"
    if head != "attribute":
        raise ValueError(
            '--weights must be those of an attribute model, of OSNet(head="attribute"). '
            f"Received: {checkpoint.path} with head={head!r}"
        )
    return source.load("attribute", checkpoint=checkpoint)


def images_of(content: "AttributeDataset", part: str) -> "AttributeImages":
    """Return the images of a part of a dataset, or raise ValueError if it has none."""
    images = getattr(content, part)
    if images.paths:
        return images
    counts = {name: len(getattr(content, name).paths) for name in ("train", "validation", "test")}
    raise ValueError(
        "--part must be one with images. Received: --part "
        f"{part}, {', '.join(f'{count} in {name}' for name, count in counts.items())}"
    )


def read_attributes(data: Path, dataset: str | None, *, check: bool) -> "AttributeDataset":
    """Read the images and labels that --data and --dataset name.

    Raises:
        click.UsageError: --data is a folder and --dataset is missing; or --no-check was given
            without --dataset.
        ValueError: It is a dataset for another task, or cannot be read.
        OSError: Files are not there or cannot be read.
    """
    from keras_osnet.data import AttributeDataset, attributes_from_table, read_dataset

    if dataset is None:
        if not check:
            raise click.UsageError("--no-check is of a published dataset; give --dataset NAME.")
        if data.is_dir():
            raise click.UsageError(
                "--data is a folder: give --dataset pa100k, or name a table (.csv, .parquet)."
            )
        return attributes_from_table(data)
    content = read_dataset(dataset, data, check=check)
    if not isinstance(content, AttributeDataset):
        raise ValueError(
            "--dataset must be one of attributes, such as pa100k. "
            f"Received: {content.name}, a dataset of another kind"
        )
    return content


def _report(result: "RecognitionResult", names: tuple[str, ...]) -> dict[str, Any]:
    """Return the result for JSON, shares in percent."""
    report: dict[str, Any] = {
        name: per_cent(getattr(result, field)) for name, field in _MEASURES.items()
    }
    report["attributes"] = [
        {"name": name, "positive": per_cent(positive), "accuracy": per_cent(accuracy)}
        for name, positive, accuracy in zip(
            names, result.positive, result.attribute_accuracy, strict=True
        )
    ]
    report["images"] = result.images
    report["unreadable"] = report_unreadable(result.unreadable)
    return report


def _print(report: dict[str, Any]) -> None:
    print_facts(
        [
            ("model", f"{report['model']}, {report['weights']}"),
            ("size", "{} × {}".format(*report["image_size"])),
            ("dataset", f"{report['dataset']}, {report['part']}"),
            ("images", f"{report['images']}"),
            ("threshold", f"{report['threshold']:g}"),
        ]
    )
    echo()
    titles = {"f1": "F1"}
    columns = [titles.get(name, name) for name in _MEASURES]
    print_table(columns, [[f"{report[name]:.1f}" for name in _MEASURES]], numbers=columns)
    echo()
    print_table(
        ("attribute", "positive", "accuracy"),
        [
            (one["name"], f"{one['positive']:.1f}", _text(one["accuracy"]))
            for one in report["attributes"]
        ],
        numbers=("positive", "accuracy"),
    )
    echo("\nAll in percent. An attribute's accuracy is the mean of those of the images with")
    echo("and without it; – if all have it, or none.")


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
