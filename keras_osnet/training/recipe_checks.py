"""What may stand in a recipe."""

from collections.abc import Collection, Mapping
from typing import Any

import keras

from keras_osnet._utils.checks import whole_number
from keras_osnet.data import augmentation
from keras_osnet.data.batches import Step
from keras_osnet.optimizers.amsgrad import AMSGrad
from keras_osnet.optimizers.coupled_weight_decay import CoupledSGD

OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {"sgd": CoupledSGD, "amsgrad": AMSGrad}

LOSS: dict[str, dict[str, Any]] = {
    "reid": {
        "label_smoothing": 0.0,
        "entropy_weight": 0.0,
        "triplet_weight": 0.0,
        "triplet_margin": 0.3,
        "mutual": False,
    },
    "attributes": {},
    "classification": {"label_smoothing": 0.0},
}
"""What each task's loss can be made of, and what counts if a recipe does not say."""

_SCHEDULES = {"constant": set(), "multi_step": {"milestones", "factor"}, "cosine": set()}
"""Each schedule's own numbers."""

_NEEDED = {"task", "epochs", "batch_size", "optimizer", "schedule"}


def checked_entries(
    source: str, entries: Mapping[str, Any], known: Collection[str]
) -> dict[str, Any]:
    """Return a recipe's entries, with tuples for pairs, if all of them make sense.

    Args:
        source: The file, or the recipe's name, for errors.
        entries: As they are read from TOML.
        known: Names that there may be.

    Raises:
        ValueError: If one does not; the message names it.
    """
    for problem, keys in (
        ("does not know", set(entries) - set(known)),
        ("lacks", _NEEDED - set(entries)),
    ):
        if keys:
            raise ValueError(f"A recipe {problem} {', '.join(sorted(keys))}. Received: {source}")
    entries = dict(entries)
    for key in ("optimizer", "schedule", "loss", "model"):
        if not isinstance(entries.get(key, {}), Mapping):
            raise _wrong(source, key, "a table", entries[key])
    steps = entries.get("augmentation", ())
    if not isinstance(steps, list | tuple) or not all(isinstance(one, Mapping) for one in steps):
        raise _wrong(source, "augmentation", "a list of tables", steps)
    if entries["task"] not in LOSS:
        raise _wrong(source, "task", f"one of {', '.join(LOSS)}", entries["task"])
    _whole(source, "epochs", entries["epochs"], least=1)
    _whole(source, "fixbase_epochs", entries.get("fixbase_epochs", 0), least=0)
    if entries.get("fixbase_epochs", 0) > entries["epochs"]:
        raise _wrong(
            source, "fixbase_epochs", f"at most {entries['epochs']} (`epochs`)",
            entries["fixbase_epochs"],
        )  # fmt: skip
    validation_fraction = entries.get("validation_fraction", 0.0)
    if not _is_number(validation_fraction) or not 0 <= validation_fraction < 1:
        raise _wrong(
            source, "validation_fraction", "a number from 0 to below 1", validation_fraction
        )
    entries["batch_size"] = _batch_size(source, entries["batch_size"])
    if "resize" in entries:
        entries["resize"] = _pair(source, "resize", entries["resize"])
    _check_optimizer(source, entries["optimizer"])
    _check_schedule(source, entries["schedule"])
    _check_loss(source, entries["task"], entries.get("loss", {}))
    for entry in steps:
        try:
            make_step(entry)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`augmentation` of {source} has a wrong step: {error}. Received: {entry!r}"
            ) from error
    entries["augmentation"] = tuple(steps)
    _check_triplets(source, entries)
    return entries


def make_step(entry: Mapping[str, Any]) -> Step:
    """Return the step of the augmentation that an entry describes."""
    name = entry.get("name")
    if name not in augmentation.HOMES or name == "Normalize":
        names = ", ".join(each for each in augmentation.HOMES if each != "Normalize")
        raise ValueError(f"`name` must be one of {names}")
    # TOML has lists where steps have tuples.
    arguments = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in entry.items()
        if key != "name"
    }
    return getattr(augmentation, name)(**arguments)


def _check_optimizer(source: str, table: Mapping[str, Any]) -> None:
    if table.get("name") not in OPTIMIZERS:
        names = ", ".join(OPTIMIZERS)
        raise _wrong(source, "optimizer.name", f"one of {names}", table.get("name"))
    rate = table.get("learning_rate")
    if rate is None or not _is_number(rate) or rate <= 0:
        raise _wrong(source, "optimizer.learning_rate", "a number above 0", rate)
    arguments = {key: value for key, value in table.items() if key != "name"}
    try:
        OPTIMIZERS[table["name"]](**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`optimizer` of {source}: {error}") from error


def _check_schedule(source: str, table: Mapping[str, Any]) -> None:
    name = table.get("name")
    if name not in _SCHEDULES:
        raise _wrong(source, "schedule.name", f"one of {', '.join(_SCHEDULES)}", name)
    if set(table) - {"name"} != _SCHEDULES[name]:
        wanted = ", ".join(sorted(_SCHEDULES[name])) or "nothing else"
        raise _wrong(source, f"schedule ({name})", f"made of {wanted}", dict(table))
    if name == "multi_step":
        milestones, factor = table["milestones"], table["factor"]
        if not isinstance(milestones, list) or not all(_is_whole(each, 0) for each in milestones):
            raise _wrong(source, "schedule.milestones", "a list of epochs", milestones)
        if not _is_number(factor) or factor <= 0:
            raise _wrong(source, "schedule.factor", "a number above 0", factor)


def _check_loss(source: str, task: str, table: Mapping[str, Any]) -> None:
    unknown = set(table) - set(LOSS[task])
    if unknown:
        terms = ", ".join(LOSS[task]) or "nothing"
        raise _wrong(source, "loss", f"made of {terms} ({task})", sorted(unknown))
    for key, value in table.items():
        if isinstance(LOSS[task][key], bool):
            if not isinstance(value, bool):
                raise _wrong(source, f"loss.{key}", "true or false", value)
        elif not _is_number(value) or value < 0:
            raise _wrong(source, f"loss.{key}", "a number of at least 0", value)


def _check_triplets(source: str, entries: Mapping[str, Any]) -> None:
    if entries.get("loss", {}).get("triplet_weight") and not isinstance(
        entries["batch_size"], tuple
    ):
        raise _wrong(
            source,
            "batch_size",
            "(people, pictures of each) for the triplet loss, which compares pictures of one "
            "person",
            entries["batch_size"],
        )


def _batch_size(source: str, value: Any) -> int | tuple[int, int]:
    if isinstance(value, list | tuple):
        return _pair(source, "batch_size", value)
    _whole(source, "batch_size", value, least=1)
    return value


def _pair(source: str, key: str, value: Any) -> tuple[int, int]:
    pair = isinstance(value, list | tuple) and len(value) == 2
    if not pair or not all(_is_whole(each, 1) for each in value):
        raise _wrong(source, key, "two positive integers", value)
    return value[0], value[1]


def _whole(source: str, key: str, value: Any, least: int) -> None:
    if not _is_whole(value, least):
        raise _wrong(source, key, f"an integer of at least {least}", value)


def _is_whole(value: Any, least: int) -> bool:
    number = whole_number(value)
    return number is not None and number >= least


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong(source: str, key: str, wanted: str, value: Any) -> ValueError:
    return ValueError(f"`{key}` of {source} must be {wanted}. Received: {value!r}")
