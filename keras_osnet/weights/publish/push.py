"""Sending a published folder to the Hugging Face Hub."""

import os

import keras_osnet
from keras_osnet.weights.hub.reference import PREFIX, parse_hub_reference
from keras_osnet.weights.publish.card import REPOSITORY
from keras_osnet.weights.publish.folder import CARD, LIBRARY, read_folder


class PublishError(OSError):
    """The Hub did not take a folder, or could not be reached."""


def push(
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
    that the configuration was written for. What was checked is what is sent, and nothing else that
    may lie in the folder. The repository is created if need be.

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
    files = read_folder(folder)
    files[CARD] = files[CARD].replace(REPOSITORY.encode(), repository.encode())

    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi(token=token, library_name=LIBRARY, library_version=keras_osnet.__version__)
    # The HTTP library's base class, whichever library the client is built on. All files are read
    # by now, so an OSError is the network's; malformed answers are ValueErrors.
    failures: tuple[type[BaseException], ...] = (
        HfHubHTTPError.__bases__[0],
        OSError,
        RuntimeError,
        ValueError,
    )
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        if private and not api.model_info(repository).private:
            raise _refused(repository, "it exists and is public, but `private=True` was asked for")
        commit = api.create_commit(
            repository,
            [CommitOperationAdd(name, content) for name, content in files.items()],
            revision=revision,
            commit_message=message or f"Upload weights with {LIBRARY} {keras_osnet.__version__}",
        )
    except PublishError:
        raise
    except failures as error:
        raise _refused(repository, _what_happened(error, revision)) from error
    return commit.commit_url


def _refused(repository: str, what_happened: str) -> PublishError:
    from huggingface_hub import constants

    return PublishError(
        f"Could not push to the repository {repository} on {constants.ENDPOINT}: {what_happened}. "
        f"Received: repository={repository!r}"
    )


def _what_happened(error: BaseException, revision: str | None) -> str:
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", None)
    owner = "a token of an account that may write to it"
    login = "log in with `hf auth login`, set HF_TOKEN or give `token=`"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set; unset it"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"it has no branch {revision!r} (HTTP {status}); create it first"
    if status == 401:
        return f"you are not logged in, or the token is wrong (HTTP 401); {login}, with {owner}"
    if status == 403:
        return f"the token does not have the right to write there (HTTP 403); {login}, with {owner}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"there is no such repository, or the token cannot see it (HTTP {status}); {login}"
    if status is not None:
        said = getattr(error, "server_message", None)
        return f"the Hub answered with HTTP {status}" + (f", saying {said!r}" if said else "")
    return (
        "it could not be reached, is not a Hub, or the transfer broke off "
        f"({type(error).__name__}: {error})"
    )
