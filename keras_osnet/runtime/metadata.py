"""What an exported model takes and gives, as facts that travel inside its file."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keras_osnet import __version__
from keras_osnet._utils.checks import whole_number
from keras_osnet._utils.constants import MEAN, STD

FORMAT = 1
"""Version of the JSON that `to_json` writes; a reader refuses a newer one."""

KEY = "keras_osnet"
"""Where ONNX (`metadata_props`) and OpenVINO (`rt_info`) keep the description."""

TFLITE_DESCRIPTION = "keras_osnet.json"
TFLITE_LABELS = "labels.txt"
"""Files in the ZIP behind a TFLite flatbuffer; the labels are there for other readers."""

INPUT_DTYPES = ("uint8", "float32")
OUTPUT_KINDS = ("embedding", "classification", "attribute", "maps")
QUANTIZATIONS = (None, "float16", "dynamic", "int8")

_INPUT = ("dtype", "height", "width", "batch", "normalized_inside", "mean", "std")
_OUTPUT = ("kind", "dim", "l2_normalized", "labels")
_TOP = ("format", "name", "input", "output", "quantization", "licence", "source", "library_version")
_COLOURS = 3


@dataclass(frozen=True, kw_only=True)
class ModelMetadata:
    """What an exported model takes and gives, where it comes from and what may be done with it.

    Attributes:
        name: The model's, such as `osnet_x0_25`.
        input_dtype: Type of the image tensor (batch, height, width, 3), RGB: "uint8" or
            "float32".
        image_size: (height, width) of the images in pixels, None where any will do.
        batch: How many images the file takes at once: 1 or another fixed number, None for any.
        normalized_inside: True if the model takes RGB of 0–255, of either type. False if the
            caller normalises first: (pixel / 255 - mean) / std per channel, in float32.
        mean: Of red, green and blue in 0–1, whichever side normalises.
        std: The standard deviations, likewise.
        output_kind: "embedding" (batch, dim), "classification" (batch, dim) scores,
            "attribute" (batch, dim) probabilities, or "maps" (batch, height, width, dim).
        dim: Length of the output's last axis.
        l2_normalized: Whether the model scales its output to length 1.
        labels: Name of each class or attribute, in the order of the output; () if nobody named
            them.
        quantization: None (float32), "float16", "dynamic" (int8 weights) or "int8".
        licence: Of the weights, such as "MIT"; None if unknown.
        source: Where the weights come from; None if unknown.
        library_version: Of keras-osnet that wrote the file.

    Raises:
        ValueError: A field is not as above; the message names it.

    Example:
        >>> from keras_osnet.runtime import ModelMetadata
        >>> description = ModelMetadata(name="osnet_x0_25", image_size=(256, 128), dim=512)
        >>> ModelMetadata.from_json(description.to_json()) == description
        True
    """

    name: str
    dim: int
    image_size: tuple[int | None, int | None]
    input_dtype: str = "float32"
    batch: int | None = None
    normalized_inside: bool = True
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    output_kind: str = "embedding"
    l2_normalized: bool = False
    labels: tuple[str, ...] = ()
    quantization: str | None = None
    licence: str | None = None
    source: str | None = None
    library_version: str = __version__

    def __post_init__(self) -> None:
        for name in ("name", "library_version"):
            _check(isinstance(getattr(self, name), str), name, "text", getattr(self, name))
        for name in ("licence", "source"):
            value = getattr(self, name)
            _check(value is None or isinstance(value, str), name, "text or None", value)
        for name in ("normalized_inside", "l2_normalized"):
            value = getattr(self, name)
            _check(isinstance(value, bool), name, "true or false", value)
        for name, choices in (
            ("input_dtype", INPUT_DTYPES),
            ("output_kind", OUTPUT_KINDS),
            ("quantization", QUANTIZATIONS),
        ):
            value = getattr(self, name)
            _check(value in choices, name, f"one of {choices}", value)
        self._check_numbers()
        _check(
            isinstance(self.labels, tuple) and all(isinstance(one, str) for one in self.labels),
            "labels",
            "a tuple of texts",
            self.labels,
        )
        _check(
            len(self.labels) in (0, self.dim),
            "labels",
            f"as many as the output has numbers ({self.dim}), or none",
            f"{len(self.labels)} labels",
        )
        _check(
            self.normalized_inside or self.input_dtype == "float32",
            "input_dtype",
            "float32 where the caller normalises",
            self.input_dtype,
        )

    def _check_numbers(self) -> None:
        _check(_is_positive(self.dim), "dim", "a positive integer", self.dim)
        _check(
            self.batch is None or _is_positive(self.batch),
            "batch",
            "a positive integer or None",
            self.batch,
        )
        _check(
            isinstance(self.image_size, tuple)
            and len(self.image_size) == 2
            and all(side is None or _is_positive(side) for side in self.image_size),
            "image_size",
            "(height, width), each a positive integer or None",
            self.image_size,
        )
        for name in ("mean", "std"):
            values = getattr(self, name)
            _check(
                isinstance(values, tuple)
                and len(values) == _COLOURS
                and all(isinstance(one, int | float) and 0 <= one <= 1 for one in values)
                and (name == "mean" or all(values)),
                name,
                "three numbers of 0–1 (std: above 0)",
                values,
            )

    def to_json(self) -> str:
        """Return the description as JSON text, which `from_json` reads."""
        facts = dataclasses.asdict(self)
        height, width = facts.pop("image_size")
        facts |= {"dtype": facts.pop("input_dtype"), "height": height, "width": width}
        facts |= {"kind": facts.pop("output_kind"), "format": FORMAT}
        facts["input"] = {name: facts.pop(name) for name in _INPUT}
        facts["output"] = {name: facts.pop(name) for name in _OUTPUT}
        return json.dumps({name: facts[name] for name in _TOP}, indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "ModelMetadata":
        """Read what `to_json` wrote.

        Args:
            text: The JSON.

        Raises:
            ValueError: The text is not JSON, was written by a newer keras-osnet in a format that
                this one does not know, or a field is missing, unknown or of the wrong kind; the
                message names the field.
        """
        try:
            facts = json.loads(text)
        except ValueError as error:
            raise ValueError(
                f"The model's description is not JSON: {error}. Received: {text[:60]!r}"
            ) from error
        facts = _section(facts, "the description")
        _check_format(facts)
        _check_names(facts, _TOP, "the description")
        given = _section(facts["input"], "`input`")
        _check_names(given, _INPUT, "`input`")
        result = _section(facts["output"], "`output`")
        _check_names(result, _OUTPUT, "`output`")
        return cls(
            name=facts["name"],
            input_dtype=given["dtype"],
            image_size=(given["height"], given["width"]),
            batch=given["batch"],
            normalized_inside=given["normalized_inside"],
            mean=_as_tuple(given["mean"]),
            std=_as_tuple(given["std"]),
            output_kind=result["kind"],
            dim=result["dim"],
            l2_normalized=result["l2_normalized"],
            labels=_as_tuple(result["labels"]),
            quantization=facts["quantization"],
            licence=facts["licence"],
            source=facts["source"],
            library_version=facts["library_version"],
        )


def _check_format(facts: Mapping[str, Any]) -> None:
    number = whole_number(facts.get("format"))
    if number is None or number < 1:
        raise ValueError(
            "`format` of the model's description must be a whole number of at least 1. "
            f"Received: {facts.get('format')!r}"
        )
    if number > FORMAT:
        raise ValueError(
            f"The model's description has format {number}, and this keras-osnet {__version__} "
            f"reads up to {FORMAT}; install a newer one. "
            f"Received: a file of keras-osnet {facts.get('library_version')}"
        )


def _check_names(facts: Mapping[str, Any], wanted: tuple[str, ...], place: str) -> None:
    missing = [name for name in wanted if name not in facts]
    unknown = [name for name in facts if name not in wanted]
    if missing or unknown:
        raise ValueError(
            f"The fields of {place} are not those of a keras-osnet model. "
            f"Missing: {missing}. Unknown: {unknown}. Received: {list(facts)}"
        )


def _section(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{place} of a model must be a JSON object. Received: {value!r}")
    return value


def _as_tuple(value: Any) -> Any:
    """A list as a tuple; anything else is left to the checks of the class."""
    return tuple(value) if isinstance(value, list) else value


def _is_positive(value: Any) -> bool:
    return isinstance(value, int) and (whole_number(value) or 0) > 0


def _check(holds: bool, name: str, wanted: str, value: Any) -> None:
    if not holds:
        raise ValueError(f"`{name}` of a model's description must be {wanted}. Received: {value!r}")
