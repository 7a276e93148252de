"""Users' own images: a folder per person, names in Market-1501's style, or a table."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_osnet._utils.checks import path_of
from keras_osnet._utils.text import shorten
from keras_osnet._utils.warn_user import warn_user
from keras_osnet.data.datasets._table_file import canonical
from keras_osnet.data.datasets.market1501 import JUNK, named_image, parse_market1501_name
from keras_osnet.data.datasets.table import people_from_table
from keras_osnet.data.list_images import find_images, list_images
from keras_osnet.data.records import PersonImage, ReidDataset

_TABLES = (".csv", ".tsv", ".parquet")

_PARTS = (
    "train", "test", "val", "validation", "query", "queries", "gallery", "probe",
    "bounding_box_train", "bounding_box_test",
)  # fmt: skip
"""Sub-folders of these names are parts of a dataset, not people."""


def read_people(path: str | os.PathLike[str], *, camera_pattern: str | None = None) -> ReidDataset:
    r"""Read your own images of people in any of three layouts.

    | layout | reader |
    | --- | --- |
    | a `.csv` or `.parquet` file | `people_from_table` |
    | a folder of files named as Market-1501's, `0002_c1s1_000451_03.jpg` | `read_folder` |
    | a folder with a sub-folder for each person | `identity_folders` |

    Files named as Market-1501's may be in sub-folders. Then their names count, not those of the
    folders, unless `camera_pattern` is given.

    A warning counts and names everything left out: files that are no images, folders without any,
    links to other images, and, of files named as Market-1501's, junk (identity -1).

    Args:
        path: The folder or table.
        camera_pattern: Of a folder with a sub-folder for each person: a regular expression whose
            first group is the camera's number, searched in each path below the sub-folder, such as
            `r"cam(\d+)"`. None if cameras are not known.

    Returns:
        The dataset, named after the folder or table. All images are in `train`, unless a table has
        a column `split`; `split_by_identity`, `split_by_camera` and `split_queries` divide them.

    Raises:
        FileNotFoundError: There is no such folder or table, or a table's images are not there.
        ValueError: The layout is another one, or a mixture; the message describes expected and
            existing files. Or the reader of the layout raises one.
        ImportError: A table is Parquet and pyarrow is not installed.

    Example:
        >>> from keras_osnet.synthetic import write_synthetic_people
        >>> folder = getfixture("tmp_path") / "synthetic"
        >>> _ = write_synthetic_people(folder, 3, cameras=2, views=1, image_size=(32, 16))
        >>> people = read_people(folder)
        >>> people.name, people.counts["identities"], people.counts["cameras"]
        ('synthetic', 3, 2)
    """
    place = path_of("path", path)
    if place.suffix.lower() in _TABLES and not place.is_dir():
        if camera_pattern is not None:
            raise ValueError(
                "`camera_pattern` is for a folder with a sub-folder for each person; a table has "
                f"cameras in its column `camera`. Received: {camera_pattern!r} for {place}"
            )
        return people_from_table(place)
    if place.is_file():
        raise ValueError(
            f"`path` must be a folder, or a table ({', '.join(_TABLES)}); save one of another kind "
            f"as CSV. Received: {place}"
        )
    found = find_images(place)
    if found.left_out:
        warn_user(found.describe())
    paths = found.paths
    by_name = [path for path in paths if _is_named_as_market1501(path)]
    folders = sorted({_top_folder(path, place) for path in paths})
    if camera_pattern is None and len(by_name) == len(paths):
        images = _named_people(place, paths)
    elif "" not in folders and (camera_pattern is not None or not by_name):
        _check_person_folders(place, folders)
        images = _people_in_folders(place, paths, camera_pattern)
    else:
        raise ValueError(_what_was_found(place, paths, by_name, camera_pattern))
    return ReidDataset(name=place.resolve().name, train=tuple(_each_once(images)))


def identity_folders(
    folder: str | os.PathLike[str], camera_pattern: str | None = None
) -> list[PersonImage]:
    r"""List the images of a folder that has a sub-folder for each person.

    People are numbered in the order of the sub-folders' names, from 1, and keep the names, see
    `ReidDataset.identity_names`. Images may be deeper: `anna/entrance/0001.jpg` shows anna.

    Args:
        folder: The folder.
        camera_pattern: A regular expression whose first group is the camera's number, searched
            in each path below the sub-folder: `r"cam(\d+)"`. None if cameras are not known.

    Returns:
        The images, sorted by path.

    Raises:
        FileNotFoundError: There is no such folder.
        NotADirectoryError: `folder` is a file.
        ValueError: There are no images, some are in no sub-folder, `camera_pattern` is not a
            regular expression with a group, a path does not match it, or the group is no number.
    """
    root = path_of("folder", folder)
    return _people_in_folders(root, list_images(root), camera_pattern)


def _people_in_folders(
    root: Path, paths: Sequence[Path], camera_pattern: str | None
) -> list[PersonImage]:
    """Return images with the labels that their folders and the pattern give them."""
    pattern = None if camera_pattern is None else _compiled(camera_pattern)
    below = {path: path.relative_to(root).parts for path in paths}
    stray = [path for path in paths if len(below[path]) == 1]
    if stray:
        raise ValueError(
            f"`folder` must have a sub-folder for each person, and every image be in one. "
            f"Received: {root} with {len(stray):,} images outside, such as {stray[0].name}"
        )
    names = sorted({parts[0] for parts in below.values()})
    alike: dict[str, str] = {}
    for name in names:
        other = alike.setdefault(canonical(name).casefold(), name)
        if other != name:
            warn_user(
                f"The sub-folders {other!r} and {name!r} of {root} have nearly the same name and "
                "are taken for two people."
            )
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


def _named_people(root: Path, paths: Sequence[Path]) -> list[PersonImage]:
    """Return images with the labels in their names, without junk, and say who counts otherwise."""
    images = [named_image(path) for path in paths]
    written: dict[int, Path] = {}
    for image in images:
        other = written.setdefault(image.identity, image.path)
        if other.name.partition("_")[0] != image.path.name.partition("_")[0]:
            raise ValueError(
                f"The files must write the identity {image.identity} in one way. "
                f"Received: {other} and {image.path}"
            )
    people = [image for image in images if image.identity != JUNK]
    if len(people) < len(images):
        warn_user(
            f"Junk as in Market-1501 (identity {JUNK}) is left out of {root}: "
            f"{len(images) - len(people):,} of {len(images):,} images."
        )
    distractors = [image for image in people if image.distractor]
    if distractors:
        warn_user(
            f"Distractors as in Market-1501 (identity 0) are in {root}, {len(distractors):,} of "
            f"{len(people):,} images, such as {distractors[0].path.name}: they are searched but "
            "are nobody to train on or look for. Give a person another number."
        )
    if not people:
        raise ValueError(f"`path` holds junk only (identity {JUNK}). Received: {root}")
    return people


def _each_once(images: Sequence[PersonImage]) -> list[PersonImage]:
    """Leave out links to other images, or raise ValueError if these show another person."""
    first: dict[Any, PersonImage] = {}
    repeated = []
    for image in images:
        status = image.path.stat()
        key = (status.st_dev, status.st_ino) if status.st_ino else image.path
        other = first.setdefault(key, image)
        if other.identity != image.identity:
            raise ValueError(
                "An image must show one person. "
                f"Received: {other.path} and {image.path}, which are the same file"
            )
        if other is not image:
            repeated.append(image)
    if repeated:
        warn_user(
            f"Links to other images are left out, {len(repeated):,} of {len(images):,}: "
            f"{shorten(str(image.path) for image in repeated)}."
        )
    return list(first.values())


def _compiled(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a camera's number."""
    needed = r'`camera_pattern` must be a regular expression with a group, such as "cam(\d+)"'
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{needed}: {error}. Received: {pattern!r}") from error
    if not compiled.groups:
        raise ValueError(f"{needed}. Received: {pattern!r}")
    return compiled


def _camera(path: str, pattern: re.Pattern[str]) -> int:
    """Return the camera's number in a path."""
    match = pattern.search(path)
    if match is None:
        raise ValueError(f"`camera_pattern` {pattern.pattern!r} does not match. Received: {path}")
    if not re.fullmatch(r"\d{1,18}", match[1] or ""):
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
    """Return the sub-folder of `root` that an image is in; empty if it is in none."""
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 else ""


def _check_person_folders(root: Path, folders: Sequence[str]) -> None:
    """Raise ValueError for sub-folders that are hardly one for each person."""
    parts = [name for name in folders if name.lower() in _PARTS]
    if parts:
        raise ValueError(
            "`path` must have a sub-folder for each person, and these are parts of a dataset: "
            f"{shorten(parts)}. Name one of them, or list the images in a table with a column "
            f"`split`. Received: {root}"
        )
    if len(folders) == 1:
        raise ValueError(
            "`path` must have a sub-folder for each person, of at least two people. "
            f"Received: {root} with {folders[0]} only"
        )


def _what_was_found(
    root: Path, paths: Sequence[Path], by_name: Sequence[Path], camera_pattern: str | None
) -> str:
    """Return a message that describes the expected and the existing files."""
    named = frozenset(by_name)
    outside = [path for path in paths if not _top_folder(path, root)]
    otherwise = [path for path in paths if path not in named]
    counts = f"{len(by_name):,} are named so"
    if by_name and otherwise:
        counts += f" (not {otherwise[0].name})"
    counts += f", {len(paths) - len(outside):,} are in sub-folders"
    if outside and len(outside) < len(paths):
        counts += f" (not {outside[0].name})"
    looked_for = (
        "either all be named as Market-1501's, IDENTITY_cCAMERA…, for example "
        "0002_c1s1_000451_03.jpg, or none of them, and all be in sub-folders, one for each person"
    )
    if camera_pattern is not None:
        looked_for = "all be in sub-folders, one for each person, as `camera_pattern` is given"
    return (
        f"The images in `path` must {looked_for}; or `path` be a table ({', '.join(_TABLES)}). "
        f"Received: {root} with {len(paths):,} images, of which {counts}"
    )
