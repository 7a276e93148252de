"""Users' own pictures: a folder for each person, or whatever else is there."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from keras_osnet.data.datasets.layout import shorten
from keras_osnet.data.datasets.records import ReidDataset
from keras_osnet.data.datasets.table import people_from_table
from keras_osnet.data.images import list_images
from keras_osnet.data.records import PersonImage, parse_market1501_name, read_folder

_TABLES = (".csv", ".parquet")

_PARTS = (
    "train", "test", "val", "validation", "query", "queries", "gallery", "probe",
    "bounding_box_train", "bounding_box_test",
)  # fmt: skip
"""Sub-folders of these names divide a dataset; nobody is called so."""


def read_people(path: str | os.PathLike[str], *, camera_pattern: str | None = None) -> ReidDataset:
    r"""Read your own pictures of people, recognised by what is there.

    | what is there | what it is read by |
    | --- | --- |
    | a `.csv` or `.parquet` file | `people_from_table` |
    | a folder of files named as Market-1501's, `0002_c1s1_000451_03.jpg` | `read_folder` |
    | a folder with a sub-folder for each person | `identity_folders` |

    Files named as Market-1501's may lie in sub-folders. Their names count then, not the folders',
    unless `camera_pattern` says that the cameras are to be found elsewhere.

    Args:
        path: The folder or table.
        camera_pattern: Of a folder with a sub-folder for each person: a regular expression whose
            first group is the camera's number, searched for in each path below the sub-folder, such
            as `r"cam(\d+)"`. None if cameras are not known.

    Returns:
        The dataset, named after the folder or table. All pictures are in `train`, as what to do
        with them has not been said, unless a table has a column `split`; `split_by_identity`,
        `split_by_camera` and `split_queries` divide them.

    Raises:
        FileNotFoundError: If there is no such folder or table, or a table's pictures are not there.
        ValueError: If what is there is none of the three, or is in part one and in part another;
            the message says what was looked for and what was found. Or for what the function that
            reads it refuses.
        ImportError: If a table is Parquet and pyarrow is not installed.

    Example:
        >>> from keras_osnet.synthetic import write_synthetic_people
        >>> folder = getfixture("tmp_path") / "drawn"
        >>> _ = write_synthetic_people(folder, 3, cameras=2, views=1, image_size=(32, 16))
        >>> people = read_people(folder)
        >>> people.name, people.counts["identities"], people.counts["cameras"]
        ('drawn', 3, 2)
    """
    place = Path(path)
    if place.suffix.lower() in _TABLES and not place.is_dir():
        if camera_pattern is not None:
            raise ValueError(
                "`camera_pattern` is for a folder with a sub-folder for each person; a table has "
                f"cameras in its column `camera`. Received: {camera_pattern!r} for {place}"
            )
        return people_from_table(place)
    if place.is_file():
        raise ValueError(
            f"`path` must be a folder, or a table ({', '.join(_TABLES)}). Received: {place}"
        )
    pictures = list_images(place)
    by_name = [picture for picture in pictures if _is_named_as_market1501(picture)]
    folders = sorted({_top_folder(picture, place) for picture in pictures})
    if camera_pattern is None and len(by_name) == len(pictures):
        images = read_folder(place)
    elif "" not in folders and (camera_pattern is not None or not by_name):
        _check_person_folders(place, folders)
        images = identity_folders(place, camera_pattern)
    else:
        raise ValueError(_what_was_found(place, pictures, by_name, camera_pattern))
    return ReidDataset(name=place.resolve().name, train=tuple(images))


def identity_folders(
    folder: str | os.PathLike[str], camera_pattern: str | None = None
) -> list[PersonImage]:
    r"""List the pictures of a folder that has a sub-folder for each person.

    People are numbered in the order of the sub-folders' names, from 1, and keep the names, see
    `ReidDataset.identity_names`. Pictures may lie deeper: `anna/entrance/0001.jpg` shows anna.

    Args:
        folder: The folder.
        camera_pattern: A regular expression whose first group is the camera's number, searched
            for in each path below the sub-folder: `r"cam(\d+)"`. None if cameras are not known.

    Returns:
        The pictures, sorted by path.

    Raises:
        FileNotFoundError: If there is no such folder.
        NotADirectoryError: If `folder` is a file.
        ValueError: If there are no pictures, some lie in no sub-folder, `camera_pattern` is not a
            regular expression with a group, a path does not match it, or the group is no number.
    """
    pattern = None if camera_pattern is None else _compiled(camera_pattern)
    root = Path(folder)
    paths = list_images(root)
    below = {path: path.relative_to(root).parts for path in paths}
    stray = [path for path in paths if len(below[path]) == 1]
    if stray:
        raise ValueError(
            f"`folder` must have a sub-folder for each person, and every picture be in one. "
            f"Received: {root} with {len(stray):,} pictures outside, such as {stray[0].name}"
        )
    names = sorted({parts[0] for parts in below.values()})
    identities = {name: number for number, name in enumerate(names, start=1)}
    return [
        PersonImage(
            path,
            identities[below[path][0]],
            None if pattern is None else _camera("/".join(below[path][1:]), pattern),
            name=below[path][0],
        )
        for path in paths
    ]


def _compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression of a camera's number."""
    needed = r'`camera_pattern` must be a regular expression with a group, such as "cam(\d+)"'
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{needed}: {error}. Received: {pattern!r}") from error
    if not compiled.groups:
        raise ValueError(f"{needed}. Received: {pattern!r}")
    return compiled


def _camera(path: str, pattern: re.Pattern[str]) -> int:
    """The camera's number in a path."""
    match = pattern.search(path)
    if match is None:
        raise ValueError(f"`camera_pattern` {pattern.pattern!r} does not match. Received: {path}")
    if not (match[1] or "").isdecimal():
        raise ValueError(
            f"The first group of `camera_pattern` {pattern.pattern!r} must be a number. "
            f"Received: {match[1]!r} in {path}"
        )
    return int(match[1])


def _is_named_as_market1501(path: Path) -> bool:
    try:
        parse_market1501_name(path)
    except ValueError:
        return False
    return True


def _top_folder(path: Path, root: Path) -> str:
    """The sub-folder of `root` that a picture is in; empty if it is in none."""
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 else ""


def _check_person_folders(root: Path, folders: Sequence[str]) -> None:
    """Refuse what has sub-folders, but hardly one for each person."""
    parts = [name for name in folders if name.lower() in _PARTS]
    if parts:
        raise ValueError(
            "`path` must have a sub-folder for each person, and these are parts of a dataset: "
            f"{shorten(parts)}. Name one of them, or list the pictures in a table with a column "
            f"`split`. Received: {root}"
        )
    if len(folders) == 1:
        raise ValueError(
            "`path` must have a sub-folder for each person, of at least two people. "
            f"Received: {root} with {folders[0]} only"
        )


def _what_was_found(
    root: Path, pictures: Sequence[Path], by_name: Sequence[Path], camera_pattern: str | None
) -> str:
    """Say what was looked for and what there is."""
    named = frozenset(by_name)
    outside = [path for path in pictures if not _top_folder(path, root)]
    otherwise = [path for path in pictures if path not in named]
    counts = f"{len(by_name):,} are named so"
    if by_name and otherwise:
        counts += f" (not {otherwise[0].name})"
    counts += f", {len(pictures) - len(outside):,} are in sub-folders"
    if outside and len(outside) < len(pictures):
        counts += f" (not {outside[0].name})"
    looked_for = (
        "either all be named as Market-1501's, IDENTITY_cCAMERA…, for example "
        "0002_c1s1_000451_03.jpg, or none of them, and all be in sub-folders, one for each person"
    )
    if camera_pattern is not None:
        looked_for = "all be in sub-folders, one for each person, as `camera_pattern` is given"
    return (
        f"The pictures in `path` must {looked_for}; or `path` be a table ({', '.join(_TABLES)}). "
        f"Received: {root} with {len(pictures):,} pictures, of which {counts}"
    )
