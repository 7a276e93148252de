"""CUHK03: boxes drawn by a detector or by hand, divided the new way or the classic one."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from keras_osnet.data.datasets.layout import find_root, match_name, require_files
from keras_osnet.data.datasets.optional import load_mat, open_mat73
from keras_osnet.data.datasets.records import ReidDataset
from keras_osnet.data.images import list_images
from keras_osnet.data.records import PersonImage

ARCHIVE = "cuhk03_release/cuhk-03.mat"

_NAME = re.compile(r"(\d+)_(\d+)_([12])_\d+\.")

_PAIR_STEP = 10_000
"""Each pair of cameras counts its people anew: person 17 of pair 2 becomes 20017."""

_EXTRACT = f"Pictures are taken out of {ARCHIVE} by keras_osnet.data.extract_cuhk03(folder), once."


def read_cuhk03(folder: Path, version: str, split: int) -> ReidDataset:
    """Read CUHK03.

    Versions "detected" and "labeled" have the new division into 767 and 700 people, those that
    begin with "classic-" the 20 divisions into 1,367 and 100, where the pictures of the 100 are
    both queries and gallery, and one gallery picture per person is drawn at a time.

    Cameras are the two views of a person's pair of cameras.
    """
    classic, _, kind = version.rpartition("-")
    pictures = f"images_{kind}"
    if not classic:
        config, saved = f"cuhk03_new_protocol_config_{kind}.mat", f"splits_new_{kind}.json"
        root = find_root(folder, "cuhk03", (pictures, (config, saved)), _EXTRACT)
        if (root / config).is_file():
            source, names = root / config, _new_split(root / config)
        else:
            source, names = root / saved, _saved_split(root / saved, split)
    else:
        saved = f"splits_classic_{kind}.json"
        root = find_root(folder, "cuhk03", (pictures, (ARCHIVE, saved)), _EXTRACT)
        if (root / ARCHIVE).is_file():
            source = root / ARCHIVE
            everything = [path.name for path in list_images(root / pictures)]
            names = _classic_split(root / ARCHIVE, everything, split)
        else:
            source, names = root / saved, _saved_split(root / saved, split)
    train, query, gallery = (
        tuple(_person(root / pictures / name) for name in part) for part in names
    )
    require_files([image.path for image in (*train, *query, *gallery)], named_in=source)
    return ReidDataset(
        name="cuhk03",
        train=train,
        query=query,
        gallery=gallery,
        single_gallery_shot=bool(classic),
        version=version,
    )


_Names = tuple[Iterable[str], Iterable[str], Iterable[str]]
"""File names to train on, of queries and of the gallery."""


def _new_split(path: Path) -> _Names:
    """The division of the new protocol, from its authors' file."""
    config = load_mat(path)
    try:
        files = [str(cell.item()) for cell in config["filelist"].ravel()]
        train, query, gallery = (
            [files[number - 1] for number in config[f"{part}_idx"].ravel().tolist()]
            for part in ("train", "query", "gallery")
        )
    except (KeyError, IndexError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"Cannot find the new split of CUHK03 in the file: {error!r}. Received: {path}"
        ) from error
    return train, query, gallery


def _classic_split(path: Path, everything: list[str], split: int) -> _Names:
    """One of the 20 classic divisions, from the dataset's own file."""
    try:
        with open_mat73(path) as archive:
            rows = archive[archive["testsets"][()].ravel()[split]][()].T
        held_out = {(int(pair), int(person)) for pair, person in rows}
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(
            f"Cannot find test set {split} of CUHK03 in the file: {error!r}. Received: {path}"
        ) from error

    def is_held_out(name: str) -> bool:
        match = match_name(Path(name), _NAME, "1_001_1_01.png")
        return (int(match[1]), int(match[2])) in held_out

    test = [name for name in everything if is_held_out(name)]
    return [name for name in everything if not is_held_out(name)], test, test


def _saved_split(path: Path, split: int) -> _Names:
    """A division as torchreid saves it; only file names are used, as paths are of its machine."""
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))[split]
        train, query, gallery = (
            [re.split(r"[\\/]", row[0])[-1] for row in parts[part]]
            for part in ("train", "query", "gallery")
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"Not a file of splits as torchreid saves them, with split {split} in it: {error!r}. "
            f"Received: {path}"
        ) from error
    return train, query, gallery


def _person(path: Path) -> PersonImage:
    """A picture with the labels that its name has."""
    match = match_name(path, _NAME, "1_001_1_01.png")
    return PersonImage(path, int(match[1]) * _PAIR_STEP + int(match[2]), int(match[3]))
