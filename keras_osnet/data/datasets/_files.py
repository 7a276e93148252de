"""Files of datasets: finding them in the folder that a user names, and reading MATLAB's."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_osnet._utils.files import check_regular
from keras_osnet._utils.optional import require
from keras_osnet._utils.text import shorten
from keras_osnet.data.datasets.published import dataset_info
from keras_osnet.data.list_images import is_system_name

_DEPTH = 2
"""Levels below the user's folder that are searched: archives unpack into nested folders."""


def find_root(
    folder: str | os.PathLike[str],
    name: str,
    entries: Sequence[str | tuple[str, ...]],
    hint: str = "",
) -> Path:
    """Find the folder that holds a dataset: the user's, or one up to two levels below it.

    Args:
        folder: The folder that the user named.
        name: The dataset's.
        entries: Required files and folders, relative to it; of a tuple, one is required.
        hint: A sentence for the error if they are not.

    Returns:
        The folder that holds all of `entries`.

    Raises:
        FileNotFoundError: There is none. The message lists expected and existing entries.
        NotADirectoryError: `folder` is a file.
        ValueError: There are several.
    """
    top = Path(folder)
    if not top.exists():
        raise FileNotFoundError(f"`folder` does not exist. Received: {top}")
    if not top.is_dir():
        raise NotADirectoryError(f"`folder` must be a folder. Received: {top}")
    level, looked_at = [top], []
    for depth in range(_DEPTH + 1):
        complete = [place for place in level if not _missing(place, entries)]
        if len(complete) == 1:
            return complete[0]
        if complete:
            raise ValueError(
                f"`folder` holds more than one folder that looks like {dataset_info(name).title}: "
                f"{shorten(str(place) for place in complete)}. Name one of them. Received: {top}"
            )
        looked_at += level
        if depth < _DEPTH:
            level = [below for place in level for below in _subfolders(place)]
    raise FileNotFoundError(_not_found(top, name, entries, hint, looked_at))


def require_files(paths: Sequence[Path], named_in: Path) -> None:
    """Raise FileNotFoundError unless all the files are there.

    Args:
        paths: The files.
        named_in: The list or table that names them.
    """
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing):,} of the {len(paths):,} files that {named_in} names are not there, "
            f"the first being {missing[0]}. Received: {named_in}"
        )


def match_name(path: Path, pattern: re.Pattern[str], example: str) -> re.Match[str]:
    """Match a file's name from its beginning, or raise ValueError that shows an `example`."""
    match = pattern.match(path.name)
    if match is None:
        raise ValueError(f"File name is not like {example}. Received: {path}")
    return match


def load_mat(path: Path) -> dict[str, Any]:
    """Read a MATLAB file of versions 4 to 7.2; ValueError if it is not one."""
    scipy_io = require("scipy.io", "Reading MATLAB files", "matlab")
    check_regular(path)
    try:
        return scipy_io.loadmat(path)
    # Broken files give errors of every kind, some of them scipy's own.
    except Exception as error:
        raise ValueError(f"Cannot read the MATLAB file: {error}. Received: {path}") from error


def open_mat73(path: Path) -> Any:
    """Open a MATLAB file of version 7.3, which is HDF5; ValueError if it is not one."""
    h5py = require("h5py", "Reading MATLAB 7.3 files", "matlab")
    check_regular(path)
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"Cannot read the MATLAB 7.3 file: {error}. Received: {path}") from error


def _not_found(
    top: Path,
    name: str,
    entries: Sequence[str | tuple[str, ...]],
    hint: str,
    looked_at: Sequence[Path],
) -> str:
    """Return a message that lists the expected and the existing entries."""
    info = dataset_info(name)
    nearest = min(looked_at, key=lambda place: len(_missing(place, entries)))
    missing = _missing(nearest, entries)
    found = sorted(path.name for path in top.iterdir() if not is_system_name(path.name))
    lines = [
        f"No {info.title} in `folder`, nor up to {_DEPTH} folders below it.",
        f"Looked for: {', '.join(_text(entry) for entry in entries)}.",
        f"Found: {shorten(found) or 'nothing'}.",
    ]
    if len(missing) < len(entries):
        lines.append(f"Nearest: {nearest}, which lacks {', '.join(missing)}.")
    if hint:
        lines.append(hint)
    layout = "\n".join(f"    {line}" for line in info.layout.splitlines())
    return "\n".join([*lines, f"Its layout is\n{layout}", f"Received: {top}"])


def _missing(place: Path, entries: Sequence[str | tuple[str, ...]]) -> list[str]:
    """Return those of the entries that are not in a folder."""
    return [
        _text(entry)
        for entry in entries
        if not any((place / one).exists() for one in ([entry] if isinstance(entry, str) else entry))
    ]


def _text(entry: str | tuple[str, ...]) -> str:
    return entry if isinstance(entry, str) else " or ".join(entry)


def _subfolders(place: Path) -> list[Path]:
    """Return the folders in a folder, without hidden ones and those that may not be read."""
    # Entries of scandir store their type; a call of stat for each file would be slow.
    with os.scandir(place) as entries:
        return sorted(
            Path(entry.path)
            for entry in entries
            if entry.is_dir() and not is_system_name(entry.name) and os.access(entry.path, os.R_OK)
        )
