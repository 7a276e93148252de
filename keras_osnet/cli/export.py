"""`keras-osnet convert` and `export`: weights in other formats, and files for other engines."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from keras_osnet._utils.constants import CHANNELS, DTYPES, LAYOUTS, PIXEL_RANGES
from keras_osnet.cli import options, outputs
from keras_osnet.cli.console import echo, import_keras, print_facts, print_json, waiting, warn
from keras_osnet.cli.options import EXPORTED, FOLDER, ModelSource
from keras_osnet.cli.people import PeopleSource, people_options, retrieval_task
from keras_osnet.deploy.formats import suffixes_with
from keras_osnet.deploy.targets import targets

if TYPE_CHECKING:
    import keras


_ANY = "any"


def _output(context: click.Context, _: click.Parameter, path: Path) -> Path:
    """Check the output, which is a folder or a file with `--for`, as that is read first."""
    name = context.params["target"]
    if name is None and path.suffix not in EXPORTED:
        raise click.BadParameter(
            f"must end in {', '.join(EXPORTED)}, or be a folder with --for. Received: {path}"
        )
    if name is None or path.suffix in targets()[name].file_suffixes:
        return outputs.writable(path)
    if path.suffix in EXPORTED:
        raise click.BadParameter(f"must be {targets()[name].places}. Received: {path}")
    return outputs.creatable(path)


def _batch(_: click.Context, __: click.Parameter, text: str | None) -> int | str | None:
    """Return the argument `batch` of `keras_osnet.deploy.export`."""
    return "auto" if text is None else None if text == _ANY else int(text)


@click.command("export")
@options.model_options()
@click.option(
    "--for",
    "target",
    type=click.Choice(list(targets())),
    is_eager=True,
    help="Software that will load the file: writes the file and the configuration that it expects.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    callback=_output,
    metavar="FILE|DIR",
    help="Model file to write; the suffix selects the format. With --for, a folder or a file.",
)
@click.option(
    "--head",
    type=click.Choice(["embedding", "classification", "attribute"]),
    help="Default: embedding; attribute for a .keras model that ends in attributes.",
)
@click.option(
    "--quantization",
    type=click.Choice(["float16", "dynamic", "int8"]),
    help="int8: for every format; float16: for .tflite and .xml; dynamic: for .tflite. "
    "Default: float32.",
)
@click.option(
    "--calibration",
    type=FOLDER,
    metavar="DIR",
    help="Images like those that the model will see, 64 or more, but not those of the test; int8 "
    "takes the range of every layer from them.",
)
@click.option(
    "--pixel-range",
    type=click.Choice(PIXEL_RANGES),
    help="Range of the images that the file takes. normalized: (pixel / 255 - mean) / std. "
    "Default: 0-255.",
)
@click.option(
    "--dtype",
    type=click.Choice(DTYPES),
    help="Type of the images that the file takes. Default: uint8 for 0-255, else float32.",
)
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    help="Layout of the image tensor. Default: NHWC, channels last.",
)
@click.option(
    "--channels",
    type=click.Choice(CHANNELS),
    help="Order of the colors; BGR is OpenCV's. Default: RGB.",
)
@click.option(
    "--names",
    nargs=2,
    metavar="INPUT OUTPUT",
    help="Names of the tensors. Default: image, and embedding, or predictions, logits, attributes "
    "or maps.",
)
@click.option("--raw", is_flag=True, help="Do not scale embeddings to length 1.")
@click.option(
    "--batch",
    type=click.Choice(["1", _ANY]),
    callback=_batch,
    help="Images that the file takes at once. Default: 1 for .tflite, any for the others.",
)
@click.option(
    "--images",
    type=FOLDER,
    metavar="DIR",
    help="Images on which the file is compared with the model.",
)
@people_options
@click.option(
    "--labels",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="Text file with the name of each class or attribute, one a line.",
)
@click.option(
    "--license",
    metavar="NAME",
    help="Of the weights, for the file's metadata. Default: that of published weights.",
)
@click.option(
    "--max-drop",
    type=options.FiniteFloatRange(min=0),
    metavar="POINTS",
    help="Write nothing if the file loses more, in percentage points: of rank-1 and of mAP with "
    "--data, else of the worst image's cosine, or of predictions that agree.",
)
@click.option("--force", is_flag=True, help="Replace the output if it exists.")
@options.as_json
def export(
    model: ModelSource,
    target: str | None,
    output: Path,
    source: PeopleSource,
    head: str | None,
    quantization: Literal["float16", "dynamic", "int8"] | None,
    calibration: Path | None,
    pixel_range: Literal["0-255", "0-1", "normalized"] | None,
    dtype: Literal["uint8", "float32"] | None,
    layout: Literal["NHWC", "NCHW"] | None,
    channels: Literal["RGB", "BGR"] | None,
    names: tuple[str, str] | None,
    raw: bool,
    batch: Any,
    images: Path | None,
    labels: Any,
    license: str | None,
    max_drop: float | None,
    force: bool,
    as_json: bool,
) -> None:
    """Export a model for LiteRT, ONNX or OpenVINO, and test it.

    The file preprocesses its images itself, or as the software after --for expects. It is run
    beside the Keras model, on --images, or on --data with rank-1 and mAP, and the results are
    printed and written beside it.

    \b
    keras-osnet export --weights best.keras -o model.tflite --data crops
    keras-osnet export --weights msmt17 -o m.tflite --quantization int8
        --calibration DIR
    keras-osnet export --weights msmt17 --for boxmot -o tracker/
    keras-osnet export --weights imagenet -o model.onnx --head classification
    """
    record = None if target is None else targets()[target]
    suffix = record.suffixes[0] if record and output.suffix not in EXPORTED else output.suffix
    described = (pixel_range, dtype, layout, channels, names)
    if record is not None and (batch != "auto" or any(each is not None for each in described)):
        raise click.UsageError(
            f"--for {target} prescribes --pixel-range, --dtype, --layout, --channels, --names and "
            "--batch; leave them out."
        )
    _check_new(output, force)
    compared, division = _images(source, images)
    _check_quantization(suffix, quantization, calibration)
    network = _load(model, head)
    from keras_osnet import deploy
    from keras_osnet.runtime.read_metadata import files_of

    file = output if record is None else record.file_of(output, network.name)
    sidecars = [] if record is None else record.sidecar_paths(file)
    for each in (*map(file.with_name, files_of(file)), *sidecars):
        _check_new(each, force)
    with waiting(f"Exporting to {file} …"):
        report = deploy.export(
            network,
            output,
            target=target,
            quantization=quantization,
            calibration=calibration,
            pixel_range=pixel_range,
            dtype=dtype,
            layout=layout,
            channels=channels,
            names=names,
            normalize=not raw,
            batch=batch,
            labels=[line.strip() for line in labels if line.strip()] if labels else (),
            license=license or _license_of(model.weights),
            source=model.weights,
            images=compared,
            max_drop=max_drop,
        )
    if as_json:
        print_json(report.to_dict())
    else:
        print_facts([*report.table(), *([("protocol", division)] if division else [])])
        echo(f"\nWrote {file}, and these results to {file}.json")
        for sidecar in sidecars:
            echo(f"Wrote {sidecar}")
    if report.advice:
        warn(report.advice)


def _check_new(file: Path, force: bool) -> None:
    """Raise click.ClickException if a file exists that is not to be replaced."""
    if file.is_file() and not force:
        raise click.ClickException(f"{file} exists; give --force to replace it. Received: {file}")


def _images(source: PeopleSource, images: Path | None) -> tuple[Any, str]:
    """Return the images of the comparison, and which of them are queries and gallery.

    The images are people with identities, a folder, or None.
    """
    source.check_usage()
    if source.data is None:
        return images, ""
    if images is not None:
        raise click.UsageError("Give --images or --data, not both.")
    from keras_osnet.data import ReidDataset

    task = retrieval_task(source)
    ((query, gallery),) = task.splits
    people = ReidDataset(str(source.data), train=(), query=tuple(query), gallery=tuple(gallery))
    return people, task.division


def _check_quantization(suffix: str, quantization: str | None, calibration: Path | None) -> None:
    """Check the quantization before the network is built, as `keras_osnet.deploy.export` does."""
    if calibration is not None and quantization != "int8":
        raise click.UsageError("--calibration is for --quantization int8.")
    takers = suffixes_with(quantization)
    if suffix not in takers:
        raise click.UsageError(
            f"--quantization {quantization} is for {' and '.join(takers)}. Received: {suffix}"
        )
    if quantization == "int8" and calibration is None:
        raise click.UsageError("--quantization int8 needs --calibration DIR.")


def _load(model: ModelSource, head: str | None) -> "keras.Model":
    """Build the network of these weights, with its preprocessing inside."""
    checkpoint = model.open()
    if head is None:
        own = checkpoint.description.get("head")
        head = "attribute" if own == "attribute" else "embedding"
    return model.load(head, checkpoint=checkpoint)


def _license_of(weights: str | None) -> str | None:
    """Return the license of published weights, None for others."""
    from keras_osnet.weights import list_weights

    return next((each.license for each in list_weights() if each.tag == weights), None)


@click.command("convert")
@click.argument("source")
@click.argument("destination", type=click.Path(dir_okay=False, path_type=Path))
@options.width
@options.variant
@options.key
@click.option(
    "--head",
    type=click.Choice(["embedding", "classification"]),
    help="embedding leaves a classifier out. Default: classification if the source has one.",
)
@click.option(
    "--include-preprocessing",
    is_flag=True,
    help="Make a .keras model take RGB 0–255.",
)
@click.option("--force", is_flag=True, help="Replace DESTINATION if it exists.")
def convert(
    source: str,
    destination: Path,
    width: float | None,
    variant: str | None,
    key: str | None,
    head: str | None,
    include_preprocessing: bool,
    force: bool,
) -> None:
    """Convert weights between torch, safetensors and Keras.

    SOURCE is a file (a torch checkpoint, .safetensors, .keras or .weights.h5), a tag, or
    hf://owner/repo[/file][@revision]. DESTINATION is a file that ends in .pth, .pth.tar, .pyth,
    .pt, .safetensors, .keras or .weights.h5, which selects the format.

    \b
    keras-osnet convert osnet_x0_25_msmt17.pth osnet_x0_25.keras --head embedding
    keras-osnet convert msmt17 osnet_ain.safetensors --variant ain
    """
    # Checked before Keras starts; the library checks again, but its message does not name --force.
    if destination.exists() and not force:
        raise click.ClickException(
            f"{destination} exists; give --force to replace it. Received: {destination}"
        )
    import_keras()
    from keras_osnet.models import convert_file

    with waiting(f"Converting {source} …"):
        converted = convert_file(
            source,
            destination,
            width=width,
            variant=variant,
            key=key,
            head=head,
            include_preprocessing=include_preprocessing,
            overwrite=force,
        )
    holds = "embedding" if converted.classes is None else f"classifier of {converted.classes}"
    echo(f"Wrote {converted.path}: {converted.architecture}, {holds}")
    if converted.report is not None:
        echo("\n".join(f"  {line}" for line in str(converted.report).splitlines()))
