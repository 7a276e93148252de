"""Convert weights between torchreid state dicts and Keras models."""

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np

from keras_osnet._utils.text import shorten
from keras_osnet._utils.warn_user import warn_user
from keras_osnet.architecture.naming import (
    GEM,
    NECK,
    SCALE,
    NamedVariable,
    classes_in,
    describe_tensors,
    named_variables,
)
from keras_osnet.layers.cosine_classifier import CosineClassifier
from keras_osnet.weights.state_dict import StateDict, shown

_CLASSIFIER = ("classifier.weight", "classifier.bias")
_EMBEDDING = "fc."
_BATCH_COUNT = "num_batches_tracked"


@dataclass(frozen=True)
class ConversionReport:
    """Report of the tensors that were loaded, skipped and missing.

    Attributes:
        used: Names of the tensors that were copied into the model.
        skipped: Names of those that were not, each with the reason.
        missing: Names of the tensors that the checkpoint lacks, whose variables keep their values.
            Only those of the classifier, a neck and GeM can be.
        place: Keys and prefix that the network was found under in the checkpoint, joined with
            dots, such as "state_dict.module"; empty at the top.
    """

    used: tuple[str, ...]
    skipped: Mapping[str, str]
    missing: tuple[str, ...]
    place: str = ""

    def __str__(self) -> str:
        reasons: dict[str, int] = {}
        for reason in self.skipped.values():
            reasons[reason] = reasons.get(reason, 0) + 1
        lines = [f"{len(self.used)} tensors used"]
        if self.place:
            lines[0] += f", from {self.place!r} in the source"
        lines += [f"{count} skipped: {reason}" for reason, count in reasons.items()]
        if self.missing:
            lines.append(f"{len(self.missing)} kept their values: {', '.join(self.missing)}")
        return "\n".join(lines)


def load_state_dict(model: keras.Model, state: StateDict) -> ConversionReport:
    """Copy a network that has been read into a model; see `keras_osnet.weights.load_torchreid`."""
    tensors = state.tensors
    targets = {entry.name: entry for entry in named_variables(model, to_assign=True)}
    skipped: dict[str, str] = {
        name: "batch counts, which Keras does not keep"
        for name in tensors
        if name.endswith(f".{_BATCH_COUNT}") and name not in targets
    }
    if not any(name.startswith(_EMBEDDING) for name in targets):
        skipped |= {
            name: "the embedding's layers, which the model does not have"
            for name in tensors
            if name.startswith(_EMBEDDING)
        }
    if SCALE in tensors:
        skipped[SCALE] = "the scale of the classifier, which is an argument of the model"
    if not any(layer.name in ("embedding", "features") for layer in model.layers):
        skipped |= {
            name: "the head, which the model does not have"
            for name in tensors
            if name == GEM or name.startswith(NECK)
        }
    # What is added to a published network starts fresh, and with a neck its classifier.
    fresh: dict[str, tuple[str, list[str]]] = {}
    for part, prefix in (("pooling exponent", GEM), ("neck", NECK)):
        names = [name for name in targets if name.startswith(prefix)]
        if names and not any(name.startswith(prefix) for name in tensors):
            fresh[part] = (f"the checkpoint has no {part}", names)
    own = _own_classes(targets)
    difference = why_classifier_differs(classes_in(tensors), own)
    if not difference and own is not None:
        difference = _why_classifier_is_of_another_kind(model, targets, tensors)
    if difference:
        skipped |= {name: difference for name in _CLASSIFIER if name in tensors}
        fresh["classifier"] = (difference, [name for name in _CLASSIFIER if name in targets])
    missing = tuple(name for _, names in fresh.values() for name in names)
    targets = {name: entry for name, entry in targets.items() if name not in missing}

    _check(model, targets, tensors, skipped)
    for name, entry in targets.items():
        entry.variable.assign(entry.to_keras(tensors[name]))

    if missing:
        warn_fresh(model.name, {part: why for part, (why, names) in fresh.items() if names})
    warn_not_finite(model, {name: tensors[name] for name in targets})
    skipped |= dict.fromkeys(state.beside, f"beside the network in {state.place!r}")
    return ConversionReport(tuple(targets), skipped, missing, state.place)


def to_torchreid(model: keras.Model) -> dict[str, np.ndarray]:
    """Return a model's weights as a torchreid state dict.

    The reverse of `load_torchreid`, bit by bit. The batch counts that torch keeps beside every
    batch norm are 0; torch does not use them unless its momentum is None.

    Args:
        model: A model of `keras_osnet.OSNet`.

    Returns:
        Names to float32 arrays (int64 for batch counts), in torchreid's order and layout, ready for
        `write_torch_checkpoint`.

    Raises:
        ValueError: The model is not an OSNet.
    """
    tensors: dict[str, np.ndarray] = {}
    for entry in named_variables(model):
        tensors[entry.name] = entry.to_torch()
        if entry.name.endswith(".running_var"):
            count = entry.name.replace("running_var", _BATCH_COUNT)
            tensors[count] = np.zeros((), "int64")
    for layer in model.layers:
        if isinstance(layer, CosineClassifier):
            tensors[SCALE] = np.array(layer.scale, "float32")
    return tensors


def why_classifier_differs(stored: int | None, wanted: int | None) -> str | None:
    """Return how the classes of a checkpoint and of a model differ, or None if they agree.

    Arguments are None without a classifier.
    """
    if stored == wanted:
        return None
    if stored is None:
        return f"the checkpoint has no classifier, the model one of {wanted} classes"
    if wanted is None:
        return f"the checkpoint has a classifier of {stored} classes, the model none"
    return f"the checkpoint's classifier has {stored} classes, the model's {wanted}"


def warn_fresh(model: str, reasons: Mapping[str, str]) -> None:
    """Warn that parts of a model, each with the reason, keep their initial values."""
    *rest, last = reasons
    parts = f"{', '.join(rest)} and {last}" if rest else last
    verbs = "were not loaded and keep their" if rest else "was not loaded and keeps its"
    warn_user(f"The {parts} of {model} {verbs} initial values: {'; '.join(reasons.values())}.")


def _why_classifier_is_of_another_kind(
    model: keras.Model, targets: Mapping[str, NamedVariable], tensors: Mapping[str, np.ndarray]
) -> str | None:
    """Return how two classifiers of the same number of classes differ, or None."""
    neck = f"{NECK}weight"
    kinds = {
        "a neck before it": (neck in tensors, neck in targets),
        "cosines for logits": (
            SCALE in tensors,
            any(isinstance(layer, CosineClassifier) for layer in model.layers),
        ),
    }
    for what, (stored, own) in kinds.items():
        if stored != own:
            has, lacks = ("checkpoint", "model") if stored else ("model", "checkpoint")
            return f"the {has}'s classifier has {what}, the {lacks}'s has not"
    return None


def warn_not_finite(model: keras.Model, tensors: Mapping[str, np.ndarray] | None = None) -> None:
    """Warn of weights that are NaN or infinite, with the names of the first.

    Args:
        model: The model that was loaded.
        tensors: Its weights by name; None for its variables.
    """
    if tensors is None:
        tensors = {each.path: np.asarray(each) for each in model.variables}
    names = [name for name, tensor in tensors.items() if not np.isfinite(tensor).all()]
    if names:
        warn_user(
            f"The weights of {model.name} are not finite (NaN or infinite), so its results will "
            f"not be: {shorten(names, 5)}."
        )


def _own_classes(targets: Mapping[str, NamedVariable]) -> int | None:
    classifier = targets.get(_CLASSIFIER[0])
    return None if classifier is None else classifier.torch_shape[0]


def _check(
    model: keras.Model,
    targets: Mapping[str, NamedVariable],
    tensors: Mapping[str, np.ndarray],
    skipped: Mapping[str, str],
) -> None:
    differences = [f"{name}: not in the checkpoint" for name in targets if name not in tensors]
    differences += [
        f"{shown(name)}: not in the model"
        for name in tensors
        if name not in targets and name not in skipped
    ]
    for name, entry in targets.items():
        if name in tensors and tensors[name].shape != entry.torch_shape:
            differences.append(
                f"{name}: {tensors[name].shape} in the checkpoint, {entry.torch_shape} in the model"
            )
    if not differences:
        return
    lines = "\n".join(f"  {difference}" for difference in differences[:20])
    more = f"\n  … and {len(differences) - 20} more" if len(differences) > 20 else ""
    raise ValueError(
        f"The checkpoint does not fit {model.name}, and nothing was loaded: it holds "
        f"{describe_tensors(tensors)}. What differs:\n{lines}{more}\n"
        f"Received: {len(tensors)} tensors"
    )
