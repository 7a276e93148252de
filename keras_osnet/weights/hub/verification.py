"""Checking files in the Hub client's cache against the digests they must have.

The cache keeps a file as `snapshots/<commit>/<file>`, which is a link to `blobs/<digest>`, or, on
systems without links, the file itself. Beside `snapshots`, a folder of our own remembers the
digests that the Hub told, one small file each.
"""

import contextlib
import hashlib
import os
import re
import uuid
from pathlib import Path

_OWN_FOLDER = ".keras-osnet"
# The Hub identifies a large (LFS) file by its SHA-256, any other by its git blob id.
_DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")


class WeightsCorruptedError(OSError):
    """A weights file is not the one that was published, and fetching it again did not help."""


def digest_from_etag(etag: str | None) -> str | None:
    """Reads the digest of a file from what the Hub identifies it with.

    Args:
        etag: The entity tag, without quotes.

    Returns:
        The SHA-256 in 64 hexadecimal digits, the git blob id in 40, or None if it is neither.
    """
    return etag if etag and _DIGEST.fullmatch(etag) else None


def compute_digest(path: Path, kind: str) -> str:
    """Computes a file's digest.

    Args:
        path: The file.
        kind: A digest of the kind that is wanted: its length tells.

    Returns:
        The SHA-256 for 64 digits, the git blob id for 40.
    """
    with path.open("rb") as stream:
        if len(kind) == 64:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        header = b"blob %d\0" % os.fstat(stream.fileno()).st_size
        return hashlib.file_digest(
            stream, lambda: hashlib.sha1(header, usedforsecurity=False)
        ).hexdigest()


def find_difference(path: Path, digest: str, size: int | None) -> str | None:
    """Compares a file with what it must be.

    Args:
        path: The file.
        digest: Its SHA-256 or git blob id.
        size: Its size in bytes, or None if only the digest is known.

    Returns:
        None if the file is right, else a phrase that says what was found instead.
    """
    try:
        found = compute_digest(path, digest)
        found_size = path.stat().st_size
    except FileNotFoundError:
        # Another process found the file wrong, and is fetching it again.
        return "no file"
    if found == digest and size in (None, found_size):
        return None
    return describe(found, found_size)


def describe(digest: str, size: int | None) -> str:
    """Puts a digest, and the size if it is known, in words."""
    kind = "SHA-256" if len(digest) == 64 else "git blob id"
    return f"{kind} {digest}" + (f" ({size} bytes)" if size is not None else "")


def recall_digest(path: Path, file: str) -> str | None:
    """Finds what the Hub said the digest of a cached file is.

    Args:
        path: The file, in the cache.
        file: The file's path in its repository.

    Returns:
        The digest, or None if nothing in the cache tells.
    """
    with contextlib.suppress(OSError):
        if digest := digest_from_etag(_record(path, file).read_text(encoding="ascii").strip()):
            return digest
    if path.is_symlink():
        # One step only: a blob may itself be a link into a store that all repositories share,
        # where files go by another hash.
        blob = path.readlink()
        if blob.parent.name == "blobs":
            return digest_from_etag(blob.name)
    return None


def remember_digest(path: Path, file: str, digest: str) -> None:
    """Keeps the digest of a cached file for later checks without a network.

    Args:
        path: The file, in the cache.
        file: The file's path in its repository.
        digest: What the Hub said its digest is.
    """
    record = _record(path, file)
    temporary = record.with_name(f"{record.name}.{uuid.uuid4().hex}.tmp")
    # A cache that cannot be written to is still good for reading.
    with contextlib.suppress(OSError):
        record.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(digest, encoding="ascii")
        # Whole or not at all, whoever else reads or writes it at the same time.
        temporary.replace(record)


def discard(path: Path) -> None:
    """Removes a wrong file from the cache, so that no user of the cache takes it for right.

    Args:
        path: The file, in the cache.
    """
    if path.is_symlink():
        (path.parent / path.readlink()).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def repair_lock(path: Path, file: str) -> Path:
    """The lock to hold while a file is replaced, one for each repository in the cache.

    Args:
        path: The file, in the cache.
        file: The file's path in its repository.

    Returns:
        The path of the lock, in a folder that exists.
    """
    folder = _own_folder(path, file)
    folder.mkdir(exist_ok=True)
    return folder / "repair.lock"


def commit_of(path: Path, file: str) -> str:
    """The commit that a cached file belongs to.

    Args:
        path: The file, in the cache.
        file: The file's path in its repository.

    Returns:
        The commit in 40 hexadecimal digits.
    """
    return path.parents[file.count("/")].name


def _own_folder(path: Path, file: str) -> Path:
    return path.parents[file.count("/") + 2] / _OWN_FOLDER


def _record(path: Path, file: str) -> Path:
    return _own_folder(path, file) / commit_of(path, file) / f"{file}.digest"
