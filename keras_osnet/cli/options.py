"""Options that several commands share, and the model that they describe."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from keras_osnet.cli.console import import_keras, waiting, warn
from keras_osnet.deploy.formats import FORMATS

if TYPE_CHECKING:
    import keras

    from keras_osnet.models.load_model import Checkpoint

_Command = TypeVar("_Command", bound=Any)

RANDOM = "random"
"""Value of `--weights` for a model with random weights."""

WEIGHTS = (
    "A tag (see `keras-osnet weights`), a file, or hf://owner/repo[/file][@revision]; "
    f'"{RANDOM}" for an untrained model.'
)

EXPORTED = tuple(FORMATS)
"""Suffixes of exported models."""

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class FiniteFloatRange(click.FloatRange):
    """A number in a range. click compares NaN with the limits, which excludes nothing."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return float(number)


def count(name: str, text: str, default: int | None = None, *, metavar: str = "N") -> Any:
    """Return an option of a positive number."""
    return click.option(
        name,
        type=click.IntRange(min=1),
        default=default,
        metavar=metavar,
        show_default=default is not None,
        help=text,
    )


width = click.option(
    "--width",
    type=float,
    help="Width multiplier: 1.0, 0.75, 0.5 or 0.25. Default: that of the file; 1.0 for a tag.",
)

variant = click.option(
    "--variant",
    type=click.Choice(["base", "ibn", "ain"]),
    help="Default: that of the file; base for a tag.",
)

key = click.option(
    "--key",
    metavar="PLACE",
    help="Which network of a file that holds several, such as ema or state_dict.student.",
)

metric = click.option(
    "--metric",
    type=click.Choice(["cosine", "euclidean"]),
    default="cosine",
    show_default=True,
    help="Distance between embeddings.",
)

batch_size = count("--batch-size", "Images per batch.", 32)

pixel_range = click.option(
    "--pixel-range",
    type=click.Choice(["0-255", "0-1", "normalized"]),
    help="Range of the input of an exported file that was not written by keras-osnet.",
)

device = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="Device that runs an exported file: cpu, cuda, cuda:1, tensorrt, directml, coreml, or "
    "OpenVINO's name, such as openvino:GPU. auto: a GPU where a package of onnxruntime for CUDA or "
    "DirectML is installed and works, otherwise the CPU.",
)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")

images = click.argument(
    "images", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)


def image_size(text: str, default: tuple[int, int] | None = (256, 128)) -> Any:
    """Return an option `--image-size HEIGHT WIDTH`."""
    return click.option(
        "--image-size",
        type=click.IntRange(min=1),
        nargs=2,
        metavar="H W",
        default=default,
        show_default=default is not None,
        help=text,
    )


input_size = image_size(
    "Height and width that images are resized to. Default: those of the model in the file, "
    "else 256 128.",
    default=None,
)


@dataclass(frozen=True)
class ModelSource:
    """A model as the options --weights, --width, --variant and --image-size describe it.

    Attributes:
        weights: Tag, file or Hub address; `RANDOM` or None for an untrained model.
        width: Width multiplier; None takes the file's own.
        variant: None takes the file's own.
        image_size: (height, width); None takes the file's own.
        key: Place of the network in a file that holds several.
    """

    weights: str | None = None
    width: float | None = None
    variant: str | None = None
    image_size: tuple[int, int] | None = None
    key: str | None = None

    @property
    def exported(self) -> Path | None:
        """The file if it is an exported model, which stores its width and variant, else None.

        Raises:
            click.UsageError: --width, --variant or --key was given for it.
        """
        if self.weights is None or not self.weights.endswith(EXPORTED):
            return None
        if any(each is not None for each in (self.width, self.variant, self.key)):
            raise click.UsageError(
                "--width, --variant and --key are for weights, not for exported files."
            )
        return Path(self.weights)

    def open(self) -> "Checkpoint":
        """Find and read the weights.

        Raises:
            ValueError: As for `keras_osnet.load_model`.
            OSError: They cannot be read or downloaded.
        """
        import_keras()
        from keras_osnet.models.load_model import open_checkpoint

        with waiting(f"Loading {self.weights} …"):
            return open_checkpoint(
                self.weights or "", width=self.width, variant=self.variant, key=self.key
            )

    def load(
        self,
        head: str | None = None,
        *,
        checkpoint: "Checkpoint | None" = None,
        normalize: bool = False,
        include_preprocessing: bool = True,
    ) -> "keras.Model":
        """Build the model.

        Args:
            head: As for `keras_osnet.OSNet`; None takes the file's own.
            checkpoint: The weights if `open` has read them already.
            normalize: Scale embeddings to length 1.
            include_preprocessing: Make the model take RGB 0–255.

        Raises:
            ValueError: The weights do not fit, or lack the classifier that the head needs.
            OSError: They cannot be read or downloaded.
        """
        settings: dict[str, Any] = {
            "normalize": normalize,
            "include_preprocessing": include_preprocessing,
        }
        if checkpoint is None and self.weights in (None, RANDOM):
            import_keras()
            from keras_osnet.models import OSNet

            if self.weights == RANDOM:
                warn(f"--weights {RANDOM}: the model is untrained, its outputs mean nothing.")
            return OSNet(
                1.0 if self.width is None else self.width,
                variant=self.variant or "base",
                head=head or "embedding",
                input_shape=None if self.image_size is None else (*self.image_size, 3),
                **settings,
            )
        checkpoint = checkpoint or self.open()
        size = self.image_size
        if size is None and head in ("embedding", "attribute"):
            size = checkpoint.embedding_size
        return checkpoint.build(head=head, image_size=size, **settings)[0]


def model_options(
    *, text: str = WEIGHTS, required: bool = True, several: bool = False, sized: bool = True
) -> Callable[[_Command], _Command]:
    """Give a command --weights, --width, --variant, --key and --image-size.

    It gets them as `model`, a `ModelSource`, or as `models`, one for each --weights.

    Args:
        text: Help of --weights.
        required: Whether --weights is.
        several: Whether --weights can be given several times.
        sized: Whether to give --image-size.
    """

    def decorate(command: _Command) -> _Command:
        @functools.wraps(command)
        def with_model(
            *arguments: Any,
            weights: Any,
            width: float | None,
            variant: str | None,
            key: str | None,
            image_size: tuple[int, int] | None = None,
            **others: Any,
        ) -> Any:
            sources = [
                ModelSource(each, width, variant, image_size, key)
                for each in (weights if several else [weights])
            ]
            given = {"models": sources} if several else {"model": sources[0]}
            return command(*arguments, **given, **others)

        wrapped: Any = with_model
        asked = click.option(
            "--weights", required=required, multiple=several, metavar="TAG|FILE", help=text
        )
        for option in ([input_size] if sized else []) + [key, variant, width, asked]:
            wrapped = option(wrapped)
        return wrapped

    return decorate
