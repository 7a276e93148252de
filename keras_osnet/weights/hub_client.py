"""Requests to the Hugging Face Hub by its own client, bounded in size and in time.

`huggingface_hub.hf_hub_download` takes the name of the file that it writes from the server's answer
and neither limits what it receives nor for how long. An endpoint or a proxy that lies could thus
overwrite any file, fill the disk or keep the program waiting. So the requests are the client's
(its settings, token, redirects and errors), but the answers are read here.
"""

import contextlib
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from keras_osnet._utils.files import parse_json
from keras_osnet.weights.file_formats import LARGEST_FILE

_Result = TypeVar("_Result")

COMMIT = re.compile(r"[0-9a-f]{40}")
DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
"""The Hub identifies a large (LFS) file by its SHA-256, any other by its git blob id."""

_OPAQUE_ETAG = re.compile(r"[\w-]{1,128}", re.ASCII)
_LISTING_LIMIT = 64 << 20
_SLOWEST = 1000
"""Bytes a second below which a transfer is given up."""
# Seconds after which to retry if the Hub answers that it is busy.
_BUSY = (408, 429, 500, 502, 503, 504)
_PAUSES = (1.0, 2.0, 4.0)


@dataclass(frozen=True)
class RemoteFile:
    """What the Hub tells of a file: the commit, and digest and size where it tells them."""

    commit: str
    digest: str | None
    size: int | None


def ask_for_file(repository: str, file: str, revision: str | None, *, patient: bool) -> RemoteFile:
    """Ask the Hub for commit, digest and size of a file.

    Args:
        repository: The repository, as "owner/name".
        file: The path of the file in it.
        revision: A branch, tag or commit; None for the main branch.
        patient: Ask again if the Hub is busy.

    Raises:
        Exception: See `is_of_the_hub`. Also for commits and ETags that are none: the client would
            use them as paths in its cache.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import FileMetadataError

    url = hf_hub_url(repository, file, revision=revision)
    timeout = constants.HF_HUB_ETAG_TIMEOUT
    told = _ask(lambda: get_hf_file_metadata(url, timeout=timeout), timeout, patient=patient)
    if told.commit_hash is None:
        raise FileMetadataError("The endpoint tells no commit, as a Hub does.")
    if not COMMIT.fullmatch(told.commit_hash):
        raise FileMetadataError(f"The endpoint tells a commit that is none: {told.commit_hash!r}")
    if told.etag is not None and not _OPAQUE_ETAG.fullmatch(told.etag):
        raise FileMetadataError(f"The endpoint tells an ETag that is no digest: {told.etag!r}")
    digest = told.etag if told.etag and DIGEST.fullmatch(told.etag) else None
    return RemoteFile(told.commit_hash, digest, told.size)


def list_files(repository: str, revision: str, *, patient: bool) -> list[str]:
    """Ask the Hub for the files of a repository.

    Args:
        repository: The repository, as "owner/name".
        revision: A branch, tag or commit.
        patient: Ask again if the Hub is busy.

    Raises:
        Exception: See `is_of_the_hub`.
    """
    from huggingface_hub import constants

    url = f"{constants.ENDPOINT}/api/models/{repository}/revision/{quote(revision, safe='')}"
    timeout = constants.HF_HUB_ETAG_TIMEOUT
    listing = b"".join(_receive(url, _LISTING_LIMIT, timeout, patient=patient))
    try:
        files = parse_json(listing, "the listing")["siblings"]
        return [str(file["rfilename"]) for file in files]
    except (ValueError, KeyError, TypeError) as error:
        raise RuntimeError(f"the endpoint's JSON is not a listing of files: {error!r}") from error


def transfer(
    repository: str, file: str, revision: str, size: int | None, destination: Path
) -> None:
    """Download a file to a path, with the client's progress bar.

    Args:
        repository: The repository, as "owner/name".
        file: The path of the file in it.
        revision: A commit.
        size: Bytes that the file must have; None if they are not known.
        destination: The path.

    Raises:
        OSError: More or less is received, or too slowly. Or the path cannot be written to.
        Exception: See `is_of_the_hub`.
    """
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.utils import tqdm

    if size is not None and size > LARGEST_FILE:
        raise OSError(f"the file has {size:,} bytes, more than any weights")
    url = hf_hub_url(repository, file, revision=revision)
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    pieces = _receive(url, LARGEST_FILE if size is None else size, timeout, patient=True)
    received = 0
    bar = tqdm(  # on terminals only
        desc=file[-40:], total=size, unit="B", unit_scale=True, disable=None, name="keras_osnet"
    )
    with bar, destination.open("wb") as output:
        for piece in pieces:
            output.write(piece)
            bar.update(len(piece))
            received += len(piece)
    if size is not None and received < size:
        raise OSError(f"the transfer ended after {received:,} of {size:,} bytes")


def in_one_line(error: BaseException) -> str:
    """Return the name and the message of an error of the client in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def is_of_the_hub(error: Exception) -> bool:
    """Return whether the Hub or network failed, not this machine (disk full, no permission)."""
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    # The HTTP library's base class, whichever library this version of the client is built on.
    if isinstance(error, (HfHubHTTPError.__bases__[0], EntryNotFoundError)):
        return True
    # Errors of the operating system have an errno.
    return isinstance(error, (RuntimeError, ConnectionError, TimeoutError)) or (
        isinstance(error, OSError) and error.errno is None
    )


def _receive(url: str, limit: int, timeout: float, *, patient: bool) -> Iterator[bytes]:
    """Yield the body of an answer, of `limit` bytes at most."""
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    # Not compressed: a few bytes of it could stand for gigabytes.
    headers = build_hf_headers(headers={"Accept-Encoding": "identity"})

    def open_answer() -> Any:
        client = get_session()
        request = client.build_request("GET", url, headers=headers, timeout=timeout)
        answer = client.send(request, stream=True)
        if answer.is_error:
            answer.close()
            # Without the body, which may be endless as well.
            kept = {name: text for name, text in answer.headers.items() if name.startswith("x-")}
            hf_raise_for_status(
                type(answer)(answer.status_code, headers=kept, request=answer.request)
            )
        return answer

    with contextlib.closing(_ask(open_answer, timeout, patient=patient)) as answer:
        encoding = answer.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            raise OSError(f"the body is compressed ({encoding}), which was not asked for")
        received = since = 0
        start, window = time.monotonic(), 3 * timeout
        pieces = answer.iter_raw()
        while piece := _within(window, lambda: next(pieces, b"")):
            received += len(piece)
            if received > limit:
                raise OSError(f"the body is larger than the {limit:,} bytes that were promised")
            if time.monotonic() - start > window:
                if received - since < window * _SLOWEST:
                    raise TimeoutError(
                        f"only {received - since:,} bytes were received in {window:.0f} seconds"
                    )
                since, start = received, time.monotonic()
            yield piece


def _ask(question: Callable[[], _Result], timeout: float, *, patient: bool) -> _Result:
    """Call the client, again if the Hub is busy and `patient` is set; not if it is unreachable."""
    from huggingface_hub.errors import HfHubHTTPError

    for pause in _PAUSES if patient else ():
        try:
            return _within(3 * timeout, question)
        except HfHubHTTPError as error:
            if error.response.status_code not in _BUSY:
                raise
        time.sleep(pause)
    return _within(3 * timeout, question)


def _within(seconds: float, question: Callable[[], _Result]) -> _Result:
    """Return the result of a call of the client, or raise TimeoutError.

    The client's own timeout starts again with every byte, and so never ends a slow trickle. The
    thread that waits for it does not keep the program from ending.
    """
    answers: queue.SimpleQueue[tuple[Any, Exception | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put((question(), None))
        except Exception as error:
            answers.put((None, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        answer, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:.0f} seconds") from None
    if error is None:
        return answer
    if is_of_the_hub(error) or isinstance(error, OSError):
        raise error
    # Such as a malformed address in an answer, which the client does not expect.
    raise RuntimeError(in_one_line(error)) from error
