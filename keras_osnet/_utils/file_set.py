"""Several files that belong together, such as a model and its weights, replaced as one.

A process that is killed at any moment leaves the previous files, or a hidden folder with the new
ones, which `complete` then moves into place: where the files are next opened or written.
"""

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from keras_osnet._utils.files import check_folder_of, check_regular, temporary_folder


@contextmanager
def replaced_together(target: Path, names: Collection[str]) -> Iterator[Path]:
    """Yield a folder to write new files to, and move them beside `target` at the end.

    If the block raises, the files beside `target` are unchanged. Leftovers of processes that were
    killed here are removed. Of two processes that write the same files, the one that ends last
    leaves its own.

    Args:
        target: The file that the others belong to.
        names: Names of all files that may be written, in the folder of `target`. They begin with
            its name without the suffix and a point; others are not moved.

    Raises:
        FileNotFoundError: The folder of `target` does not exist.
        ValueError: One of the files exists and is a folder, device, socket or named pipe.
        OSError: A file cannot be written.
    """
    check_folder_of(target)
    for name in names:
        with suppress(FileNotFoundError):
            check_regular(target.with_name(name))
    with temporary_folder(target) as folder:
        yield folder
        with locked(target.parent):
            _complete(target)
            # From here on the new files are valid: the rename is one step.
            folder.rename(_decided(target))
            _complete(target)


def complete(target: Path) -> None:
    """Move files into place that a killed process has left in their hidden folder.

    Args:
        target: The file that the others belong to.

    Raises:
        OSError: A file cannot be moved.
    """
    if _decided(target).exists():
        with locked(target.parent):
            _complete(target)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a lock that only one thread of one process has at a time; others wait.

    It vanishes with the process. There is none on Windows and on file systems without locks.
    """
    descriptor = None
    with suppress(ImportError, OSError):
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _complete(target: Path) -> None:
    decided = _decided(target)
    if decided.is_symlink() or not decided.is_dir():
        return
    for file in sorted(decided.iterdir()):
        belongs = file.name.startswith(f"{target.stem}.")
        if belongs and file.is_file() and not file.is_symlink():
            file.replace(target.with_name(file.name))
    shutil.rmtree(decided)


def _decided(target: Path) -> Path:
    """Return the hidden folder whose files are valid and wait to be moved."""
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()  # names may be long
    return target.with_name(f".keras-osnet-set-{digest[:16]}")
