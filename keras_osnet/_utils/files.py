"""Files that are read only if they are regular, and written whole or not at all."""

import errno
import json
import math
import os
import re
import shutil
import stat
import sys
import tempfile
import time
import uuid
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from platform import node
from typing import Any, BinaryIO

from keras_osnet._utils.text import UNPRINTABLE

_JSON_LIMIT = 64 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

_TEMPORARY = re.compile(r"\.keras-osnet-([0-9a-f]{8})-(\d+)-[0-9a-f]{8}(\..*)?", re.DOTALL)
_KEPT_SECONDS = 7 * 24 * 3600
"""Age of a temporary file of which it is not known whether its process still runs."""
_own: set[str] = set()

_PAUSE = 60.0
_swept: dict[Path, float] = {}


class DiskFullError(OSError):
    """A file cannot be written for lack of space; the message names it and says what to do."""


def check_regular(path: str | os.PathLike[str]) -> None:
    """Raise ValueError for a folder, device, socket or named pipe, which could be read forever.

    Raises:
        OSError: There is no such file.
    """
    mode = Path(path).stat().st_mode
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket"}
        kind = kinds.get(stat.S_IFMT(mode), "device")
        raise ValueError(f"A regular file is needed, not a {kind}. Received: {os.fspath(path)}")


def check_folder_of(target: Path) -> None:
    """Raise FileNotFoundError unless the folder that a file or folder is written to exists."""
    if not target.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {target.parent} to write {target.name} to")


@contextmanager
def created_folder(folder: Path) -> Iterator[None]:
    """Create a folder and its parents, and remove those again if the block raises.

    Raises:
        OSError: It cannot be created, such as where a file is.
    """
    new = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for each in new:
            with suppress(OSError):  # another process has written to it
                each.rmdir()
        raise


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading, unless it is none, such as a named pipe (see `check_regular`)."""
    check_regular(path)
    return Path(path).open("rb")


def read_bytes(path: str | os.PathLike[str], limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes, else raise ValueError."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        # A buffer of the file's size: the limit may be gigabytes.
        content = b"" if size > limit else file.read(size + 1)
        if len(content) > size:  # it grows, or is one of those that say they are empty
            content += file.read(limit + 1 - len(content))
    if max(size, len(content)) > limit:
        raise ValueError(
            f"{Path(path).name} is larger than the {limit:,} bytes that are read at most. "
            f"Received: {os.fspath(path)}"
        )
    return content


def parse_json(text: str | bytes, name: str) -> dict[str, Any]:
    """Parse JSON that holds one object; `name` says in the error which file it comes from.

    Raises:
        ValueError: It is not JSON, is nested too deeply, or holds no object.
    """
    try:
        content = json.loads(text)
    except RecursionError:
        raise ValueError(f"{name} is damaged: it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{name} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{name} is damaged: it holds no object")
    return content


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Raises:
        ValueError: It is not JSON, or holds no object.
        OSError: It cannot be read.
    """
    content = read_bytes(path, _JSON_LIMIT)
    try:
        return parse_json(content, path.name)
    except ValueError as error:
        raise ValueError(f"{error}. Received: {path}") from error


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object to a JSON file atomically, replacing an existing file.

    Raises:
        OSError: It cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json_text(content) + "\n", "utf-8")


def json_text(value: Any, *, indent: int | None = 2, ascii_only: bool = False) -> str:
    """Return a value as JSON that every reader takes and every terminal shows.

    NaN and infinity, which JSON lacks, become null. Characters that control a terminal, and bytes
    of file names that are no text, are written as escapes.
    """
    text = json.dumps(_finite(value), indent=indent, ensure_ascii=ascii_only, allow_nan=False)
    return UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _finite(value: Any) -> Any:
    """Return a value of JSON's types with None in place of NaN and infinity."""
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to, and rename it to `path` at the end.

    If the block raises, the temporary file is removed and `path` is unchanged. Leftovers of
    processes that were killed here are removed too.

    Raises:
        FileNotFoundError: The folder does not exist.
        ValueError: `path` is a device, socket or named pipe.
        OSError: The file cannot be written; the error names `path`, and if the disk is full, says
            how much was written.
    """
    target = Path(path)
    check_folder_of(target)
    if target.is_dir():
        raise IsADirectoryError(f"A file cannot replace a folder. Received: {target}")
    if target.exists():  # as administrator, one would replace /dev/null for everybody
        check_regular(target)
    _sweep_again(target.parent)
    temporary = temporary_path(target)
    try:
        with explained_writing(target, temporary):
            yield temporary
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
        _own.discard(temporary.name)


@contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """Yield a new folder beside `target`, for files that are then moved to where they belong.

    Errors are those of `atomic_path`. At the end the folder is removed with all that it holds.
    """
    sweep_temporaries(target.parent)
    folder = temporary_path(target)
    folder.mkdir()
    try:
        with explained_writing(target, folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _own.discard(folder.name)


def temporary_path(target: Path) -> Path:
    """Return a hidden path beside `target`, for its content until that is complete.

    The name says whose it is (see `sweep_temporaries`). Of the target's it keeps the suffixes
    (`.weights.h5`), which some writers check, and no more, as that may be of the greatest length.
    """
    _, dot, suffixes = target.name[-16:].partition(".")
    name = f".keras-osnet-{_host()}-{os.getpid()}-{uuid.uuid4().hex[:8]}{dot}{suffixes}"
    _own.add(name)
    return target.with_name(name)


def sweep_temporaries(folder: Path, *, alone: bool = False) -> None:
    """Remove what `temporary_path` named in a folder for processes that have ended since.

    Those of other machines and containers that share the folder are removed after a week.

    Args:
        folder: The folder.
        alone: This process holds the folder's lock, so that nobody else is writing to it: those of
            all others are removed.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if (match := _TEMPORARY.fullmatch(entry.name)) is None or entry.name in _own:
                continue
            with suppress(OSError):
                ended = alone or (match[1] == _host() and not _is_running(int(match[2])))
                if ended or time.time() - entry.stat().st_mtime > _KEPT_SECONDS:
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path)
                    else:
                        Path(entry.path).unlink()


def _sweep_again(folder: Path) -> None:
    """Sweep a folder, not again within a minute: it may have many files, written one by one."""
    now = time.monotonic()
    if now - _swept.get(folder, -math.inf) > _PAUSE:
        _swept[folder] = now
        sweep_temporaries(folder)


@contextmanager
def explained_writing(target: Path, temporary: Path) -> Iterator[None]:
    """Raise the errors of writing `temporary` with the path of `target`.

    If the disk is full, they say how much was written and what to do.
    """
    try:
        yield
    except DiskFullError:  # of another file, which was to become a part of this one
        raise
    except Exception as error:
        reason = _full(error)
        if reason is not None:
            files = [temporary, *temporary.rglob("*")]
            size = sum(file.stat().st_size for file in files if file.is_file())
            # Libraries write to the system's temporary folder, too.
            folders = [target.parent.absolute(), Path(tempfile.gettempdir())]
            free = {folder: shutil.disk_usage(folder).free for folder in folders}
            fullest = min(folders, key=free.__getitem__)
            raise DiskFullError(
                reason,
                f"{os.strerror(reason)}: {target} is not complete after {size:,} bytes, with "
                f"{free[fullest]:,} bytes free in {fullest}. Free some space there, or choose "
                f"another folder (TMPDIR for temporary files). Received: {target}",
            ) from error
        if isinstance(error, OSError) and error.filename == os.fspath(temporary):
            error.filename, error.filename2 = os.fspath(target), None
        raise


def _full(error: BaseException | None) -> int | None:
    """Return the code of an error that means a full disk, also if a library has wrapped it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return error.errno
        for code in _FULL:
            if os.strerror(code) in str(error):
                return code
        error = error.__cause__ or error.__context__
    return None


@cache
def _host() -> str:
    """Return a digest of where the numbers of processes count: the machine, or a container."""
    names = node()
    with suppress(OSError):  # on Linux
        names += str(Path("/proc/self/ns/pid").readlink())
    return f"{zlib.crc32(names.encode()):08x}"


def _is_running(process: int) -> bool:
    if process == os.getpid():  # it is not in `_own`: an earlier process had the same number
        return False
    if sys.platform == "win32":  # where signal 0 is not a question
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
