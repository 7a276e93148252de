"""The table `model` of recipes: its keys and their check."""

import os
from collections.abc import Mapping
from typing import Any

from keras_osnet._utils.checks import check_image_size
from keras_osnet.architecture.configuration import Configuration
from keras_osnet.training.loss_terms import entry_error, wrong

FREE = ("pooling", "neck", "mean", "std")
"""Arguments of `OSNet` without weights, or with few: a value of earlier training does not bind."""

NETWORK = tuple(
    name
    for name in Configuration.names(of_weights=True)
    if name not in ("variant", "width", "classifier_scale", *FREE)
)
"""Arguments of `OSNet` that weights depend on, besides variant and width."""

_KNOWN = ("variant", "width", *FREE, *NETWORK, "image_size", "weights")


def check_model(source: str, table: Mapping[str, Any]) -> None:
    """Check the table `model` of a recipe.

    Args:
        source: The recipe's name or file, for errors.
        table: The table.

    Raises:
        ValueError: A key or a value is wrong; the message names it.
    """
    unknown = sorted(set(table) - set(_KNOWN))
    if unknown:
        raise wrong(source, "model", f"made of {', '.join(_KNOWN)}", unknown)
    if not isinstance(table.get("weights"), str | os.PathLike | None):
        raise wrong(source, "model.weights", "a text", table["weights"])
    given = {key: value for key, value in table.items() if value is not None}
    arguments = {key: given[key] for key in given if key not in ("image_size", "weights")}
    try:
        if "image_size" in given:
            check_image_size(table["image_size"])
            arguments["input_shape"] = (*table["image_size"], 3)
        Configuration(**arguments, head="embedding", include_preprocessing=True)
    except (TypeError, ValueError) as error:
        message = str(error).replace("`input_shape`", "`image_size`")
        raise entry_error(source, "model", message) from error
