"""MSMT17, divided by lists of files."""

import re
from dataclasses import replace
from pathlib import Path

from keras_osnet.data.datasets._files import find_root, match_name, require_files
from keras_osnet.data.records import PersonImage, ReidDataset

_FOLDERS = {"v1": ("train", "test"), "v2": ("mask_train_v2", "mask_test_v2")}
_LISTS = ("list_train.txt", "list_val.txt", "list_query.txt", "list_gallery.txt")
_NAME = re.compile(r"[^_]+_[^_]+_(\d+)_")


def read_msmt17(folder: Path, version: str) -> ReidDataset:
    """Read MSMT17, with its validation images apart from the training images.

    The lists number training people and test people from 0 each. Here the numbers of the latter
    follow those of the former, so that an identity is one person.
    """
    train_folder, test_folder = _FOLDERS[version]
    root = find_root(
        folder,
        "msmt17",
        (train_folder, test_folder, *_LISTS),
        hint=f"This looks for version {version!r}; the folders of the other are named differently.",
    )
    train = _read_list(root / "list_train.txt", root / train_folder)
    validation = _read_list(root / "list_val.txt", root / train_folder)
    first = 1 + max(image.identity for image in train + validation)
    query, gallery = (
        tuple(
            replace(image, identity=first + image.identity)
            for image in _read_list(root / name, root / test_folder)
        )
        for name in ("list_query.txt", "list_gallery.txt")
    )
    return ReidDataset(
        name="msmt17",
        train=train,
        query=query,
        gallery=gallery,
        validation=validation,
        version=version,
    )


def _read_list(path: Path, folder: Path) -> tuple[PersonImage, ...]:
    """Return the images of a list whose lines are `<path> <identity>`."""
    images = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        name, _, identity = line.strip().rpartition(" ")
        if not name or not identity.isdecimal():
            raise ValueError(
                f"A line of a list of MSMT17 is a path and an identity. Received: {line!r}, "
                f"line {number} of {path}"
            )
        image = folder / name
        camera = match_name(image, _NAME, "0000_000_01_0303morning_0008_0.jpg")[1]
        images.append(PersonImage(image, int(identity), int(camera)))
    if not images:
        raise ValueError(f"The list is empty. Received: {path}")
    require_files([image.path for image in images], named_in=path)
    return tuple(images)
