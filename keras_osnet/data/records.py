"""Folders in the layout of Market-1501 (Zheng et al., ICCV 2015).

A file is named after what it shows, `0002_c1s1_000451_03.jpg`: identity 2, camera 1, sequence 1,
frame 451, box 3. Identity 0000 marks distractors, people who are nobody's match; identity -1
marks junk, boxes too poor to count as either right or wrong.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from keras_osnet.data.images import list_images

_NAME = re.compile(r"(-1|\d+)_c(\d+)(?=[s_.]|$)")


@dataclass(frozen=True)
class PersonImage:
    """A picture of a person and its labels.

    Attributes:
        path: The file.
        identity: Whom it shows.
        camera: Which camera took it, from 1; None if that is not known.
        name: What a user's folder or table calls the person; None if `identity` is all there is.
            It does not count when pictures are compared.
        distractor: Whether it shows one of the people who are nobody's match, as identity 0 of
            Market-1501 does.
    """

    path: Path
    identity: int
    camera: int | None
    name: str | None = field(default=None, compare=False)
    distractor: bool = False


def parse_market1501_name(name: str | os.PathLike[str]) -> tuple[int, int]:
    """Identity and camera from a file name in Market-1501's style.

    Only the beginning counts, `<identity>_c<camera>`, as with torchreid; what follows differs
    between the data sets that took the style over.

    Args:
        name: File name, or a path of which the last part is read.

    Returns:
        (identity, camera), numbers as they stand in the name.

    Raises:
        ValueError: If the name does not begin that way.

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
    """List the pictures of a folder such as `bounding_box_test`, with their labels.

    Market-1501's protocol leaves junk (identity -1) out of the gallery: it is neither a match nor
    a mistake. So does this function. Distractors (identity 0) stay, and are marked: they are there
    to be ranked.

    Args:
        folder: The folder; see `list_images` for what is found in it.
        keep_junk: Whether to list junk as well.

    Returns:
        The pictures, sorted by name.

    Raises:
        FileNotFoundError: If there is no such folder.
        NotADirectoryError: If `folder` is a file.
        ValueError: If a name is not in Market-1501's style, or no pictures (or only junk) are
            found.
    """
    people = [_person(path) for path in list_images(folder)]
    kept = [person for person in people if keep_junk or person.identity != -1]
    if not kept:
        raise ValueError(
            "`folder` holds junk only (identity -1). "
            f"Received: {os.fspath(folder)} with {len(people)} pictures"
        )
    return kept


def _person(path: Path) -> PersonImage:
    identity, camera = parse_market1501_name(path)
    return PersonImage(path, identity, camera, distractor=identity == 0)
