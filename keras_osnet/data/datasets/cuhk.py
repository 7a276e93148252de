"""CUHK01, CUHK02 and CUHK03.

The people of CUHK01 are in CUHK02, so do not merge these two. CUHK03 has boxes drawn by a
detector or by hand, and a new and a classic protocol.
"""

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from keras_osnet._utils.files import atomic_path, read_bytes
from keras_osnet.data.datasets._files import (
    find_root,
    load_mat,
    match_name,
    open_mat73,
    require_files,
)
from keras_osnet.data.datasets.small_datasets import two_view_split
from keras_osnet.data.images import require_pillow
from keras_osnet.data.list_images import list_images
from keras_osnet.data.records import PersonImage, ReidDataset

_CUHK01_NAME = re.compile(r"(\d{4})(\d{3})\.")
_CUHK02_NAME = re.compile(r"(\d+)_")
_CUHK03_NAME = re.compile(r"(\d+)_(\d+)_([12])_\d+\.")

_LARGEST = 1 << 30

_PAIR_STEP = 10_000
"""CUHK02 and CUHK03 number the people of each pair of cameras from 1: person 17 of pair 2 becomes
20017."""

_TEST_PAIR = 5
"""Camera pair of CUHK02 that is for testing."""

_ARCHIVE = "cuhk03_release/cuhk-03.mat"

_PER_VIEW = 5
"""Images of each of a person's two views in the archive."""

_EXTRACT = f"keras_osnet.data.extract_cuhk03(folder) extracts the images from {_ARCHIVE}, once."

_Names = tuple[Iterable[str], Iterable[str], Iterable[str]]
"""File names of training images, queries and gallery."""


def read_cuhk01(folder: Path, version: str, split: int) -> ReidDataset:
    """Read CUHK01; a random half of the people is for training.

    Images 1 and 2 of a person are from one camera, 3 and 4 from the other; version "a-to-b"
    searches the former among the latter, "b-to-a" the other way round.
    """
    root = find_root(folder, "cuhk01", ("campus",))
    images = []
    for path in list_images(root / "campus"):
        match = match_name(path, _CUHK01_NAME, "0001001.png")
        images.append(PersonImage(path, int(match[1]), (int(match[2]) + 1) // 2))
    return two_view_split("cuhk01", images, version, split)


def read_cuhk02(folder: Path, version: str) -> ReidDataset:
    """Read CUHK02: camera pairs P1 to P4 for training, P5 for testing, from its first camera."""
    views = [(pair, view) for pair in range(1, _TEST_PAIR + 1) for view in (1, 2)]
    root = find_root(folder, "cuhk02", [f"P{pair}/cam{view}" for pair, view in views])
    images = {
        (pair, view): tuple(
            PersonImage(
                path,
                identity=pair * _PAIR_STEP + int(match_name(path, _CUHK02_NAME, "001_01.png")[1]),
                camera=2 * (pair - 1) + view,
            )
            for path in list_images(root / f"P{pair}/cam{view}")
        )
        for pair, view in views
    }
    return ReidDataset(
        name="cuhk02",
        train=tuple(
            image for pair, view in views if pair != _TEST_PAIR for image in images[pair, view]
        ),
        query=images[_TEST_PAIR, 1],
        gallery=images[_TEST_PAIR, 2],
        version=version,
    )


def read_cuhk03(folder: Path, version: str, split: int) -> ReidDataset:
    """Read CUHK03.

    Versions "detected" and "labeled" have the new split into 767 and 700 people, those that begin
    with "classic-" the 20 splits into 1,367 and 100, where the images of the 100 are both queries
    and gallery, and one gallery image per person is drawn at a time.

    Cameras are the two views of a person's pair of cameras.
    """
    classic, _, kind = version.rpartition("-")
    images = f"images_{kind}"
    if not classic:
        config, saved = f"cuhk03_new_protocol_config_{kind}.mat", f"splits_new_{kind}.json"
        root = find_root(folder, "cuhk03", (images, (config, saved)), _EXTRACT)
        if (root / config).is_file():
            source, names = root / config, _new_split(root / config)
        else:
            source, names = root / saved, _saved_split(root / saved, split)
    else:
        saved = f"splits_classic_{kind}.json"
        root = find_root(folder, "cuhk03", (images, (_ARCHIVE, saved)), _EXTRACT)
        if (root / _ARCHIVE).is_file():
            source = root / _ARCHIVE
            every = [path.name for path in list_images(root / images)]
            names = _classic_split(root / _ARCHIVE, every, split)
        else:
            source, names = root / saved, _saved_split(root / saved, split)
    train, query, gallery = (
        tuple(_cuhk03_image(root / images / name) for name in part) for part in names
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


def _new_split(path: Path) -> _Names:
    """Return the split of the new protocol, from its authors' file."""
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


def _classic_split(path: Path, every: list[str], split: int) -> _Names:
    """Return one of the 20 classic splits, from the dataset's own file."""
    try:
        with open_mat73(path) as archive:
            rows = archive[archive["testsets"][()].ravel()[split]][()].T
        held_out = {(int(pair), int(person)) for pair, person in rows}
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(
            f"Cannot find test set {split} of CUHK03 in the file: {error!r}. Received: {path}"
        ) from error

    def is_held_out(name: str) -> bool:
        match = match_name(Path(name), _CUHK03_NAME, "1_001_1_01.png")
        return (int(match[1]), int(match[2])) in held_out

    test = [name for name in every if is_held_out(name)]
    return [name for name in every if not is_held_out(name)], test, test


def _saved_split(path: Path, split: int) -> _Names:
    """Return a split as torchreid saves it; only the file names of its absolute paths count."""
    try:
        parts = json.loads(read_bytes(path, _LARGEST))[split]
        train, query, gallery = (
            [re.split(r"[\\/]", row[0])[-1] for row in parts[part]]
            for part in ("train", "query", "gallery")
        )
    except (KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"Not a file of splits as torchreid saves them, with split {split} in it: {error!r}. "
            f"Received: {path}"
        ) from error
    return train, query, gallery


def _cuhk03_image(path: Path) -> PersonImage:
    """Return an image with the labels in its name."""
    match = match_name(path, _CUHK03_NAME, "1_001_1_01.png")
    return PersonImage(path, int(match[1]) * _PAIR_STEP + int(match[2]), int(match[3]))


def extract_cuhk03(folder: str | os.PathLike[str]) -> Path:
    """Extract the images of CUHK03 to `images_detected` and `images_labeled`, as PNG files.

    Names are those of torchreid and of the new protocol, `1_001_2_07.png`: pair of cameras,
    person, view, image (1 to 5 of view 1, 6 to 10 of view 2). Existing images stay, so an
    interrupted run is completed by the same call.

    Args:
        folder: The folder that has `cuhk03_release/cuhk-03.mat` in it.

    Returns:
        The folder with the two new ones, for `read_dataset("cuhk03", ...)`.

    Raises:
        FileNotFoundError: The file is not there.
        ImportError: H5py or Pillow is not installed.
    """
    root = find_root(folder, "cuhk03", (_ARCHIVE,))
    pillow = require_pillow()
    with open_mat73(root / _ARCHIVE) as archive:
        for kind in ("detected", "labeled"):
            target = root / f"images_{kind}"
            target.mkdir(exist_ok=True)
            # h5py sees MATLAB's arrays with their axes reversed: this one is images by people.
            for pair, people in enumerate(archive[kind][()].ravel(), start=1):
                for person, references in enumerate(archive[people][()].T, start=1):
                    for number, reference in enumerate(references, start=1):
                        image = archive[reference][()].T
                        view = 1 if number <= _PER_VIEW else 2
                        path = target / f"{pair}_{person:03d}_{view}_{number:02d}.png"
                        # Where there are fewer than ten images, the cell is empty.
                        if image.ndim == 3 and not path.exists():
                            with atomic_path(path) as unfinished:
                                pillow.fromarray(image).save(unfinished, format="PNG")
    return root
