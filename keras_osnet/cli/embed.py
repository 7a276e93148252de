"""`keras-osnet embed`: compute an embedding of every image."""

import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from keras_osnet._utils.text import decode_text
from keras_osnet.cli import _bulk, options
from keras_osnet.cli.console import describe_unreadable, echo, progress, waiting, warn_unreadable
from keras_osnet.cli.options import ModelSource

if TYPE_CHECKING:
    import keras

    from keras_osnet.data.records import EmbeddedImages

_KERAS, _RAY = "keras", "ray"
_LONGEST_LIST = 1 << 28


@click.command("embed")
@click.argument("images", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--list",
    "listing",
    type=click.File("rb"),
    metavar="FILE",
    help="Text file with one image path per line, relative to the current folder; - is stdin.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    callback=_bulk.check_output,
    metavar="FILE.npz|DIR",
    help="A file ending in .npz for `vectors` (n, dim) float32 and `names` (n,), replaced if it "
    "exists; or a folder for a Parquet data set of any size.",
)
@_bulk.bulk_options
@options.model_options(
    text=f"{options.WEIGHTS} Or a file that `keras-osnet export` wrote (.tflite, .onnx, .xml), "
    "which needs no Keras."
)
@options.device
@options.pixel_range
@options.count(
    "--batch-size", "Images that Keras takes at once; needs --engine keras. Default: 32."
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "litert", "onnxruntime", "openvino", _KERAS, _RAY]),
    default="auto",
    show_default=True,
    help="Engine that runs the network. auto: one that takes the exported file; for weights "
    "LiteRT, or Keras where there is an accelerator, or where LiteRT or TensorFlow (which exports "
    "to it) is not installed. ray: auto, on a cluster (RAY_ADDRESS) or this machine, by Ray Data.",
)
@click.option(
    "--flip",
    is_flag=True,
    help="Average the vectors of images and mirror images, as `evaluate --flip` does; needs "
    "--engine keras.",
)
@click.option("--raw", is_flag=True, help="Do not scale vectors to length 1; needs --engine keras.")
@click.option("--strict", is_flag=True, help="Fail if an image cannot be read.")
def command(
    images: Sequence[Path],
    listing: BinaryIO | None,
    output: Path,
    model: ModelSource,
    device: str,
    pixel_range: str | None,
    batch_size: int | None,
    engine: str,
    flip: bool,
    raw: bool,
    strict: bool,
    bulk: _bulk.BulkOptions,
) -> None:
    """Compute a vector of length 1 for every image.

    IMAGES are folders or files. Those that cannot be read are named and left out of the file.

    With a folder as output, any number of crops, with memory for a few: of a folder of images, a
    list (.csv, .parquet) with the column path and any others, tar files in WebDataset form, or a
    video with --boxes. The columns are kept. --resume continues
    an interrupted run.

    \b
    keras-osnet embed crops --weights msmt17_combineall --output vectors.npz
    keras-osnet embed crops --weights model.tflite --output vectors.npz
    keras-osnet embed crops.csv --weights model.tflite --output vectors/
    """
    in_bulk = output.suffix != ".npz"
    if in_bulk:
        only_npz = {"--engine keras": engine == _KERAS, "--list": listing is not None}
        bulk.check_bulk(only_npz | {"--flip": flip, "--raw": raw, "--batch-size": bool(batch_size)})
    else:
        _refuse(_RAY, engine, "needs a folder as --output")
        bulk.check_file()
    keras_only = {"--flip": flip, "--raw": raw, "--batch-size": batch_size is not None}
    for name, given in keras_only.items():
        if given and engine != _KERAS:
            raise click.UsageError(f"{name} needs --engine keras.")
    files = [] if in_bulk else _files(images, listing)
    if model.exported is not None:
        _refuse(_KERAS, engine, "runs weights, not exported files")
        from keras_osnet.runtime import Embedder

        embedder: Any = Embedder(
            model.exported,
            engine="auto" if engine == _RAY else engine,
            device=device,
            image_size=model.image_size,
            pixel_range=pixel_range,
        )
    else:
        if pixel_range is not None:
            raise click.UsageError("--pixel-range is for exported files, not for weights.")
        if device != "auto":
            raise click.UsageError("--device is for exported files, not for weights.")
        for each in ("onnxruntime", "openvino", _RAY):
            _refuse(each, engine, "runs exported files; `keras-osnet export` writes them")
        unit = not raw
        # Mirror images are averaged before vectors are scaled, as `evaluate` does it.
        network = model.load("embedding", normalize=unit and not flip)
        embedder = _KerasEmbedder(network, batch_size or 32, flip=flip, normalize=unit and flip)
        if in_bulk or engine == "litert" or (engine == "auto" and _litert_is_better()):
            from keras_osnet.deploy import litert_embedder

            with waiting("Exporting to LiteRT …"):
                embedder = litert_embedder(network)
    if in_bulk:
        bulk.run(images, output, embedder, ray=engine == _RAY, strict=strict)
        return
    with progress("Embedding", len(files)) as advance:
        embedded = embedder.embed_files(files, progress=advance)
    if embedded.unreadable and (strict or not embedded.paths):
        problem = describe_unreadable(embedded.unreadable, len(files))
        raise click.ClickException(f"{problem}\nNothing was written.")
    embedded.save(output)
    warn_unreadable(embedded.unreadable, len(files))
    count, length = embedded.vectors.shape
    place = f" on {embedder.device}" if model.exported is not None else ""
    echo(f"Wrote {output}: {count} vectors of {length}, by {embedder.engine}{place}")


class _KerasEmbedder:
    """A Keras model with the interface of `keras_osnet.runtime.Embedder` that is used here."""

    engine = _KERAS

    def __init__(
        self, model: "keras.Model", batch_size: int, *, flip: bool, normalize: bool
    ) -> None:
        self.model, self.batch_size = model, batch_size
        self.flip, self.normalize = flip, normalize

    def embed_files(
        self, files: Sequence[Path], *, progress: Callable[[int], None]
    ) -> "EmbeddedImages":
        from keras_osnet.evaluation import embed_images
        from keras_osnet.metrics import normalize

        embedded = embed_images(
            self.model,
            files,
            batch_size=self.batch_size,
            flip=self.flip,
            skip_unreadable=True,
            progress=progress,
        )
        if self.normalize and embedded.paths:
            return replace(embedded, vectors=normalize(embedded.vectors))
        return embedded


def _refuse(engine: str, given: str, reason: str) -> None:
    if given == engine:
        raise click.UsageError(f"--engine {engine} {reason}.")


def _litert_is_better() -> bool:
    """Return whether LiteRT can run the network, and there is no accelerator."""
    installed = all(importlib.util.find_spec(each) for each in ("tensorflow", "ai_edge_litert"))
    return installed and not _has_accelerator()


def _has_accelerator() -> bool:
    import keras

    if keras.backend.backend() == "torch":  # which Keras lists no devices of
        import torch

        return torch.cuda.is_available()
    return any(not device.startswith("cpu") for device in keras.distribution.list_devices())


def _files(paths: Sequence[Path], listing: BinaryIO | None) -> list[Path]:
    from keras_osnet.data import list_images

    files: list[Path] = []
    for path in paths:
        files += list_images(path) if path.is_dir() else [path]
    if listing is not None:
        name = getattr(listing, "name", "the list")  # stdin may have none
        lines = re.split(r"\r\n?|\n", decode_text(listing.read(_LONGEST_LIST), name))
        files += [Path(line.strip()) for line in lines if line.strip()]
    if not files:
        raise click.UsageError("Name images or folders, or a text file with --list.")
    return files
