"""The published weights and those that come with the package, read from `catalogue.toml`."""

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_CATALOGUE = Path(__file__).with_name("catalogue.toml")
_ARCHITECTURE = re.compile(r"osnet(?:_(?P<variant>ibn|ain))?_x(?P<units>\d)_(?P<fraction>\d+)")
_BUNDLED_FOLDERS = (Path(__file__).with_name("bundled"), Path(__file__).parents[2] / "weights")
"""Where bundled weights are in an installed package, and in a checkout of the repository."""


@dataclass(frozen=True)
class WeightsInfo:
    """A weights file with a tag: its content and its location.

    Attributes:
        architecture: Name of the architecture in the literature, such as "osnet_ain_x1_0".
        variant: "base", "ibn" or "ain".
        width: Width multiplier.
        tag: Training set; the names of several datasets are joined with "+".
        file: Name of the file in the repository, or among the weights that come with the package.
        repository: Repository on the Hugging Face Hub, as "owner/name"; None for weights that come
            with the package.
        revision: Commit of the repository that the entry describes; None without a repository.
        license: License that the weights are published under.
        distance: Metric between embeddings of the published figures, "euclidean" or "cosine".
        image_size: (height, width) of the training images.
        mean: Mean of red, green and blue, in 0–1, that training images were normalized by.
        std: Standard deviation of red, green and blue, likewise.
        published: Published rank-1 and mAP in percent, by test set. Empty for ImageNet and for
            attributes.
        sha256: Digest of the file, or None if it is not known.
        size: Size of the file in bytes, or None if it is not known.
    """

    architecture: str
    variant: str
    width: float
    tag: str
    file: str
    repository: str | None
    revision: str | None
    license: str
    distance: str
    image_size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    published: Mapping[str, tuple[float, float]] = field(hash=False)
    sha256: str | None
    size: int | None


def list_weights(variant: str | None = None, width: float | None = None) -> list[WeightsInfo]:
    """List the weights that have a tag: the published ones, then those of this package.

    Args:
        variant: "base", "ibn" or "ain" to list only these. None lists every variant.
        width: 1.0, 0.75, 0.5 or 0.25 to list only these. None lists every width.

    Returns:
        The entries, in the order of the catalogue.

    Raises:
        ValueError: No weights are published for the variant or the width.

    Example:
        >>> [checkpoint.tag for checkpoint in list_weights("ain", 0.5)]
        ['imagenet']
    """
    entries = _read_catalogue()
    _check_choices(entries, variant, width)
    return [
        entry
        for entry in entries
        if variant in (None, entry.variant) and width in (None, entry.width)
    ]


def is_tag(name: Any) -> bool:
    """Return whether a name is a tag, which takes precedence over a file or folder so called."""
    return any(entry.tag == name for entry in _read_catalogue())


def find_weights(tag: str, *, variant: str, width: float | None) -> WeightsInfo:
    """Return the catalogue's entry of one model trained on one dataset, or on several.

    Args:
        tag: "imagenet", "market1501", "dukemtmcreid", "msmt17", "msmt17_combineall", or several
            datasets joined with "+", such as "msmt17+dukemtmcreid+cuhk03", in any order.
        variant: "base", "ibn" or "ain".
        width: Width multiplier: 1.0, 0.75, 0.5 or 0.25. None takes the only one that is published
            with this tag, or 1.0.

    Raises:
        ValueError: There is no such tag, or none for this variant and width. The message names
            the available ones.

    Example:
        >>> find_weights("cuhk03+market1501+msmt17", variant="ibn", width=1.0).file
        'osnet_ibn_ms_m_c.pth.tar'
    """
    entries = _read_catalogue()
    _check_choices(entries, variant, width)
    of_tag = [entry for entry in entries if _datasets(entry.tag) == _datasets(tag)]
    if width is None:
        widths = {entry.width for entry in of_tag if entry.variant == variant}
        width = widths.pop() if len(widths) == 1 else 1.0
    of_model = [entry for entry in entries if (entry.variant, entry.width) == (variant, width)]
    for entry in of_tag:
        if entry in of_model:
            return entry
    if of_tag:
        problem = f'Weights trained on "{tag}" are published for {_models(of_tag)} only.'
    else:
        problem = f'There are no published weights with the tag "{tag}".'
    raise ValueError(
        f"{problem} For variant={variant!r} and width={width} there are: "
        f"{_quoted(entry.tag for entry in of_model) or 'none'}. "
        f"Received: tag={tag!r}, variant={variant!r}, width={width!r}"
    )


def default_image_size(weights: Any, head: str | None) -> tuple[int, int]:
    """Return the (height, width) that a model takes unless another is given.

    It is the size that the weights were trained at: for a tag that of the catalogue, for anything
    else 256×128. ImageNet's 224×224 applies to its own classes only; without its classifier the
    network takes images of people.
    """
    table = tomllib.loads(_CATALOGUE.read_text("utf-8"))
    sizes = {row["trained_on"]: row["image_size"] for row in _rows(table) if "image_size" in row}
    if head != "classification":
        del sizes["imagenet"]
    height, width = sizes.get(str(weights), table["image_size"])
    return height, width


def bundled_file(name: str, sha256: str) -> Path:
    """Return the path of weights that come with the package, after a check of their digest.

    Args:
        name: The file, as the catalogue has it.
        sha256: Its digest.

    Raises:
        FileNotFoundError: This installation lacks the file.
        ValueError: The file is damaged.
    """
    path = next((each / name for each in _BUNDLED_FOLDERS if (each / name).is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"{name} is part of keras-osnet and is missing; reinstall keras-osnet. "
            f"Received: neither {_BUNDLED_FOLDERS[0] / name} nor {_BUNDLED_FOLDERS[1] / name}"
        )
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path} is damaged; reinstall keras-osnet. Expected: SHA-256 {sha256}. "
            f"Received: {found}"
        )
    return path


def _check_choices(entries: list[WeightsInfo], variant: str | None, width: float | None) -> None:
    """Raise ValueError for a variant or a width that has no published weights at all."""
    variants = dict.fromkeys(entry.variant for entry in entries)
    if variant is not None and variant not in variants:
        raise ValueError(
            f"`variant` of published weights must be one of {_quoted(variants)}. "
            f"Received: variant={variant!r}"
        )
    widths = dict.fromkeys(entry.width for entry in entries)
    if width is not None and width not in widths:
        raise ValueError(
            f"`width` of published weights must be one of {', '.join(map(str, widths))}; a model "
            f"of another width begins without weights. Received: width={width!r}"
        )


def _datasets(tag: str) -> list[str]:
    """Return the datasets of a tag, in an order that does not depend on that of the tag."""
    return sorted(tag.split("+"))


def _models(entries: list[WeightsInfo]) -> str:
    """Return the models of entries, variant by variant, as a phrase."""
    widths: dict[str, list[str]] = {}
    for entry in entries:
        widths.setdefault(entry.variant, []).append(str(entry.width))
    return " and ".join(
        f'variant "{variant}" of width {" or ".join(choices)}'
        for variant, choices in widths.items()
    )


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _rows(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*table["checkpoint"], *table["bundled"]]


def _read_catalogue() -> list[WeightsInfo]:
    """Read the file each time (a few milliseconds), so that no caller can change another's copy."""
    table = tomllib.loads(_CATALOGUE.read_text("utf-8"))
    entries = []
    for row in _rows(table):
        name = _ARCHITECTURE.fullmatch(row["architecture"])
        if name is None:
            raise ValueError(f"Not the name of an OSNet. Received: {row['architecture']!r}")
        origin = {"repository": None, "revision": None} if row in table["bundled"] else table
        entries.append(
            WeightsInfo(
                architecture=row["architecture"],
                variant=name["variant"] or "base",
                width=float(f"{name['units']}.{name['fraction']}"),
                tag=row["trained_on"],
                file=row["file"],
                repository=origin["repository"],
                revision=origin["revision"],
                license=table["license"],
                distance=row["distance"],
                image_size=tuple(row.get("image_size", table["image_size"])),
                mean=tuple(row.get("mean", table["mean"])),
                std=tuple(row.get("std", table["std"])),
                published={
                    dataset: (rank1, mean_ap)
                    for dataset, (rank1, mean_ap) in row.get("published", {}).items()
                },
                sha256=row.get("sha256"),
                size=row.get("size"),
            )
        )
    return entries
