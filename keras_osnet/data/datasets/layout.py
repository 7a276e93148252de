"""Finding a dataset's files in the folder that a user names."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from keras_osnet.data.datasets.published import dataset_info

_DEPTH = 2
"""How far below the user's folder to look: archives unpack into a folder, that into another."""

_SHOWN = 8


def find_root(
    folder: str | os.PathLike[str],
    name: str,
    entries: Sequence[str | tuple[str, ...]],
    hint: str = "",
) -> Path:
    """Find the folder that holds a dataset, which is the user's or a little below it.

    Args:
        folder: What the user named.
        name: The dataset's.
        entries: Files and folders that have to be there, relative to it; of a tuple, one.
        hint: A sentence for the error if they are not.

    Returns:
        The folder that holds all of `entries`.

    Raises:
        FileNotFoundError: If there is none. Says what was looked for and what was found.
        NotADirectoryError: If `folder` is a file.
        ValueError: If there are several.
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


def _not_found(
    top: Path,
    name: str,
    entries: Sequence[str | tuple[str, ...]],
    hint: str,
    looked_at: Sequence[Path],
) -> str:
    """Say what was looked for, where, and what was found."""
    info = dataset_info(name)
    nearest = min(looked_at, key=lambda place: len(_missing(place, entries)))
    missing = _missing(nearest, entries)
    found = sorted(path.name for path in top.iterdir() if not path.name.startswith("."))
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
    """Those of the entries that are not in a folder."""
    return [
        _text(entry)
        for entry in entries
        if not any((place / one).exists() for one in ([entry] if isinstance(entry, str) else entry))
    ]


def _text(entry: str | tuple[str, ...]) -> str:
    return entry if isinstance(entry, str) else " or ".join(entry)


def _subfolders(place: Path) -> list[Path]:
    """The folders in a folder, without hidden ones and those that may not be read."""
    # Entries of scandir know what they are; asking each file of a large folder would be slow.
    with os.scandir(place) as entries:
        return sorted(
            Path(entry.path)
            for entry in entries
            if entry.is_dir() and not entry.name.startswith(".") and os.access(entry.path, os.R_OK)
        )


def shorten(names: Iterable[str]) -> str:
    """The first few of the names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
