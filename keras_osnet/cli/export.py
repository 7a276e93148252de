"""`keras-osnet export`: from weights to a file for phones and other engines, proven on pictures."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import print_facts, print_json, waiting, warn
from keras_osnet.cli.keras_import import import_keras
from keras_osnet.cli.people import PeopleSource, people_options
from keras_osnet.cli.retrieval_task import retrieval_task

if TYPE_CHECKING:
    import keras

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_SUFFIXES = (".tflite", ".onnx", ".xml")
_ANY = "any"


def _checked_destination(_: click.Context, __: click.Parameter, destination: Path) -> Path:
    if destination.suffix not in _SUFFIXES:
        raise click.BadParameter(f"must end in {', '.join(_SUFFIXES)}. Received: {destination}")
    return options.writable(destination)


def _batch(_: click.Context, __: click.Parameter, text: str | None) -> dict[str, int | None]:
    """The exporter's argument; none at all if the option was not given."""
    return {} if text is None else {"batch": None if text == _ANY else int(text)}


@click.command("export")
@click.argument("weights")
@click.argument(
    "destination",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_checked_destination,
)
@options.width
@options.variant
@options.input_size
@click.option(
    "--head",
    type=click.Choice(["embedding", "classification", "attribute"]),
    help="Default: embedding; attribute for a .keras model that ends in attributes.",
)
@click.option(
    "--quantization",
    type=click.Choice(["float16", "dynamic", "int8"]),
    help="float16: for .tflite and .xml; dynamic and int8: for .tflite. Default: float32.",
)
@click.option(
    "--calibration",
    type=_FOLDER,
    metavar="DIR",
    help="Pictures like those the model will see, 64 or more, none of them of the test; int8 takes "
    "the range of every layer from them.",
)
@click.option(
    "--input",
    "dtype",
    type=click.Choice(["uint8", "float32"]),
    default="uint8",
    show_default=True,
    help="Type of the pixels, RGB of 0–255 either way.",
)
@click.option("--raw", is_flag=True, help="Do not scale embeddings to length 1.")
@click.option(
    "--batch",
    type=click.Choice(["1", _ANY]),
    callback=_batch,
    help="How many pictures the file takes at once. Default: 1 for .tflite, any for others.",
)
@click.option("--pictures", type=_FOLDER, metavar="DIR", help="Pictures to prove the file on.")
@people_options
@click.option(
    "--labels",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="Text file with the name of each class or attribute, one a line.",
)
@click.option("--licence", metavar="NAME", help="Of the weights, for the file's description.")
@click.option(
    "--max-drop",
    type=click.FloatRange(min=0),
    metavar="POINTS",
    help="Write nothing if the file loses more, in points of 100: of rank-1 and of mAP with "
    "--data, else of the worst picture's cosine, or of predictions that agree.",
)
@click.option("--force", is_flag=True, help="Replace DESTINATION if it exists.")
@options.as_json
def command(
    weights: str,
    destination: Path,
    source: PeopleSource,
    width: float | None,
    variant: str | None,
    size: tuple[int, int] | None,
    head: str | None,
    quantization: str | None,
    calibration: Path | None,
    dtype: Literal["uint8", "float32"],
    raw: bool,
    batch: dict[str, int | None],
    pictures: Path | None,
    labels: Any,
    licence: str | None,
    max_drop: float | None,
    force: bool,
    as_json: bool,
) -> None:
    """Export a model for LiteRT, ONNX or OpenVINO, and prove the file.

    WEIGHTS is a tag, a file of weights or a .keras model. DESTINATION's ending chooses the format:
    .tflite, .onnx or .xml.
    The file takes RGB pixels and preprocesses them itself. It is run beside the Keras model, on
    --pictures, or on --data with rank-1 and mAP, and the figures are printed and written beside it.

    \b
    keras-osnet export run/seed-0/best.keras model.tflite --data crops
    keras-osnet export msmt17 m.tflite --quantization int8 --calibration DIR
    keras-osnet export imagenet model.onnx --head classification
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    if destination.exists() and not force:
        raise click.ClickException(
            f"{destination} exists; give --force to replace it. Received: {destination}"
        )
    proof = _proof(source, pictures)
    arguments = {
        **batch,
        **_for_format(destination.suffix, quantization, calibration),
        "labels": [line.strip() for line in labels if line.strip()] if labels else (),
    }
    model = _model(weights, head, width, variant, size)
    from keras_osnet import deploy

    export = {
        ".tflite": deploy.export_tflite,
        ".onnx": deploy.export_onnx,
        ".xml": deploy.export_openvino,
    }[destination.suffix]
    with waiting(f"Exporting to {destination} …"):
        report = export(
            model,
            destination,
            input=dtype,
            normalize=not raw,
            licence=licence,
            source=weights,
            pictures=proof,
            max_drop=max_drop,
            **arguments,
        )
    if as_json:
        print_json(dataclasses.asdict(report))
        return
    print_facts(report.table())
    click.echo(f"\nWrote {destination}, and these figures to {destination}.json")


def _proof(source: PeopleSource, pictures: Path | None) -> Any:
    """What the file is proven on: people with identities, a folder, or what the library takes."""
    source.check_usage()
    if source.data is None:
        return pictures
    if pictures is not None:
        raise click.UsageError("Give --pictures or --data, not both.")
    from keras_osnet.data import ReidDataset

    task = retrieval_task(source, False, None, None, None)
    for note in task.notes:
        warn(note)
    ((query, gallery),) = task.splits
    return ReidDataset(str(source.data), train=(), query=tuple(query), gallery=tuple(gallery))


def _for_format(suffix: str, quantization: str | None, calibration: Path | None) -> dict[str, Any]:
    """The arguments that not every format has."""
    if calibration is not None and quantization != "int8":
        raise click.UsageError("--calibration is for --quantization int8.")
    if quantization is None:
        return {}
    if suffix == ".onnx" or (suffix == ".xml" and quantization != "float16"):
        raise click.UsageError(
            f"--quantization {quantization} is for .tflite"
            + (" and .xml" if quantization == "float16" else "")
            + f". Received: {suffix}"
        )
    if quantization == "int8" and calibration is None:
        raise click.UsageError("--quantization int8 needs --calibration DIR.")
    chosen: dict[str, Any] = {"quantization": quantization}
    return chosen if calibration is None else {**chosen, "calibration": calibration}


def _model(
    weights: str,
    head: str | None,
    width: float | None,
    variant: str | None,
    size: tuple[int, int] | None,
) -> "keras.Model":
    """The network of these weights, with its preprocessing inside."""
    import_keras()
    from keras_osnet.models import open_checkpoint

    with waiting(f"Loading {weights} …"):
        checkpoint = open_checkpoint(weights, width=width, variant=variant)
        if head is None:
            own = checkpoint.description.get("head")
            head = "attribute" if own == "attribute" else "embedding"
        model, _ = checkpoint.build(
            head=head,
            image_size=size or (checkpoint.embedding_size if head == "embedding" else None),
            include_preprocessing=True,
        )
    return model
