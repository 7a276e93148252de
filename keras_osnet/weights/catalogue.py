"""The published checkpoints and those of this package, read from `catalogue.toml`."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

VARIANTS = ("base", "ibn", "ain")
WIDTHS = (1.0, 0.75, 0.5, 0.25)

_CATALOGUE = Path(__file__).with_name("catalogue.toml")
_ARCHITECTURE = re.compile(r"osnet(?:_(?P<variant>ibn|ain))?_x(?P<units>\d)_(?P<fraction>\d+)")


@dataclass(frozen=True)
class WeightsInfo:
    """One weights file with a tag: what is in it, and where it is.

    Args:
        architecture: The architecture's name in the literature, such as "osnet_ain_x1_0".
        variant: "base", "ibn" or "ain".
        width: The width multiplier.
        tag: What the weights were trained on; the names of several datasets are joined with "+".
        file: The file's name in the repository, or among the weights that come with the package.
        repository: The repository on the Hugging Face Hub, as "owner/name"; None for weights that
            come with the package.
        revision: The commit of the repository that the entry describes; None without one.
        licence: The licence that the weights are published under.
        distance: The metric between embeddings of the published figures, "euclidean" or "cosine".
        published: The published rank-1 and mAP in per cent, by test set. Empty for ImageNet and
            for attributes.
        sha256: The file's digest, or None where it is not known.
        size: The file's size in bytes, or None where it is not known.
    """

    architecture: str
    variant: str
    width: float
    tag: str
    file: str
    repository: str | None
    revision: str | None
    licence: str
    distance: str
    published: Mapping[str, tuple[float, float]] = field(hash=False)
    sha256: str | None
    size: int | None


def list_weights(variant: str | None = None, width: float | None = None) -> list[WeightsInfo]:
    """Lists the checkpoints that have a tag: the published ones, then those of this package.

    Args:
        variant: "base", "ibn" or "ain" to list only these. None lists every variant.
        width: 1.0, 0.75, 0.5 or 0.25 to list only these. None lists every width.

    Returns:
        The checkpoints, in the catalogue's order.

    Raises:
        ValueError: For a variant or width that OSNet has no published checkpoint of.

    Example:
        >>> [checkpoint.tag for checkpoint in list_weights("ain", 0.5)]
        ['imagenet']
    """
    _check_choices(variant, width)
    return [
        checkpoint
        for checkpoint in _read_catalogue()
        if variant in (None, checkpoint.variant) and width in (None, checkpoint.width)
    ]


def find_checkpoint(tag: str, *, variant: str, width: float | None) -> WeightsInfo:
    """Finds the checkpoint of one model trained on one dataset, or on several.

    Args:
        tag: "imagenet", "market1501", "dukemtmcreid", "msmt17", "msmt17_combineall", or several
            datasets joined with "+", such as "msmt17+dukemtmcreid+cuhk03", in any order.
        variant: "base", "ibn" or "ain".
        width: The width multiplier: 1.0, 0.75, 0.5 or 0.25. None takes the only one that there is,
            or 1.0.

    Returns:
        The checkpoint.

    Raises:
        ValueError: If there is no such tag, or none for this variant and width. The message
            names what there is.

    Example:
        >>> find_checkpoint("cuhk03+market1501+msmt17", variant="ibn", width=1.0).file
        'osnet_ibn_ms_m_c.pth.tar'
    """
    _check_choices(variant, width)
    everything = _read_catalogue()
    of_tag = [entry for entry in everything if _datasets(entry.tag) == _datasets(tag)]
    if width is None:
        widths = {entry.width for entry in of_tag if entry.variant == variant}
        width = widths.pop() if len(widths) == 1 else 1.0
    of_model = [entry for entry in everything if (entry.variant, entry.width) == (variant, width)]
    for checkpoint in of_tag:
        if checkpoint in of_model:
            return checkpoint
    if of_tag:
        problem = f'Weights trained on "{tag}" are published for {_models(of_tag)} only.'
    else:
        problem = f'There are no published weights with the tag "{tag}".'
    raise ValueError(
        f"{problem} For variant={variant!r} and width={width} there are: "
        f"{_quoted(entry.tag for entry in of_model) or 'none'}. "
        f"Received: tag={tag!r}, variant={variant!r}, width={width!r}"
    )


def _check_choices(variant: str | None, width: float | None) -> None:
    """Refuses a variant or a width that has no published checkpoint at all."""
    if variant is not None and variant not in VARIANTS:
        raise ValueError(
            f"`variant` of published weights is one of {_quoted(VARIANTS)}. "
            f"Received: variant={variant!r}"
        )
    if width is not None and width not in WIDTHS:
        raise ValueError(
            f"Weights are published for the widths {', '.join(map(str, WIDTHS))} only; a model of "
            f"another width is built with `weights=None`. Received: width={width!r}"
        )


def _datasets(tag: str) -> list[str]:
    """The datasets a tag stands for, in an order of their own."""
    return sorted(tag.split("+"))


def _models(checkpoints: list[WeightsInfo]) -> str:
    """The models that the checkpoints are for, variant by variant, as a phrase."""
    widths: dict[str, list[str]] = {}
    for checkpoint in checkpoints:
        widths.setdefault(checkpoint.variant, []).append(str(checkpoint.width))
    return " and ".join(
        f'variant "{variant}" of width {" or ".join(choices)}'
        for variant, choices in widths.items()
    )


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _read_catalogue() -> list[WeightsInfo]:
    """Reads the table afresh (a few milliseconds), so that no caller can spoil another's copy."""
    table = tomllib.loads(_CATALOGUE.read_text(encoding="utf-8"))
    checkpoints = []
    for row in (*table["checkpoint"], *table["bundled"]):
        name = _ARCHITECTURE.fullmatch(row["architecture"])
        if name is None:
            raise ValueError(f"Not the name of an OSNet. Received: {row['architecture']!r}")
        origin = {"repository": None, "revision": None} if row in table["bundled"] else table
        checkpoints.append(
            WeightsInfo(
                architecture=row["architecture"],
                variant=name["variant"] or "base",
                width=float(f"{name['units']}.{name['fraction']}"),
                tag=row["trained_on"],
                file=row["file"],
                repository=origin["repository"],
                revision=origin["revision"],
                licence=table["licence"],
                distance=row["distance"],
                published={
                    dataset: (rank1, mean_ap)
                    for dataset, (rank1, mean_ap) in row.get("published", {}).items()
                },
                sha256=row.get("sha256"),
                size=row.get("size"),
            )
        )
    return checkpoints
