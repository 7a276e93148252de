"""The terms of the losses in recipes: their checks, and the losses that they stand for."""

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras

from keras_osnet.losses import (
    AdaptiveTripletLoss,
    AngleDistillation,
    ArcFace,
    BatchAllTripletLoss,
    BatchHardTripletLoss,
    CenterLoss,
    CircleLoss,
    CircleSoftmax,
    CosFace,
    CosineDistillation,
    DistanceDistillation,
    EntropyMaximization,
    LabelSmoothingSparseCrossentropy,
)

if TYPE_CHECKING:
    from keras_osnet.training.recipe import Recipe

_MARGIN_LOSSES: dict[str, Any] = {"cosface": CosFace, "arcface": ArcFace, "circle": CircleSoftmax}
"""Losses of the classifier that have a margin and a scale."""

_MINING: dict[str, type] = {
    "hard": BatchHardTripletLoss,
    "all": BatchAllTripletLoss,
    "adaptive": AdaptiveTripletLoss,
}

_OF_LABELS: dict[str, Any] = {
    "name": "softmax",
    "margin": None,
    "scale": None,
    "label_smoothing": 0.0,
    "entropy_weight": 0.0,
    "triplet_weight": 0.0,
    "triplet_margin": 0.3,
    "triplet_mining": "hard",
    "circle_weight": 0.0,
    "circle_margin": 0.25,
    "circle_scale": 64.0,
    "center_weight": 0.0,
    "center_rate": 0.5,
}
"""The terms of losses that need the people on the images."""

_OF_TEACHERS: dict[str, tuple[type[keras.losses.Loss], str]] = {
    "cosine_weight": (CosineDistillation, "cosine"),
    "distance_weight": (DistanceDistillation, "distance"),
    "angle_weight": (AngleDistillation, "angle"),
}
"""Losses that need a teacher's vectors, and the output of the network that each has."""

DISTILLATION_OUTPUTS = tuple(output for _, output in _OF_TEACHERS.values())

LOSS_TERMS: dict[str, dict[str, Any]] = {
    "reid": {**_OF_LABELS, "mutual": False},
    "distillation": {
        **dict.fromkeys(_OF_TEACHERS, 0.0),
        "projection": False,
        "label_weight": 0.0,
        **_OF_LABELS,
    },
    "attributes": {},
    "classification": {"label_smoothing": 0.0},
}
"""The terms of each task's loss, and their defaults; None is that of the loss called `name`."""

_CHOICES = {"name": ("softmax", *_MARGIN_LOSSES), "triplet_mining": tuple(_MINING)}

_LIMITS = {
    "label_smoothing": (0.0, 1.0),
    "scale": (1.0, math.inf),
    "circle_margin": (0.0, 1.0),
    "circle_scale": (1.0, math.inf),
    "center_rate": (0.0, 1.0),
}
"""Lowest and highest values of numbers, where they are not 0 and infinity."""


def wrong(source: str, key: str, wanted: str, value: Any) -> ValueError:
    """Return the error for a wrong entry of a recipe."""
    return ValueError(f"`{key}` of {source} must be {wanted}. Received: {value!r}")


def entry_error(source: str, table: str, message: str) -> ValueError:
    """Return the error of an argument as that of the recipe's entry which gave its value."""
    name = re.match(r"`(\w+)`", message)
    if name is None:
        return ValueError(f"`{table}` of {source}: {message}")
    return ValueError(f"`{table}.{name[1]}` of {source}{message[name.end() :]}")


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number that float32 can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e38


def check_loss(source: str, task: str, table: Mapping[str, Any]) -> None:
    """Raise ValueError for a wrong term in the table `loss` of a recipe."""
    known = LOSS_TERMS[task]
    unknown = set(table) - set(known)
    if unknown:
        terms = ", ".join(known) or "nothing"
        raise wrong(source, "loss", f"made of {terms} ({task})", sorted(unknown))
    name = table.get("name", "softmax")
    for key, value in table.items():
        if key in _CHOICES:
            if not isinstance(value, str) or value not in _CHOICES[key]:
                raise wrong(source, f"loss.{key}", f"one of {', '.join(_CHOICES[key])}", value)
        elif isinstance(known[key], bool):
            if not isinstance(value, bool):
                raise wrong(source, f"loss.{key}", "true or false", value)
        elif not (key == "triplet_margin" and value == "soft"):
            low, high = _LIMITS.get(key, (0.0, math.inf))
            if key == "margin" and name in _MARGIN_LOSSES:
                high = _MARGIN_LOSSES[name].largest_margin
            if not is_number(value) or not low <= value <= high:
                limits = f"of at least {low:g}" if math.isinf(high) else f"from {low:g} to {high:g}"
                soft = ', or "soft"' if key == "triplet_margin" else ""
                raise wrong(source, f"loss.{key}", f"a number {limits}{soft}", value)
    _check_together(source, name, table)
    if task == "distillation" and not any(table.get(key) for key in _OF_TEACHERS):
        wanted = f"made of at least one of {', '.join(_OF_TEACHERS)}, above 0"
        raise wrong(source, "loss", wanted, dict(table))


def _check_together(source: str, name: str, table: Mapping[str, Any]) -> None:
    for key in ("margin", "scale"):
        if key in table and name == "softmax":
            wanted = f"left out unless `loss.name` is one of {', '.join(_MARGIN_LOSSES)}"
            raise wrong(source, f"loss.{key}", wanted, table[key])
    if table.get("entropy_weight") and name != "softmax":
        wanted = f'0 with `loss.name = "{name}"`'
        raise wrong(source, "loss.entropy_weight", wanted, table["entropy_weight"])
    if table.get("circle_weight") and table.get("triplet_weight"):
        wanted = "0 with a `loss.triplet_weight`: one loss compares the embeddings of a batch"
        raise wrong(source, "loss.circle_weight", wanted, table["circle_weight"])


def check_batch_size(
    source: str, task: str, table: Mapping[str, Any], batch_size: int | tuple[int, int]
) -> None:
    """Raise ValueError for batches in which a loss of a recipe has nothing to compare.

    Args:
        source: The recipe's name or file.
        task: Its task.
        table: Its table `loss`, checked.
        batch_size: Images in a batch; or (people, images of each).
    """
    people, each = batch_size if isinstance(batch_size, tuple) else (batch_size, 1)
    learns_labels = task == "reid" or table.get("label_weight")
    for key, loss in (("triplet_weight", "the triplet loss"), ("circle_weight", "the Circle loss")):
        if learns_labels and table.get(key) and min(people, each) < 2:
            wanted = f"(people, images of each), two or more, for {loss}, which compares them"
            raise wrong(source, "batch_size", wanted, batch_size)
    if isinstance(batch_size, tuple) and not learns_labels and task != "classification":
        wanted = "a number of images: nothing says who is on them"
        raise wrong(source, "batch_size", wanted, batch_size)
    for key, least in (("distance_weight", 2), ("angle_weight", 3)):
        if table.get(key) and people * each < least:
            wanted = f"at least {least} images for `loss.{key}`, which compares those of a batch"
            raise wrong(source, "batch_size", wanted, batch_size)


def classifier_scale(recipe: "Recipe") -> float | None:
    """Return the scale of the cosine classifier that a recipe's loss needs; None for a dense one.

    Args:
        recipe: Of the task `"reid"`.
    """
    name = recipe.loss_term("name")
    return None if name == "softmax" else _margin_loss(recipe, name).scale


def reid_losses(recipe: "Recipe") -> dict[str, tuple[Any, float]]:
    """Return the losses of re-identification and their weights.

    Args:
        recipe: Of the task `"reid"`.

    Returns:
        By the output that they apply to: `"logits"`; `"embedding"`, before a neck, for one that
        compares embeddings; and `"center"`, for which there is the class `CenterLoss`, to be made
        with the layer of each network.
    """
    name = recipe.loss_term("name")
    smoothing, entropy = recipe.loss_term("label_smoothing"), recipe.loss_term("entropy_weight")
    identity: keras.losses.Loss
    if name != "softmax":
        identity = _margin_loss(recipe, name)
    elif entropy:
        identity = EntropyMaximization(entropy, label_smoothing=smoothing, from_logits=True)
    else:
        identity = LabelSmoothingSparseCrossentropy(smoothing, from_logits=True)
    losses: dict[str, tuple[Any, float]] = {"logits": (identity, 1.0)}
    if recipe.loss_term("triplet_weight"):
        triplet = _MINING[recipe.loss_term("triplet_mining")](recipe.loss_term("triplet_margin"))
        losses["embedding"] = (triplet, recipe.loss_term("triplet_weight"))
    elif recipe.loss_term("circle_weight"):
        circle = CircleLoss(recipe.loss_term("circle_margin"), recipe.loss_term("circle_scale"))
        losses["embedding"] = (circle, recipe.loss_term("circle_weight"))
    if recipe.loss_term("center_weight"):
        losses["center"] = (CenterLoss, recipe.loss_term("center_weight"))
    return losses


def distillation_losses(recipe: "Recipe") -> dict[str, tuple[Any, float]]:
    """Return the losses of distillation and their weights, by the output that they apply to.

    Those of labels are among them, as `reid_losses` has them, if the recipe has a `label_weight`.

    Args:
        recipe: Of the task `"distillation"`.
    """
    losses = {
        output: (loss(), recipe.loss_term(term))
        for term, (loss, output) in _OF_TEACHERS.items()
        if recipe.loss_term(term)
    }
    share = recipe.loss_term("label_weight")
    if share:
        losses |= {name: (loss, share * each) for name, (loss, each) in reid_losses(recipe).items()}
    return losses


def _margin_loss(recipe: "Recipe", name: str) -> Any:
    """Return a margin loss; margin and scale that the recipe does not have are the loss's own."""
    given = {key: recipe.loss[key] for key in ("margin", "scale") if key in recipe.loss}
    smoothing = recipe.loss_term("label_smoothing")
    return _MARGIN_LOSSES[name](**given, label_smoothing=smoothing)
