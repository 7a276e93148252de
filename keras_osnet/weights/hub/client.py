"""Asking the Hub through its client, and saying what to do when it does not help."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from keras_osnet.weights.hub.reference import HubReference

# A Hub that answers, but is too busy, is asked again after these seconds.
_BUSY = (408, 429, 500, 502, 503, 504)
_PAUSES = (1.0, 2.0, 4.0)

_Answer = TypeVar("_Answer")


class WeightsUnavailableError(OSError):
    """The weights are neither in the cache nor to be had from the Hub."""


def ask(question: Callable[[], _Answer], reference: HubReference, *, patient: bool) -> _Answer:
    """Asks the Hub something.

    Args:
        question: The call of the client.
        reference: What is wanted from the Hub in the end.
        patient: Whether to ask a few times over if the Hub is busy. A Hub that cannot be reached
            at all is never asked again.

    Returns:
        What the call returns.

    Raises:
        WeightsUnavailableError: In place of the client's error, which is its `__cause__`.
    """
    from huggingface_hub.errors import HfHubHTTPError

    with explained(reference):
        for pause in _PAUSES if patient else ():
            try:
                return question()
            except HfHubHTTPError as problem:
                if problem.response.status_code not in _BUSY:
                    raise
            time.sleep(pause)
        return question()


@contextmanager
def explained(reference: HubReference) -> Iterator[None]:
    """Turns the Hub client's failures inside the block into one error with the ways on.

    Failures of this machine, such as a full disk, pass through: they explain themselves.

    Args:
        reference: What is wanted from the Hub.

    Raises:
        WeightsUnavailableError: In place of the client's error, which is its `__cause__`.
    """
    try:
        yield
    except Exception as problem:
        # A forced download wraps whatever went wrong in a ValueError.
        inner = problem.__cause__ if isinstance(problem, ValueError) else None
        if not isinstance(inner, Exception):
            inner = problem
        if not _is_of_the_hub(inner):
            raise
        raise unavailable(reference, _what_happened(reference, inner)) from inner


def unavailable(reference: HubReference, what_happened: str) -> WeightsUnavailableError:
    """Builds the error that says what was wanted, what happened and what can be done.

    Args:
        reference: What was wanted from the Hub.
        what_happened: A sentence, without a full stop.

    Returns:
        The error, to be raised.
    """
    from huggingface_hub import constants

    return WeightsUnavailableError(
        f"Could not get {reference.file or 'the list of files'} of the repository "
        f"{reference.repository} at revision {reference.revision or 'main'} from "
        f"{constants.ENDPOINT}: {what_happened}. Ways on: run this once where there is a network, "
        f"and the file is then found in the cache ({constants.HF_HUB_CACHE}); set HF_ENDPOINT to "
        "a mirror of the Hub; set HF_TOKEN for a private or gated repository; give the path of a "
        "local file as `weights=`; or build the model without weights, with `weights=None`. "
        f"Received: {reference}"
    )


def _is_of_the_hub(problem: Exception) -> bool:
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    # The HTTP library's base class, whichever library this version of the client is built on.
    http_error = HfHubHTTPError.__bases__[0]
    # Not JSON: something else than a Hub answered, such as the login page of a network.
    if isinstance(problem, (http_error, EntryNotFoundError, json.JSONDecodeError)):
        return True
    # The client raises a bare OSError for a transfer that broke off; those of the operating
    # system (disk full, no permission) carry a number. RuntimeError is how hf_xet fails.
    return isinstance(problem, (RuntimeError, ConnectionError, TimeoutError)) or (
        isinstance(problem, OSError) and problem.errno is None
    )


def _what_happened(reference: HubReference, problem: BaseException) -> str:
    from huggingface_hub import constants, errors

    if isinstance(problem, errors.LocalEntryNotFoundError) and problem.__cause__ is not None:
        # The client's "not in the cache either": why it looked there is the cause.
        problem = problem.__cause__
    status = getattr(getattr(problem, "response", None), "status_code", None)
    if isinstance(problem, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, and it is not in the cache"
    if isinstance(problem, errors.GatedRepoError):
        return (
            f"the repository is gated (HTTP {status}); ask for access on "
            f"{constants.ENDPOINT}/{reference.repository}, and set HF_TOKEN to a token of the "
            "account that has it"
        )
    if isinstance(problem, errors.RepositoryNotFoundError):
        return (
            f"there is no such repository (HTTP {status}), or it is private and HF_TOKEN is not "
            "set to a token that has access"
        )
    if isinstance(problem, errors.RevisionNotFoundError):
        return f"the repository has no such revision (HTTP {status})"
    if isinstance(problem, errors.RemoteEntryNotFoundError):
        return f"there is no such file at that revision (HTTP {status})"
    if status in (401, 403):
        return f"access was denied (HTTP {status}); HF_TOKEN is wrong or has no access"
    if status is not None:
        return f"the endpoint answered with HTTP {status}"
    return (
        "the endpoint could not be reached, is not a Hub, or the transfer broke off "
        f"({type(problem).__name__}: {problem})"
    )
