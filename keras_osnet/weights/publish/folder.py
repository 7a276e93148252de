"""A folder ready for the Hugging Face Hub; `push` sends it."""

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

import keras_osnet
from keras_osnet._utils.constants import MEAN, STD
from keras_osnet.architecture.describe import describe_model
from keras_osnet.weights.catalogue import WeightsInfo
from keras_osnet.weights.convert import to_torchreid
from keras_osnet.weights.publish.card import Origin, build_model_card, check_jinja
from keras_osnet.weights.safetensors import save_safetensors

WEIGHTS, CARD, CONFIGURATION, LICENSE = ("model.safetensors", "README.md", "config.json", "LICENSE")

LIBRARY = "keras-osnet"
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_PREPROCESSING = {
    "channels": "RGB",
    "range": [0, 255],
    "interpolation": "bilinear",
    "antialias": True,
    "normalization": "(pixel / 255 - mean) / std",
    "mean": list(MEAN),
    "std": list(STD),
}


def save_for_hub(
    model: keras.Model,
    folder: str | os.PathLike[str],
    *,
    license: str,
    trained_on: str,
    base: WeightsInfo | str | None,
    metrics: Mapping[str, Mapping[str, float | str]] | None = None,
    description: str | None = None,
) -> Path:
    """Write a folder ready for the Hub: weights, configuration and model card.

    - `model.safetensors`: the weights under torchreid's names, which torch reads too.
    - `config.json`: the arguments of `keras_osnet.OSNet` that rebuild the model (see
      `describe_model`), what its input is, and the digest of the weights.
    - `README.md`: the model card, under the model's name. Read it, and edit it if need be: `push`
      sends it as it then is, with its repository in place of "owner/repository".

    A `LICENSE` beside them, which derived weights may have to carry, is yours to add; `push` sends
    it too. The folder appears whole or not at all. If it holds an earlier output of this function,
    the three files are replaced, the configuration last; whatever else is in it stays.

    Args:
        model: An OSNet, of the name that the card is to have.
        folder: Folder to write, new or empty or written by this function.
        license: The Hub's identifier of the license of the weights: "mit", "apache-2.0",
            "cc-by-nc-4.0", …, or "other", whose terms `description` has to state.
        trained_on: The training set, several joined with "+": a tag as the catalogue has it
            ("market1501", "msmt17+cuhk03"), a dataset of the Hub ("owner/name") or your own name.
        base: What the weights derive from: a `WeightsInfo` of the catalogue, a reference
            ("hf://owner/repository"), or a sentence. None states that they were trained from
            random initial values.
        metrics: Measured figures in per cent by test set, with their conditions as text, such as
            `{"market1501": {"rank_1": 94.2, "mAP": 82.6, "metric": "cosine"}}`. None states that
            there are none.
        description: Markdown of your own for the top of the card: how the weights were trained,
            and the command that measured the figures.

    Returns:
        The folder.

    Raises:
        ValueError: The model is not one that `keras_osnet.OSNet` builds, or an argument is wrong.
        FileExistsError: The folder holds something else.
        FileNotFoundError: There is no folder to write it in.
        ImportError: jinja2 or safetensors is not installed.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.weights import save_for_hub
        >>> save_for_hub(
        ...     keras_osnet.OSNet(0.25, head="embedding", weights="market1501"),
        ...     "osnet_x0_25_market1501",
        ...     license="mit",
        ...     trained_on="market1501",
        ...     base=keras_osnet.weights.find_checkpoint("market1501", variant="base", width=0.25),
        ... )  # doctest: +SKIP
    """
    check_jinja()
    arguments = describe_model(model)
    origin = Origin(license, trained_on, base, metrics or {}, description)
    target = Path(folder).resolve()
    _check_target(target)
    # Beside the folder, so that renaming moves it and copies nothing.
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    temporary.mkdir()
    try:
        weights = temporary / WEIGHTS
        save_safetensors(model, weights)
        configuration = {
            "library": LIBRARY,
            "version": keras_osnet.__version__,
            "model": arguments,
            "preprocessing": {
                **_PREPROCESSING,
                "inside_model": arguments["include_preprocessing"],
            },
            "weights": {
                "file": WEIGHTS,
                "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
                "size": weights.stat().st_size,
                "parameters": sum(
                    tensor.size
                    for name, tensor in to_torchreid(model).items()
                    if not name.endswith(_STATISTICS)
                ),
            },
        }
        card = build_model_card(model.name, origin, configuration)
        (temporary / CARD).write_text(card, "utf-8", newline="\n")
        (temporary / CONFIGURATION).write_text(_json(configuration), "utf-8", newline="\n")
        if target.exists():
            # The configuration last: until then its digest is not that of the new weights, and
            # `push` refuses what an interruption leaves.
            for name in (WEIGHTS, CARD, CONFIGURATION):
                (temporary / name).replace(target / name)
        else:
            temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Path(folder)


def read_folder(folder: str | os.PathLike[str]) -> dict[str, bytes]:
    """Return what is to be sent of a folder of `save_for_hub`, after a check that it is whole.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: The folder is not one of `save_for_hub`, or its weights were changed.
    """
    folder = Path(folder)
    missing = [name for name in (WEIGHTS, CARD, CONFIGURATION) if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"`folder` must be one that save_for_hub has written: {', '.join(missing)} missing, "
            f"and nothing was sent. Received: {folder}"
        )
    expected = _read_configuration(folder).get("weights", {}).get("sha256")
    present = [
        name for name in (WEIGHTS, CARD, CONFIGURATION, LICENSE) if (folder / name).is_file()
    ]
    files = {name: (folder / name).read_bytes() for name in present}
    found = hashlib.sha256(files[WEIGHTS]).hexdigest()
    if found != expected:
        raise ValueError(
            f"{folder / WEIGHTS} is not the file that {CONFIGURATION} and {CARD} were written for, "
            f"and nothing was sent. Prepare the folder anew. Expected: SHA-256 {expected}. "
            f"Received: {found}"
        )
    return files


def _check_target(folder: Path) -> None:
    if not folder.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {folder.parent} to write {folder.name} to")
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    try:
        _read_configuration(folder)
    except (OSError, ValueError) as error:
        raise FileExistsError(
            "`folder` must be new, empty or an earlier output of save_for_hub. "
            f"Received: {folder}, which holds something else"
        ) from error


def _read_configuration(folder: Path) -> dict[str, Any]:
    path = folder / CONFIGURATION
    try:
        configuration = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(configuration, dict) or configuration.get("library") != LIBRARY:
        raise ValueError(f"{path} was not written by save_for_hub of {LIBRARY}")
    return configuration


def _json(configuration: Mapping[str, Any]) -> str:
    text = json.dumps(configuration, indent=2)
    # Lists on one line; JSON has no line breaks inside of texts.
    return re.sub(r"\[\n[^\[\]]+\]", _on_one_line, text) + "\n"


def _on_one_line(match: re.Match[str]) -> str:
    return json.dumps(json.loads(match[0]))
