"""Market-1501, DukeMTMC-reID, folders in their layout, and MSMT17.

A file of Market-1501 is named after its content, `0002_c1s1_000451_03.jpg`: identity 2, camera 1,
sequence 1, frame 451, box 3. Identity 0000 marks distractors, people who match no query; identity
-1 marks junk, boxes too poor to count as either right or wrong.
"""

import os
import re
from dataclasses import replace
from pathlib import Path

from keras_osnet._utils.files import read_bytes
from keras_osnet._utils.text import decode_text
from keras_osnet.data.datasets._files import find_root, match_name, require_files
from keras_osnet.data.list_images import list_images
from keras_osnet.data.records import PersonImage, ReidDataset

_NAME = re.compile(r"(-1|\d{1,18})_c(\d{1,18})(?=[s_.]|$)")

JUNK = -1

_PARTS = ("bounding_box_train", "query", "bounding_box_test")
_MORE_DISTRACTORS = "images"


def read_market1501(folder: Path, version: str) -> ReidDataset:
    """Read Market-1501 without junk (identity -1), with distractors (identity 0) in the gallery.

    Version "500k" has the 500,000 additional distractors in the gallery as well.
    """
    extended = version == "500k"
    root = find_root(folder, "market1501", (*_PARTS, _MORE_DISTRACTORS) if extended else _PARTS)
    train, query, gallery = (read_folder(root / part) for part in _PARTS)
    if extended:
        gallery += read_folder(root / _MORE_DISTRACTORS)
    return ReidDataset("market1501", tuple(train), tuple(query), tuple(gallery), version=version)


def read_dukemtmcreid(folder: Path, version: str) -> ReidDataset:
    """Read DukeMTMC-reID, whose distractors are people with identities."""
    root = find_root(folder, "dukemtmcreid", _PARTS)
    train, query, gallery = (tuple(read_folder(root / part)) for part in _PARTS)
    return ReidDataset("dukemtmcreid", train, query, gallery, version=version)


def parse_market1501_name(name: str | os.PathLike[str]) -> tuple[int, int]:
    """Parse identity and camera from a file name in Market-1501's style.

    Only the beginning counts, `<identity>_c<camera>`, as in torchreid; the rest differs between the
    datasets that adopted the style.

    Args:
        name: File name, or a path of which the last part is parsed.

    Returns:
        (identity, camera), as in the name.

    Raises:
        ValueError: The name does not begin that way.

    Example:
        >>> parse_market1501_name("0002_c1s1_000451_03.jpg")
        (2, 1)
        >>> parse_market1501_name("-1_c3s2_000001_00.jpg")
        (-1, 3)
    """
    match = _NAME.match(Path(name).name)
    if match is None:
        raise ValueError(
            "File name does not begin like Market-1501's, <identity>_c<camera>, as in "
            f"0002_c1s1_000451_03.jpg. Received: {os.fspath(name)}"
        )
    return int(match[1]), int(match[2])


def read_folder(folder: str | os.PathLike[str], *, keep_junk: bool = False) -> list[PersonImage]:
    """List the images of a folder such as `bounding_box_test`, with their labels.

    Market-1501's protocol removes junk (identity -1) from the gallery: it is neither a match nor a
    mistake. This function leaves it out too. Distractors (identity 0) stay, and are marked: they
    are part of the ranking.

    Args:
        folder: The folder, which is searched as by `list_images`.
        keep_junk: Whether to list junk as well.

    Returns:
        The images, sorted by name.

    Raises:
        FileNotFoundError: There is no such folder.
        NotADirectoryError: `folder` is a file.
        ValueError: A name is not in Market-1501's style, or no images (or only junk) are found.
    """
    paths = list_images(folder)
    people = [image for image in map(named_image, paths) if keep_junk or image.identity != JUNK]
    if not people:
        raise ValueError(
            f"`folder` holds junk only (identity {JUNK}). "
            f"Received: {os.fspath(folder)} with {len(paths)} images"
        )
    return people


def named_image(path: Path) -> PersonImage:
    """Return an image with the labels in its name."""
    identity, camera = parse_market1501_name(path)
    return PersonImage(path, identity, camera, distractor=identity == 0)


_FOLDERS = {"v1": ("train", "test"), "v2": ("mask_train_v2", "mask_test_v2")}
_LISTS = ("list_train.txt", "list_val.txt", "list_query.txt", "list_gallery.txt")
_LARGEST_LIST = 1 << 28
_MSMT17_NAME = re.compile(r"[^_]+_[^_]+_(\d+)_")


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
    text = decode_text(read_bytes(path, _LARGEST_LIST), str(path))
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, _, identity = line.strip().rpartition(" ")
        if not name or not re.fullmatch(r"\d{1,9}", identity):
            raise ValueError(
                f"A line of a list of MSMT17 is a path and an identity. Received: {line!r}, "
                f"line {number} of {path}"
            )
        image = folder / name
        camera = match_name(image, _MSMT17_NAME, "0000_000_01_0303morning_0008_0.jpg")[1]
        images.append(PersonImage(image, int(identity), int(camera)))
    if not images:
        raise ValueError(f"The list is empty. Received: {path}")
    require_files([image.path for image in images], named_in=path)
    return tuple(images)
