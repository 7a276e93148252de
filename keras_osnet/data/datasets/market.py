"""Market-1501 and DukeMTMC-reID, which share a layout."""

from pathlib import Path

from keras_osnet.data.datasets.layout import find_root
from keras_osnet.data.datasets.records import ReidDataset
from keras_osnet.data.records import read_folder

_PARTS = ("bounding_box_train", "query", "bounding_box_test")
_MORE_DISTRACTORS = "images"


def read_market1501(folder: Path, version: str) -> ReidDataset:
    """Read Market-1501, junk (identity -1) left out, distractors (identity 0) in the gallery.

    Version "500k" has the 500,000 additional distractors in the gallery as well.
    """
    extended = version == "500k"
    root = find_root(folder, "market1501", (*_PARTS, _MORE_DISTRACTORS) if extended else _PARTS)
    train, query, gallery = (read_folder(root / part) for part in _PARTS)
    if extended:
        gallery += read_folder(root / _MORE_DISTRACTORS)
    return ReidDataset(
        name="market1501",
        train=tuple(train),
        query=tuple(query),
        gallery=tuple(gallery),
        version=version,
    )


def read_dukemtmcreid(folder: Path, version: str) -> ReidDataset:
    """Read DukeMTMC-reID, whose distractors are people with identities of their own."""
    root = find_root(folder, "dukemtmcreid", _PARTS)
    train, query, gallery = (tuple(read_folder(root / part)) for part in _PARTS)
    return ReidDataset("dukemtmcreid", train, query, gallery, version=version)
