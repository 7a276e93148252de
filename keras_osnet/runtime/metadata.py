"""Metadata of an exported model: its input, its output and its origin, stored inside the file."""

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet import __version__
from keras_osnet._utils.checks import whole_number
from keras_osnet._utils.constants import CHANNELS, DTYPES, LAYOUTS, MEAN, PIXEL_RANGES, STD
from keras_osnet.runtime.threshold import Threshold

FORMAT = 4
"""Version of the JSON that `to_json` writes; readers reject every other one."""

KEY = "keras_osnet"
"""Where ONNX (`metadata_props`) and OpenVINO (`rt_info`) keep the metadata."""

TFLITE_METADATA = "keras_osnet.json"
TFLITE_LABELS = "labels.txt"
"""Files in the ZIP archive behind a TFLite flatbuffer; the labels are for other readers."""

NO_DIGEST = "0" * 64
"""Where the digest stands in a file while it is computed."""

MOST_PIXELS = 8192
"""Longest side of an image: a hostile file could ask for any memory."""

OUTPUT_KINDS = ("embedding", "classification", "attribute", "maps")
QUANTIZATIONS = (None, "float16", "dynamic", "int8")

_INPUT = (
    *("pixel_range", "dtype", "layout", "channels", "height", "width", "batch", "mean", "std"),
)
_OUTPUT = ("kind", "dim", "l2_normalized", "labels")
_OWN = ("quantization", "license", "source", "library_version", "digest", "weights_digest")
_TOP = ("format", "name", "input", "output", *_OWN)
_THRESHOLD = "threshold"
"""The only field that a file may lack: it is written when one has been chosen."""


def _is_positive(value: Any) -> bool:
    return isinstance(value, int) and (whole_number(value) or 0) > 0


def _is_text(value: Any) -> bool:
    """Return whether a value is text that can be printed; a lone surrogate cannot."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def _is_text_or_none(value: Any) -> bool:
    return value is None or _is_text(value)


def _is_digest(value: Any) -> bool:
    return value is None or (isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{64}", value)))


def _are_shares(values: Any) -> bool:
    """Return whether a value is three numbers of 0–1."""
    return (
        isinstance(values, tuple)
        and len(values) == 3
        and all(isinstance(one, int | float) and 0 <= one <= 1 for one in values)
    )


def _is_size(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and all(side is None or (_is_positive(side) and side <= MOST_PIXELS) for side in value)
    )


_RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "name": ("text", _is_text),
    "dim": ("a positive integer", _is_positive),
    "image_size": (f"(height, width), each of 1–{MOST_PIXELS} or None", _is_size),
    "pixel_range": (f"one of {PIXEL_RANGES}", PIXEL_RANGES.__contains__),
    "dtype": (f"one of {DTYPES}", DTYPES.__contains__),
    "layout": (f"one of {LAYOUTS}", LAYOUTS.__contains__),
    "channels": (f"one of {CHANNELS}", CHANNELS.__contains__),
    "batch": ("a positive integer or None", lambda one: one is None or _is_positive(one)),
    "mean": ("three numbers of 0–1", _are_shares),
    "std": ("three numbers of 0–1, above 0", lambda std: _are_shares(std) and all(std)),
    "output_kind": (f"one of {OUTPUT_KINDS}", OUTPUT_KINDS.__contains__),
    "l2_normalized": ("true or false", lambda one: isinstance(one, bool)),
    "labels": (
        "a tuple of texts",
        lambda labels: isinstance(labels, tuple) and all(map(_is_text, labels)),
    ),
    "quantization": (f"one of {QUANTIZATIONS}", QUANTIZATIONS.__contains__),
    "license": ("text or None", _is_text_or_none),
    "source": ("text or None", _is_text_or_none),
    "library_version": ("text", _is_text),
    "threshold": ("a Threshold or None", lambda one: isinstance(one, Threshold | None)),
    "digest": ("64 hexadecimal digits or None", _is_digest),
    "weights_digest": ("64 hexadecimal digits or None", _is_digest),
}
"""Valid values of each field, in words and as a check."""


@dataclass(frozen=True, kw_only=True)
class ModelMetadata:
    """Input and output of an exported model, its origin and its license.

    Attributes:
        name: Name of the model, such as `osnet_x0_25`.
        dim: Length of the output's last axis.
        image_size: (height, width) of the images in pixels, None where any is accepted.
        pixel_range: Range of the images: "0-255", "0-1", or "normalized", which is
            (pixel / 255 - mean) / std per channel. `to_input` converts pixels of 0–255.
        dtype: Type of the image tensor: "uint8" or "float32"; "float32" for "0-1" and
            "normalized".
        layout: Of the image tensor: "NHWC" (batch, height, width, 3) or "NCHW" (batch, 3, height,
            width).
        channels: Order of the image tensor's colors: "RGB" or "BGR".
        batch: Number of images that the file takes at once, None for any.
        mean: Of red, green and blue in 0–1, whether the file or the caller normalizes.
        std: The standard deviations, likewise.
        output_kind: "embedding" (batch, dim), "classification" (batch, dim) scores,
            "attribute" (batch, dim) probabilities, or "maps" (batch, height, width, dim).
        l2_normalized: Whether the model scales its output to length 1.
        labels: Name of each class or attribute, in the order of the output; () if there are none.
        quantization: None (float32), "float16", "dynamic" (int8 weights) or "int8".
        license: Of the weights, such as "MIT"; None if unknown.
        source: Where the weights come from; None if unknown.
        library_version: Version of keras-osnet that wrote the file.
        threshold: The similarity above which two images show the same person, which
            `keras-osnet threshold` writes; only for embeddings. None if there is none.
        digest: SHA-256 of the file, computed with zeros in place of the digest; of a `.tflite`, of
            the flatbuffer and this metadata. None outside of a file. Not compared.
        weights_digest: SHA-256 of OpenVINO's `.bin`; None for other files. Not compared.

    Raises:
        ValueError: A field is not as above; the message names it.

    Example:
        >>> from keras_osnet.runtime.metadata import ModelMetadata
        >>> metadata = ModelMetadata(name="osnet_x0_25", image_size=(256, 128), dim=512)
        >>> ModelMetadata.from_json(metadata.to_json()) == metadata
        True
    """

    name: str
    dim: int
    image_size: tuple[int | None, int | None]
    pixel_range: str = "0-255"
    dtype: str = "float32"
    layout: str = "NHWC"
    channels: str = "RGB"
    batch: int | None = None
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    output_kind: str = "embedding"
    l2_normalized: bool = False
    labels: tuple[str, ...] = ()
    quantization: str | None = None
    license: str | None = None
    source: str | None = None
    library_version: str = __version__
    threshold: Threshold | None = None
    digest: str | None = field(default=None, compare=False)
    weights_digest: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name, (wanted, holds) in _RULES.items():
            value = getattr(self, name)
            if not holds(value):
                raise _wrong(name, wanted, repr(value))
        if len(self.labels) not in (0, self.dim):
            wanted = f"as many as the output has numbers ({self.dim}), or none"
            raise _wrong("labels", wanted, f"{len(self.labels)} labels")
        if self.pixel_range != "0-255" and self.dtype != "float32":
            wanted = f'"float32" for the pixel range "{self.pixel_range}"'
            raise _wrong("dtype", wanted, repr(self.dtype))

        if self.threshold is not None and self.output_kind != "embedding":
            raise _wrong("threshold", "None but for embeddings", self.output_kind)

    def to_input(self, pixels: NDArray[np.uint8]) -> NDArray:
        """Convert pixels of 0–255 to the image tensor that the model takes.

        Args:
            pixels: Array (n, height, width, 3), uint8, RGB.

        Returns:
            Array in the range, layout and order of colors of the file; float32, but uint8 for
            "0-255", whatever `dtype` is. It may be a view of `pixels`.
        """
        values: NDArray = pixels
        if self.pixel_range != "0-255":
            values = pixels.astype(np.float32) / 255.0
        if self.pixel_range == "normalized":
            values = (values - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        if self.channels == "BGR":
            values = values[..., ::-1]
        return values.transpose(0, 3, 1, 2) if self.layout == "NCHW" else values

    def to_json(self) -> str:
        """Return the metadata as JSON text, which `from_json` reads."""
        facts = dataclasses.asdict(self)
        threshold = facts.pop("threshold")
        facts["height"], facts["width"] = facts.pop("image_size")
        facts |= {"kind": facts.pop("output_kind"), "format": FORMAT}
        facts["input"] = {name: facts.pop(name) for name in _INPUT}
        facts["output"] = {name: facts.pop(name) for name in _OUTPUT}
        top = {name: facts[name] for name in _TOP}
        if threshold is not None:
            top[_THRESHOLD] = threshold
        return json.dumps(top, indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "ModelMetadata":
        """Read JSON text that `to_json` wrote.

        Args:
            text: The JSON.

        Raises:
            ValueError: The text is not JSON, has the format of another version of keras-osnet, or
                a field is missing, unknown or of the wrong kind; the message names the field.
        """
        try:
            facts = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"The model's metadata is not JSON: {error}. Received: {text[:60]!r}"
            ) from error
        facts = _section(facts, "the metadata")
        _check_format(facts)
        facts = dict(facts)
        threshold = facts.pop(_THRESHOLD, None)
        _check_names(facts, _TOP, "the metadata")
        given = dict(_section(facts["input"], "`input`"))
        _check_names(given, _INPUT, "`input`")
        result = dict(_section(facts["output"], "`output`"))
        _check_names(result, _OUTPUT, "`output`")
        return cls(
            name=facts["name"],
            image_size=(given.pop("height"), given.pop("width")),
            mean=_as_tuple(given.pop("mean")),
            std=_as_tuple(given.pop("std")),
            output_kind=result.pop("kind"),
            labels=_as_tuple(result.pop("labels")),
            threshold=None if threshold is None else Threshold.from_facts(threshold),
            **given,
            **result,
            **{name: facts[name] for name in _OWN},
        )


def _check_format(facts: Mapping[str, Any]) -> None:
    number = whole_number(facts.get("format"))
    if number is None or number < 1:
        raise ValueError(
            "`format` of the model's metadata must be a whole number of at least 1. "
            f"Received: {facts.get('format')!r:.100}"
        )
    if number != FORMAT:
        cure = "export the model again" if number < FORMAT else "install a newer keras-osnet"
        raise ValueError(
            f"The model's metadata has format {number}, and keras-osnet {__version__} reads "
            f"format {FORMAT}; {cure}. "
            f"Received: a file of keras-osnet {facts.get('library_version')!s:.100}"
        )


def _check_names(facts: Mapping[str, Any], wanted: tuple[str, ...], place: str) -> None:
    missing = [name for name in wanted if name not in facts]
    unknown = [name for name in facts if name not in wanted]
    if missing or unknown:
        raise ValueError(
            f"The fields of {place} are not those of a keras-osnet model. "
            f"Missing: {missing}. Unknown: {unknown!s:.100}. Received: {list(facts)!s:.300}"
        )


def _section(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{place} of a model must be a JSON object. Received: {value!r:.100}")
    return value


def _as_tuple(value: Any) -> Any:
    """Return a list as a tuple; anything else is left to the checks of the class."""
    return tuple(value) if isinstance(value, list) else value


def _wrong(name: str, wanted: str, received: str) -> ValueError:
    return ValueError(f"`{name}` of a model's metadata must be {wanted}. Received: {received:.200}")
