"""Write a folder for the Hugging Face Hub, and push it."""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from keras_osnet._utils import optional
from keras_osnet._utils.checks import path_of
from keras_osnet._utils.constants import MEAN, STD
from keras_osnet._utils.files import check_folder_of, read_json, temporary_folder
from keras_osnet.architecture.describe import describe
from keras_osnet.version import __version__
from keras_osnet.weights.catalogue import WeightsInfo
from keras_osnet.weights.convert import to_torchreid
from keras_osnet.weights.hub_client import in_one_line
from keras_osnet.weights.hub_reference import PREFIX, parse_hub_reference
from keras_osnet.weights.model_card import REPOSITORY, Origin, build_model_card
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


class PublishError(OSError):
    """The Hub did not accept a folder, or could not be reached."""


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
    - `config.json`: the arguments of `keras_osnet.OSNet` that rebuild the model, its input, and the
      digest of the weights.
    - `README.md`: the model card, under the model's name. Read it, and edit it if need be:
      `push_to_hub` sends it as it then is, with its repository in place of "owner/repository".

    A `LICENSE` beside them, which derived weights may have to carry, is yours to add;
    `push_to_hub` sends it too. The folder appears whole or not at all. If it holds an earlier
    output of this function, the three files are replaced, the configuration last; whatever else is
    in it stays.

    Args:
        model: An OSNet, of the name that the card is to have.
        folder: Folder to write, new or empty or written by this function.
        license: The Hub's identifier of the license of the weights: "mit", "apache-2.0",
            "cc-by-nc-4.0", …, or "other", whose terms `description` has to state.
        trained_on: The training set, several joined with "+": a tag as the catalogue has it
            ("market1501", "msmt17+cuhk03"), a dataset of the Hub ("owner/name") or your own name.
        base: Weights that these derive from: a `WeightsInfo` of the catalogue, a reference
            ("hf://owner/repository"), or a sentence. None states that they were trained from
            random initial values.
        metrics: Measured figures in percent by test set, with their conditions as text, such as
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
        >>> from keras_osnet.weights.catalogue import find_weights
        >>> save_for_hub(
        ...     keras_osnet.OSNet(0.25, head="embedding", weights="market1501"),
        ...     "osnet_x0_25_market1501",
        ...     license="mit",
        ...     trained_on="market1501",
        ...     base=find_weights("market1501", variant="base", width=0.25),
        ... )  # doctest: +SKIP
    """
    optional.check_installed("jinja2", "Writing a model card", "publish")
    arguments = describe(model)
    origin = Origin(license, trained_on, base, metrics or {}, description)
    target = path_of("folder", folder).resolve()
    _check_target(target)
    with temporary_folder(target) as temporary:
        weights = temporary / WEIGHTS
        save_safetensors(model, weights)
        configuration = {
            "library": LIBRARY,
            "version": __version__,
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
            # `push_to_hub` refuses the files of an interrupted call.
            for name in (WEIGHTS, CARD, CONFIGURATION):
                (temporary / name).replace(target / name)
        else:
            temporary.rename(target)
    return Path(folder)


def push_to_hub(
    folder: str | os.PathLike[str],
    repository: str,
    *,
    revision: str | None = None,
    private: bool = False,
    token: str | None = None,
    message: str | None = None,
) -> str:
    """Push a folder of `save_for_hub` to the Hub, as one commit.

    Before anything is sent, the folder is checked: nothing is missing, and the weights are those
    that the configuration was written for. The checked files are pushed, and no others that may
    be in the folder. The repository is created if it does not exist.

    Args:
        folder: The folder.
        repository: The repository, as "owner/name".
        revision: An existing branch to commit to. None is the main branch.
        private: Make the repository private. One that exists and is public is refused.
        token: A token with the right to write. None takes that of HF_TOKEN or `hf auth login`.
        message: The message of the commit.

    Returns:
        The address of the commit.

    Raises:
        FileNotFoundError: A file is missing from the folder.
        ValueError: The folder is not one of `save_for_hub` or its weights were changed, or
            `repository` is not of its form.
        PublishError: The Hub refused, or could not be reached; the message says what to do.
    """
    reference = parse_hub_reference(f"{PREFIX}{repository}")
    if reference.repository != repository:
        raise ValueError(f'`repository` must be "owner/name". Received: {repository!r}')
    files = _read_folder(folder)
    files[CARD] = files[CARD].replace(REPOSITORY.encode(), repository.encode())

    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(token=token, library_name=LIBRARY, library_version=__version__)
    with _explained(repository, revision):
        api.create_repo(repository, private=private, exist_ok=True)
        is_public = private and not api.model_info(repository).private
    if is_public:
        raise PublishError(
            f"Could not push to the repository {repository}: it exists and is public, but "
            f"`private=True` was asked for. Received: repository={repository!r}"
        )
    with _explained(repository, revision):
        commit = api.create_commit(
            repository,
            [CommitOperationAdd(name, content) for name, content in files.items()],
            revision=revision,
            commit_message=message or f"Upload weights with {LIBRARY} {__version__}",
        )
    return commit.commit_url


@contextlib.contextmanager
def _explained(repository: str, revision: str | None) -> Iterator[None]:
    """Raise `PublishError` for the client's failures, whose own tracebacks say nothing more."""
    from huggingface_hub import constants

    try:
        yield
    except Exception as error:  # of any class, if an answer is not what the client expects
        raise PublishError(
            f"Could not push to the repository {repository} on {constants.ENDPOINT}: "
            f"{in_one_line(error)} To write, log in with `hf auth login`, set HF_TOKEN or give "
            "`token=`; a branch must exist. "
            f"Received: repository={repository!r}, revision={revision!r}"
        ) from None


def _read_folder(folder: str | os.PathLike[str]) -> dict[str, bytes]:
    """Return the files of a folder of `save_for_hub` to push, after a check that it is whole."""
    folder = Path(folder)
    missing = [name for name in (WEIGHTS, CARD, CONFIGURATION) if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"`folder` must be one that save_for_hub has written: {', '.join(missing)} missing, "
            f"and nothing was sent. Received: {folder}"
        )
    recorded = _read_configuration(folder).get("weights")
    expected = recorded.get("sha256") if isinstance(recorded, dict) else None
    present = [
        name for name in (WEIGHTS, CARD, CONFIGURATION, LICENSE) if (folder / name).is_file()
    ]
    files = {name: (folder / name).read_bytes() for name in present}
    found = hashlib.sha256(files[WEIGHTS]).hexdigest()
    if found != expected:
        raise ValueError(
            f"{folder / WEIGHTS} is not the file that {CONFIGURATION} and {CARD} were written for, "
            f"and nothing was sent. Call save_for_hub again. Expected: SHA-256 {expected}. "
            f"Received: {found}"
        )
    return files


def _check_target(folder: Path) -> None:
    check_folder_of(folder)
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
    configuration = read_json(folder / CONFIGURATION)
    if configuration.get("library") != LIBRARY:
        raise ValueError(f"{folder / CONFIGURATION} was not written by save_for_hub of {LIBRARY}")
    return configuration


def _json(configuration: Mapping[str, Any]) -> str:
    text = json.dumps(configuration, indent=2)
    # Lists on one line; JSON has no line breaks inside of texts.
    return re.sub(r"\[\n[^\[\]]+\]", _on_one_line, text) + "\n"


def _on_one_line(match: re.Match[str]) -> str:
    return json.dumps(json.loads(match[0]))
