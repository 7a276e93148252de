"""Choosing the weights file of a repository on the Hub for a reference that names none."""

import warnings
from pathlib import Path

from keras_osnet.weights.file_formats import WEIGHTS_ENDINGS
from keras_osnet.weights.hub.client import WeightsUnavailableError, ask
from keras_osnet.weights.hub.reference import HubReference

_FIRST_CHOICE = "model.safetensors"


def choose_file(reference: HubReference) -> str:
    """Picks the weights file of a repository: "model.safetensors", or else the only one.

    Where the Hub cannot be asked, the files in the cache are all there is to choose from.

    Args:
        reference: The repository and revision.

    Returns:
        The file's path in the repository.

    Raises:
        ValueError: If the repository has no weights file, or several.
        WeightsUnavailableError: If the Hub cannot be asked and nothing is cached.
    """
    asked = True
    try:
        files = _list_files(reference)
    except WeightsUnavailableError:
        files = _list_cached_files(reference)
        if not files:
            raise
        asked = False
    choices = [file for file in files if file.endswith(WEIGHTS_ENDINGS)]
    if _FIRST_CHOICE in choices:
        return _FIRST_CHOICE
    if len(choices) != 1:
        others = [file for file in files if file not in choices]
        raise ValueError(
            f"Name the weights file of the repository {reference.repository}, as in "
            f'"hf://owner/repository/file": there is no "{_FIRST_CHOICE}", and not exactly one '
            f"other. Weights{'' if asked else ' in the cache'}: {', '.join(choices) or 'none'}. "
            f"Other files: {', '.join(others) or 'none'}. Received: {str(reference)!r}"
        )
    if not asked:
        # The repository may have others, and then this is not what is chosen with a network.
        warnings.warn(
            f"The Hub could not be asked which weights {reference} has. Taking the only ones "
            f"in the cache: {choices[0]}",
            stacklevel=3,
        )
    return choices[0]


def _list_files(reference: HubReference) -> list[str]:
    from huggingface_hub import HfApi, constants

    information = ask(
        lambda: HfApi().model_info(
            reference.repository,
            revision=reference.revision,
            timeout=constants.HF_HUB_ETAG_TIMEOUT,
        ),
        reference,
        patient=not _list_cached_files(reference),
    )
    return [sibling.rfilename for sibling in information.siblings or []]


def _list_cached_files(reference: HubReference) -> list[str]:
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE, "models--" + reference.repository.replace("/", "--"))
    revision = reference.revision or constants.DEFAULT_REVISION
    branch = folder / "refs" / revision
    commit = branch.read_text(encoding="utf-8") if branch.is_file() else revision
    snapshot = folder / "snapshots" / commit
    return sorted(
        path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file()
    )
