"""Weights files from the Hugging Face Hub, through its own client and cache, verified.

The client's cache keeps a file as `snapshots/<commit>/<file>`, a link to `blobs/<digest>`, or, on
systems without links, the file itself. A folder `.keras-osnet` beside `snapshots` stores the
digests that the Hub returned, one small file each, for checks without a network.
"""

import contextlib
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_osnet._utils.files import atomic_path
from keras_osnet._utils.warn_user import warn_user
from keras_osnet.weights.file_formats import is_weights_name
from keras_osnet.weights.hub_reference import HubReference, parse_hub_reference

_COMMIT = re.compile(r"[0-9a-f]{40}")
# The Hub identifies a large (LFS) file by its SHA-256, any other by its git blob id.
_DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
# Seconds after which to retry if the Hub answers that it is busy.
_BUSY = (408, 429, 500, 502, 503, 504)
_PAUSES = (1.0, 2.0, 4.0)


class DownloadError(OSError):
    """Weights can neither be found in the cache nor downloaded, or are not those published."""


def resolve_hub_reference(reference: str) -> Path:
    """Download the weights that an `hf://` reference names, or find them in the cache.

    Args:
        reference: "hf://owner/repository[/file][@revision]". Without a file it means the
            repository's "model.safetensors", or else its only weights file.

    Returns:
        The path of the verified file in the cache.

    Raises:
        ValueError: The reference is malformed, or names no file where the repository has no
            weights file, or several.
        DownloadError: See `download`.
    """
    parsed = parse_hub_reference(reference)
    with _explained(parsed):
        file = parsed.file or _choose_file(parsed)
    return download(parsed.repository, file, revision=parsed.revision)


def download(
    repository: str,
    file: str,
    *,
    revision: str | None = None,
    sha256: str | None = None,
    size: int | None = None,
) -> Path:
    """Download a file from the Hub, or find it in the cache, and verify it.

    The settings of `huggingface_hub` apply: HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT,
    HF_HUB_OFFLINE. A cached file of a commit needs no network; that of a branch or tag is used
    when the Hub cannot be reached. A damaged file in the cache is downloaded again, once.

    Args:
        repository: The repository, as "owner/name".
        file: The path of the file in it, with "/" between folders.
        revision: A branch, tag or commit (40 hexadecimal digits), or None for the main branch.
        sha256: Digest that the file must have, in 64 lower-case hexadecimal digits. None checks
            against the digest that the Hub itself keeps of the file.
        size: Bytes that the file must have, or None if it is not known.

    Returns:
        The path of the file in the cache.

    Raises:
        DownloadError: The file is not cached and the Hub does not give it, or it is not the one
            expected even when downloaded again.
        ValueError: `sha256` is not a digest, or the repository or file cannot be a name.
    """
    if sha256 is not None and (len(sha256) != 64 or not _DIGEST.fullmatch(sha256)):
        raise ValueError(
            f"`sha256` must be 64 lower-case hexadecimal digits. Received: sha256={sha256!r}"
        )
    reference = HubReference(repository, file, revision)
    with _explained(reference):
        path = _locate(reference, file)
        digest = sha256 or _recall_digest(path, file)
        if digest is None:  # cached by another program, on a system without links
            digest = _ask_for_digest(reference, file, patient=True)
            if digest is None:
                raise RuntimeError("the endpoint tells no digest to verify the file with")
            _remember_digest(path, file, digest)
    if _find_difference(path, digest, size) is None:
        return path
    return _replace(reference, file, path, digest, size)


def in_one_line(error: BaseException) -> str:
    """Return the name and the message of an error of the client in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


@contextlib.contextmanager
def _explained(reference: HubReference) -> Iterator[None]:
    """Raise `DownloadError` for the client's failures, which is then its `__cause__`."""
    from huggingface_hub import constants

    try:
        yield
    except Exception as error:
        # A forced download wraps any error in a ValueError.
        inner = error.__cause__ if isinstance(error, ValueError) else None
        inner = inner if isinstance(inner, Exception) else error
        if not is_of_the_hub(inner):
            raise
        raise DownloadError(
            f"Could not download {reference} from {constants.ENDPOINT}: {in_one_line(inner)} "
            "Alternatives: run this once with network access, after which the file is found in "
            f"the cache ({constants.HF_HUB_CACHE}); set HF_ENDPOINT to a mirror of the Hub; set "
            "HF_TOKEN for a private or gated repository; give the path of a local file as "
            "`weights=`; or build the model without weights, with `weights=None`. "
            f"Received: {reference}"
        ) from inner


def is_of_the_hub(error: Exception) -> bool:
    """Return whether the Hub or network failed, not this machine (disk full, no permission)."""
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    # The HTTP library's base class, whichever library this version of the client is built on. Not
    # JSON: something else than a Hub answered, such as the login page of a network.
    if isinstance(error, (HfHubHTTPError.__bases__[0], EntryNotFoundError, json.JSONDecodeError)):
        return True
    # The client raises a bare OSError for a transfer that broke off; those of the operating
    # system have an errno. hf_xet raises RuntimeError.
    return isinstance(error, (RuntimeError, ConnectionError, TimeoutError)) or (
        isinstance(error, OSError) and error.errno is None
    )


def _ask(question: Callable[[], Any], *, patient: bool) -> Any:
    """Call the client, again if the Hub is busy and `patient` is set; not if it is unreachable."""
    from huggingface_hub.errors import HfHubHTTPError

    for pause in _PAUSES if patient else ():
        try:
            return question()
        except HfHubHTTPError as error:
            if error.response.status_code not in _BUSY:
                raise
        time.sleep(pause)
    return question()


def _choose_file(reference: HubReference) -> str:
    """Return the weights file of a repository: "model.safetensors", or else the only one.

    If the Hub cannot be reached, only files in the cache are considered.
    """
    from huggingface_hub import HfApi, constants

    folder = Path(constants.HF_HUB_CACHE, "models--" + reference.repository.replace("/", "--"))
    revision = reference.revision or constants.DEFAULT_REVISION
    branch = folder / "refs" / revision
    snapshot = folder / "snapshots" / (branch.read_text() if branch.is_file() else revision)
    cached = sorted(
        path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file()
    )
    unreachable = False
    try:
        timeout = constants.HF_HUB_ETAG_TIMEOUT
        information = _ask(
            lambda: HfApi().model_info(reference.repository, revision=revision, timeout=timeout),
            patient=not cached,
        )
        files = [sibling.rfilename for sibling in information.siblings or []]
    except Exception as error:
        if not cached or not is_of_the_hub(error):
            raise
        unreachable, files = True, cached
    choices = [file for file in files if is_weights_name(file)]
    if "model.safetensors" in choices:
        return "model.safetensors"
    if len(choices) != 1:
        others = [file for file in files if file not in choices]
        raise ValueError(
            f"Name the weights file of the repository {reference.repository}, as in "
            '"hf://owner/repository/file": it has no "model.safetensors", and not exactly one '
            f"other. Weights{' in the cache' if unreachable else ''}: "
            f"{', '.join(choices) or 'none'}. Other files: {', '.join(others) or 'none'}. "
            f"Received: {str(reference)!r}"
        )
    if unreachable:  # the repository may have others, and then another is chosen online
        warn_user(
            f"The Hub could not be asked which weights {reference} has. Taking the only ones in "
            f"the cache: {choices[0]}"
        )
    return choices[0]


def _locate(reference: HubReference, file: str) -> Path:
    """Return the file in the cache, downloaded unless it is there and up to date."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError

    found = try_to_load_from_cache(reference.repository, file, revision=reference.revision)
    cached = Path(found) if isinstance(found, str) else None
    if cached is not None and _COMMIT.fullmatch(reference.revision or ""):
        return cached
    try:
        # Requested here, not only by the download, which without a network would take minutes to
        # fail; and the digest is needed where the cache does not store it as a link.
        digest = _ask_for_digest(reference, file, patient=cached is None)
    except Exception as error:
        is_gone = isinstance(error, (EntryNotFoundError, RevisionNotFoundError))
        if cached is None or is_gone or not is_of_the_hub(error):
            raise
        return cached
    path = _fetch(reference, file)
    if digest is not None:
        _remember_digest(path, file, digest)
    return path


def _ask_for_digest(reference: HubReference, file: str, *, patient: bool) -> str | None:
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(reference.repository, file, revision=reference.revision)
    timeout = constants.HF_HUB_ETAG_TIMEOUT
    etag = _ask(lambda: get_hf_file_metadata(url, timeout=timeout), patient=patient).etag
    return etag if etag and _DIGEST.fullmatch(etag) else None


def _fetch(reference: HubReference, file: str, *, force: bool = False) -> Path:
    """Download the file with the client, once more if the transfer breaks off."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    where: dict[str, Any] = {
        "repo_id": reference.repository,
        "filename": file,
        "revision": reference.revision,
    }
    try:
        return Path(hf_hub_download(**where, force_download=force))
    except Exception as error:
        # The Hub's answers are final. Other errors come from the network, and the client does not
        # resume a transfer after all of them.
        if isinstance(error, (EntryNotFoundError, HfHubHTTPError)) or not is_of_the_hub(error):
            raise
        return Path(hf_hub_download(**where, force_download=force))


def _replace(reference: HubReference, file: str, path: Path, digest: str, size: int | None) -> Path:
    """Download again a file of the cache that is not the one expected."""
    from huggingface_hub.utils import WeakFileLock

    pinned = replace(reference, revision=path.parents[file.count("/")].name)
    found = _find_difference(path, digest, size)
    cause = None
    try:
        _own_folder(path, file).mkdir(exist_ok=True)
        with WeakFileLock(_own_folder(path, file) / "repair.lock"), _explained(pinned):
            found = _find_difference(path, digest, size)
            if found is None:
                return path  # another process was faster
            # Removed first, because where there are no links the client does not replace a file.
            # Forced, because the client may have another copy of the same wrong content.
            _discard(path)
            path = _fetch(pinned, file, force=True)
            found = _find_difference(path, digest, size)
            if found is None:
                return path
            _discard(path)
        outcome = "and downloading it again did not help"
    except OSError as error:
        outcome, cause = f"and downloading it again failed: {error}", error
    raise DownloadError(
        f"The file {pinned} in the cache is not the one expected, {outcome}. Possible causes are a "
        "failing disk, a broken transfer, or a mirror or proxy that alters files. Try again, set "
        "HF_ENDPOINT to another mirror, or give the path of a local file as `weights=`. "
        f"Expected: {_describe(digest, size)}. Received: {found}"
    ) from cause


def _find_difference(path: Path, digest: str, size: int | None) -> str | None:
    """Describe a file that has another digest or size; return None if it has these."""
    from huggingface_hub.utils.sha import git_hash

    try:
        content = path.read_bytes()
    except FileNotFoundError:  # another process is downloading it again
        return "no file"
    found = hashlib.sha256(content).hexdigest() if len(digest) == 64 else git_hash(content)
    if found == digest and size in (None, len(content)):
        return None
    return _describe(found, len(content))


def _describe(digest: str, size: int | None) -> str:
    kind = "SHA-256" if len(digest) == 64 else "git blob id"
    return f"{kind} {digest}" + (f" ({size} bytes)" if size is not None else "")


def _recall_digest(path: Path, file: str) -> str | None:
    """Return the digest that the Hub gave for a cached file, None if it is not stored."""
    with contextlib.suppress(OSError):
        told = _record(path, file).read_text("ascii").strip()
        if _DIGEST.fullmatch(told):
            return told
    if path.is_symlink():
        # One step only: a blob may itself be a link into a store that all repositories share,
        # where files go by another hash.
        blob = path.readlink()
        if blob.parent.name == "blobs" and _DIGEST.fullmatch(blob.name):
            return blob.name
    return None


def _remember_digest(path: Path, file: str, digest: str) -> None:
    # A cache that cannot be written to is still good for reading.
    with contextlib.suppress(OSError):
        record = _record(path, file)
        record.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(record) as temporary:
            temporary.write_text(digest, "ascii")


def _record(path: Path, file: str) -> Path:
    commit = path.parents[file.count("/")].name
    return _own_folder(path, file) / commit / f"{file}.digest"


def _own_folder(path: Path, file: str) -> Path:
    return path.parents[file.count("/") + 2] / ".keras-osnet"


def _discard(path: Path) -> None:
    """Remove a wrong file from the cache, so that no program loads it."""
    if path.is_symlink():
        (path.parent / path.readlink()).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
