"""`keras-osnet attributes`: how well attributes of people are recognised."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from keras_osnet.cli import options, people
from keras_osnet.cli.console import (
    per_cent,
    print_facts,
    print_json,
    print_table,
    progress,
    waiting,
)
from keras_osnet.cli.keras_import import import_keras
from keras_osnet.cli.unreadable import report_unreadable, warn_unreadable

if TYPE_CHECKING:
    import keras

    from keras_osnet.data import AttributeDataset
    from keras_osnet.evaluation import RecognitionResult

_MEASURES = {
    "mA": "mean_accuracy",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "f1",
}
"""Names in the report, and in `keras_osnet.metrics.AttributeResult`."""


_Command = TypeVar("_Command", bound=Any)


def task_options(command: _Command) -> _Command:
    """Give a command the pictures, their attributes and the network that recognises them."""
    for option in reversed(
        (
            click.option(
                "--data",
                type=people.DATA,
                required=True,
                metavar="PATH",
                help="A table (.csv, .parquet) of pictures and attributes. With --dataset, the "
                "folder it is in.",
            ),
            click.option(
                "--dataset", metavar="NAME", help="Published dataset that --data holds: pa100k."
            ),
            people.no_check,
            click.option(
                "--weights",
                required=True,
                metavar="FILE",
                help="An attribute model: .keras, .safetensors, .pth, or "
                "hf://owner/repo[/file][@revision].",
            ),
            options.width,
            options.variant,
            click.option(
                "--part",
                type=click.Choice(["test", "validation", "train"]),
                default="test",
                show_default=True,
                help="Which pictures.",
            ),
            click.option(
                "--threshold",
                type=float,
                default=0.5,
                metavar="P",
                show_default=True,
                help="Probability from which on an attribute is predicted.",
            ),
        )
    ):
        command = option(command)
    return command


@click.command("attributes")
@task_options
@options.input_size
@options.batch_size
@options.as_json
def command(
    data: Path,
    dataset: str | None,
    no_check: bool,
    weights: str,
    width: float | None,
    variant: str | None,
    part: str,
    threshold: float,
    size: tuple[int, int] | None,
    batch_size: int,
    as_json: bool,
) -> None:
    """Compute mA, accuracy, precision, recall and F1 of attributes.

    A table has a column `path`, perhaps `split` (train, validation, test), and one for each
    attribute, 0 or 1, in the model's order.

    \b
    keras-osnet attributes --data DIR --dataset pa100k --weights pa100k.pth
    keras-osnet attributes --data people.csv --weights own.keras --part train
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    content = read_attributes(data, dataset, check=not no_check)
    images = getattr(content, part)
    if not images.paths:
        counts = {
            name: len(getattr(content, name).paths) for name in ("train", "validation", "test")
        }
        raise ValueError(
            "--part must be one with pictures. Received: --part "
            f"{part}, {', '.join(f'{count} in {name}' for name, count in counts.items())}"
        )
    model = load_attribute_model(weights, width=width, variant=variant, size=size)
    from keras_osnet.evaluation import evaluate_attribute_model

    with progress("Recognising", len(images.paths)) as advance:
        result = evaluate_attribute_model(
            model, images, threshold=threshold, batch_size=batch_size, progress=advance
        )
    report = _report(result, content.attribute_names)
    report |= {"dataset": content.name, "part": part, "threshold": threshold, "weights": weights}
    report |= {"model": model.name, "size": list(model.input_shape[1:3])}
    warn_unreadable(result.unreadable, len(images.paths))
    if as_json:
        print_json(report)
    else:
        _print(report)


def load_attribute_model(
    weights: str, *, width: float | None, variant: str | None, size: tuple[int, int] | None
) -> "keras.Model":
    """Build the network that turns pixels into probabilities, from the options of the command.

    Raises:
        ValueError: The weights are of a model with another head, or have no classifier.
        OSError: They cannot be read.
    """
    import_keras()
    from keras_osnet.models import open_checkpoint

    with waiting(f"Loading {weights} …"):
        checkpoint = open_checkpoint(weights, width=width, variant=variant)
        # A torch checkpoint does not tell its head; the number of attributes then has to do.
        head = checkpoint.description.get("head", "attribute")
        if head != "attribute":
            raise ValueError(
                '--weights must be those of an attribute model, of OSNet(head="attribute"). '
                f"Received: {checkpoint.path} with head={head!r}"
            )
        model, _ = checkpoint.build(
            head="attribute",
            image_size=size or checkpoint.embedding_size,
            include_preprocessing=True,
        )
        return model


def read_attributes(data: Path, dataset: str | None, *, check: bool) -> "AttributeDataset":
    """Read the pictures and labels that --data and --dataset name.

    Raises:
        click.UsageError: --data is a folder, and --dataset does not say of what; or --no-check was
            given without --dataset.
        ValueError: It is a dataset of something else, or for what its reader refuses.
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
    """Everything that is known about the result, shares in per cent."""
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
            ("size", "{} × {}".format(*report["size"])),
            ("dataset", f"{report['dataset']}, {report['part']}"),
            ("images", f"{report['images']}"),
            ("threshold", f"{report['threshold']:g}"),
        ]
    )
    click.echo()
    titles = {"f1": "F1"}
    columns = [titles.get(name, name) for name in _MEASURES]
    print_table(columns, [[f"{report[name]:.1f}" for name in _MEASURES]], numbers=columns)
    click.echo()
    print_table(
        ("attribute", "positive", "accuracy"),
        [
            (one["name"], f"{one['positive']:.1f}", _text(one["accuracy"]))
            for one in report["attributes"]
        ],
        numbers=("positive", "accuracy"),
    )
    click.echo("\nAll in per cent. An attribute's accuracy is the mean of those of the pictures")
    click.echo("that show it and of those that do not; – if all show it, or none.")


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
