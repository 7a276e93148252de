"""Weights files from the Hugging Face Hub, in its client's cache, verified.

The client's cache keeps a file as `snapshots/<commit>/<file>`, a link to `blobs/<digest>`, or, on
systems without links, the file itself; and `refs/<branch>` has the commit of a branch. A folder
`.keras-osnet` beside these stores the digests that the Hub returned, one small file each, for
checks without a network.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from keras_osnet._utils.files import atomic_path, open_regular
from keras_osnet._utils.warn_user import warn_user
from keras_osnet.weights.file_formats import is_weights_name
from keras_osnet.weights.hub_client import (
    COMMIT,
    DIGEST,
    RemoteFile,
    ask_for_file,
    in_one_line,
    is_of_the_hub,
    list_files,
    transfer,
)
from keras_osnet.weights.hub_reference import HubReference, is_plain, parse_hub_reference

_ABSENT = "no file"


@dataclass(frozen=True)
class _CacheEntry:
    """The places of a file, at a commit, in the cache."""

    repository: str
    file: str
    commit: str

    @property
    def folder(self) -> Path:
        return _repository_folder(self.repository)

    @property
    def path(self) -> Path:
        return self.folder / "snapshots" / self.commit / self.file

    @property
    def record(self) -> Path:
        """Where the digest is stored that the Hub returned."""
        return self.folder / ".keras-osnet" / self.commit / f"{self.file}.digest"


class _WrongContentError(Exception):
    """A transfer has brought another file than the one expected."""


class DownloadError(OSError):
    """Weights can neither be found in the cache nor downloaded, or are not those published."""


def resolve_hub_reference(reference: str) -> Path:
    """Return the path in the cache of the weights that an `hf://` reference names; see `download`.

    Args:
        reference: "hf://owner/repository[/file][@revision]". Without a file it means the
            repository's "model.safetensors", or else its only weights file.

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
    """Return the path of a file of the Hub in the cache, downloaded and verified.

    The settings of `huggingface_hub` apply: HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT,
    HF_HUB_OFFLINE. A cached file of a commit needs no network; that of a branch or tag is used
    when the Hub cannot be reached. A damaged file in the cache is downloaded again.

    Args:
        repository: The repository, as "owner/name".
        file: The path of the file in it, with "/" between folders.
        revision: A branch, tag or commit (40 hexadecimal digits), or None for the main branch.
        sha256: Digest that the file must have, in 64 lower-case hexadecimal digits. None checks
            against the digest that the Hub itself keeps of the file.
        size: Bytes that the file must have, or None if it is not known.

    Raises:
        DownloadError: The file is not cached and the Hub does not give it, or it is not the one
            expected even when downloaded again, or the cache cannot be written to.
        ValueError: `sha256` is not a digest, or the repository or file cannot be a name.
    """
    if sha256 is not None and (len(sha256) != 64 or not DIGEST.fullmatch(sha256)):
        raise ValueError(
            f"`sha256` must be 64 lower-case hexadecimal digits. Received: sha256={sha256!r}"
        )
    reference = parse_hub_reference(str(HubReference(repository, file, revision)))
    with _explained(reference):
        entry, remote = _locate(repository, file, revision)
        digest = sha256 or (remote.digest if remote else _recall_digest(entry))
        if digest is None and remote is None:  # cached by another program, where links are none
            remote = ask_for_file(repository, file, revision, patient=True)
            digest = remote.digest
        if digest is None:
            raise RuntimeError("the endpoint tells no digest to verify the file with")
    if _find_difference(entry.path, digest, size) is not None:
        _download(entry, digest, size, remote)
    if remote is not None:
        _remember(entry, revision, remote)
    return entry.path


@contextlib.contextmanager
def _explained(reference: HubReference) -> Iterator[None]:
    """Raise `DownloadError` for failures of the Hub, the network and the cache.

    It stands alone: the long tracebacks of the client and of its HTTP library say nothing more.
    """
    from huggingface_hub import constants

    try:
        yield
    except Exception as error:
        if is_of_the_hub(error):
            raise DownloadError(
                f"Could not download {reference} from {constants.ENDPOINT}: {in_one_line(error)} "
                "Alternatives: run this once with network access, after which the file is found in "
                f"the cache ({constants.HF_HUB_CACHE}); set HF_ENDPOINT to a mirror of the Hub; "
                "set HF_TOKEN for a private or gated repository; give the path of a local file as "
                '`weights=`; take the weights that come with the package, `weights="synthetic"` '
                "for `width=0.25`; or build the model without weights, with `weights=None`. "
                f"Received: {reference}"
            ) from None
        if isinstance(error, OSError):
            raise DownloadError(
                f"Could not store {reference} in the cache ({constants.HF_HUB_CACHE}): "
                f"{in_one_line(error)} Alternatives: set HF_HUB_CACHE to a folder that has space "
                "and can be written to, or give the path of a local file as `weights=`. "
                f"Received: {reference}"
            ) from None
        raise


def _choose_file(reference: HubReference) -> str:
    """Return the weights file of a repository: "model.safetensors", or else the only one.

    If the Hub cannot be reached, only files in the cache are considered.
    """
    from huggingface_hub import constants

    folder = _repository_folder(reference.repository)
    revision = reference.revision or constants.DEFAULT_REVISION
    branch = folder / "refs" / revision
    commit = branch.read_text() if branch.is_file() else revision
    snapshot = folder / "snapshots" / (commit if COMMIT.fullmatch(commit) else "none")
    cached = sorted(
        path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file()
    )
    unreachable = False
    try:
        files = list_files(reference.repository, revision, patient=not cached)
    except Exception as error:
        if not cached or not is_of_the_hub(error):
            raise
        unreachable, files = True, cached
    choices = [name for name in files if is_weights_name(name) and is_plain(name)]
    if "model.safetensors" in choices:
        return "model.safetensors"
    if len(choices) != 1:
        others = [name for name in files if name not in choices]
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


def _locate(
    repository: str, file: str, revision: str | None
) -> tuple[_CacheEntry, RemoteFile | None]:
    """Return the entry of a file in the cache, be it there or not, and what the Hub tells of it.

    The Hub is not asked for a file of a commit that is there.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError

    found = try_to_load_from_cache(repository, file, revision=revision)
    cached = None
    if isinstance(found, str):
        cached = _CacheEntry(repository, file, Path(found).parents[file.count("/")].name)
        if revision == cached.commit:
            return cached, None
    try:
        remote = ask_for_file(repository, file, revision, patient=cached is None)
    except Exception as error:
        is_gone = isinstance(error, (EntryNotFoundError, RevisionNotFoundError))
        if cached is None or is_gone or not is_of_the_hub(error):
            raise
        return cached, None
    return _CacheEntry(repository, file, remote.commit), remote


def _download(entry: _CacheEntry, digest: str, size: int | None, remote: RemoteFile | None) -> None:
    """Download a file that is absent from the cache, or is not the one expected."""
    from huggingface_hub import constants
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError
    from huggingface_hub.utils import WeakFileLock

    pinned = HubReference(entry.repository, entry.file, entry.commit)
    found = before = _find_difference(entry.path, digest, size)
    outcome = "and downloading it again did not help"
    try:
        lock = Path(constants.HF_HUB_CACHE, ".locks", entry.folder.name, "keras-osnet.lock")
        with _explained(pinned):
            lock.parent.mkdir(parents=True, exist_ok=True)
            with WeakFileLock(lock):
                if _find_difference(entry.path, digest, size) is None:
                    return  # another process was faster
                _discard(entry)
                remote = remote or ask_for_file(
                    entry.repository, entry.file, entry.commit, patient=True
                )
                for is_last in (False, True):
                    try:
                        _fetch(entry, digest, size, remote)
                        return
                    except _WrongContentError as error:
                        found = str(error)
                    except Exception as error:
                        # What the Hub answers is final, and what fails on this machine.
                        final = isinstance(error, (EntryNotFoundError, HfHubHTTPError))
                        if is_last or final or not is_of_the_hub(error):
                            raise
    except DownloadError as error:
        if before == _ABSENT:
            raise
        outcome = f"and downloading it again failed: {error}"
    raise DownloadError(
        f"The file {pinned} in the cache is not the one expected, {outcome}. Possible causes are a "
        "failing disk, a broken transfer, or a mirror or proxy that alters files. Try again, set "
        "HF_ENDPOINT to another mirror, or give the path of a local file as `weights=`. "
        f"Expected: {_describe(digest, size)}. Received: {found}"
    )


def _fetch(entry: _CacheEntry, digest: str, size: int | None, remote: RemoteFile) -> None:
    """Download a file into the cache, if it is the one expected."""
    from huggingface_hub import file_download

    promised = remote.size if remote.size is not None else size
    told = remote.digest or digest
    if size not in (None, promised) or (len(told) == 64 and told != digest):
        raise _WrongContentError(_describe(told, promised))
    blob = entry.folder / "blobs" / told
    for folder in (blob.parent, entry.path.parent):
        folder.mkdir(parents=True, exist_ok=True)
    if _find_difference(blob, digest, size) is not None:
        with atomic_path(blob) as temporary:
            transfer(entry.repository, entry.file, entry.commit, promised, temporary)
            for expected in (told, digest):  # of which the first may be that of git
                found = _find_difference(temporary, expected, size)
                if found is not None:
                    raise _WrongContentError(found)
    if file_download.are_symlinks_supported(entry.folder):
        with atomic_path(entry.path) as temporary:
            temporary.symlink_to(os.path.relpath(blob, entry.path.parent))
    else:
        blob.replace(entry.path)


def _find_difference(path: Path, digest: str, size: int | None) -> str | None:
    """Describe a file that has another digest or size; return None if it has these."""
    from huggingface_hub.utils.sha import git_hash

    try:
        with open_regular(path) as file:
            content = file.read()
    except FileNotFoundError:  # or another process is downloading it again
        return _ABSENT
    except ValueError as error:
        return str(error)
    found = hashlib.sha256(content).hexdigest() if len(digest) == 64 else git_hash(content)
    if found == digest and size in (None, len(content)):
        return None
    return _describe(found, len(content))


def _describe(digest: str, size: int | None) -> str:
    kind = "SHA-256" if len(digest) == 64 else "git blob id"
    return f"{kind} {digest}" + (f" ({size} bytes)" if size is not None else "")


def _recall_digest(entry: _CacheEntry) -> str | None:
    """Return the digest that the Hub gave for a cached file, None if it is not stored."""
    with contextlib.suppress(OSError, ValueError):
        told = entry.record.read_text("ascii").strip()
        if DIGEST.fullmatch(told):
            return told
    if entry.path.is_symlink():
        # One step only: a blob may itself be a link into a store that all repositories share,
        # where files go by another hash.
        blob = entry.path.readlink()
        if blob.parent.name == "blobs" and DIGEST.fullmatch(blob.name):
            return blob.name
    return None


def _remember(entry: _CacheEntry, revision: str | None, remote: RemoteFile) -> None:
    """Store the commit of a branch, as the client does, and the digest that the Hub returned."""
    from huggingface_hub import constants

    records = {} if remote.digest is None else {entry.record: remote.digest}
    if revision != entry.commit:
        records[entry.folder / "refs" / (revision or constants.DEFAULT_REVISION)] = entry.commit
    for record, content in records.items():
        # A cache that cannot be written to is still good for reading.
        with contextlib.suppress(OSError):
            record.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(record) as temporary:
                temporary.write_text(content, "ascii")


def _repository_folder(repository: str) -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE, "models--" + repository.replace("/", "--"))


def _discard(entry: _CacheEntry) -> None:
    """Remove a wrong file from the cache, so that no program loads it.

    Of files that it links to, only one in this repository's own `blobs` is removed.
    """
    if entry.path.is_symlink():
        blob = Path(os.path.normpath(entry.path.parent / entry.path.readlink()))
        if blob.parent == Path(os.path.normpath(entry.folder / "blobs")):
            blob.unlink(missing_ok=True)
    entry.path.unlink(missing_ok=True)
