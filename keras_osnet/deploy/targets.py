"""The files that other software loads: records of `targets.toml`.

Importing it needs neither Keras nor numpy, so that the command line can check arguments first.
"""

import functools
import json
import os
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from keras_osnet._utils.checks import one_of, path_of
from keras_osnet.deploy.formats import FORMATS

if TYPE_CHECKING:
    from keras_osnet.runtime.metadata import ModelMetadata

_MODEL_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True, kw_only=True)
class Target:
    """File that one software loads.

    Attributes:
        title: Name of the software.
        suffixes: Formats that it loads, the usual one first.
        file: Template of the file's path in a folder.
        layout: As for `keras_osnet.deploy.export`.
        pixel_range: Likewise.
        dtype: Likewise.
        channels: Likewise.
        names: Likewise.
        batch: Likewise; 0 for any number of images.
        sidecars: Templates of other files, by the template of their path from the file's folder.
    """

    title: str
    suffixes: tuple[str, ...]
    file: str
    layout: str
    pixel_range: str
    dtype: str
    channels: str
    names: tuple[str, str]
    batch: int
    sidecars: MappingProxyType[str, str]

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of `keras_osnet.deploy.export` that the software prescribes."""
        names = ("layout", "pixel_range", "dtype", "channels", "names")
        return {name: getattr(self, name) for name in names} | {"batch": self.batch or None}

    def file_of(self, path: str | os.PathLike[str], model_name: str) -> Path:
        """Return the file to write for a path, a folder or one that ends in `file_suffixes`.

        Raises:
            ValueError: The path has the suffix of another format, or the model's name cannot be a
                file's.
        """
        given = path_of("path", path)
        if not _MODEL_NAME.fullmatch(model_name):
            raise ValueError(
                "`model` must have a name of letters, digits, hyphens, points and underscores, "
                f"because files are named after it. Received: {model_name!r:.200}"
            )
        if given.suffix in self.file_suffixes:
            return given
        if given.suffix in FORMATS:
            raise ValueError(f"`path` must be {self.places}. Received: {given}")
        chosen = given / Template(self.file).substitute(name=model_name)
        if not next(each for each in chosen.absolute().parents if each.exists()).is_dir():
            raise ValueError(f"`path` must not be in or at a file. Received: {given}")
        return chosen

    @property
    def file_suffixes(self) -> tuple[str, ...]:
        """Suffixes of a path that is the file's own; none if the software prescribes folders."""
        return () if "/" in self.file else self.suffixes

    @property
    def places(self) -> str:
        """What a path can be, for messages."""
        file = f", or a file ending in {', '.join(self.suffixes)}" if self.file_suffixes else ""
        return f"a folder for {self.title}{file}"

    def sidecar_paths(self, file: Path) -> list[Path]:
        """Return the paths of the other files, for the path of the model's file."""
        facts = {"file": file.name, "stem": file.stem}
        places = [Template(place).substitute(facts) for place in self.sidecars]
        return [Path(os.path.normpath(file.parent / place)) for place in places]

    def sidecars_of(self, file: Path, metadata: "ModelMetadata") -> dict[Path, str]:
        """Return the texts of the other files by their paths.

        Args:
            file: Path of the model's file.
            metadata: The model's.
        """
        (height, width), (image, output) = metadata.image_size, self.names
        facts = {
            # Between quotes, which JSON, YAML and Triton's configuration escape alike.
            "file": json.dumps(file.name, ensure_ascii=False)[1:-1],
            **{"name": metadata.name, "dim": metadata.dim, "height": height, "width": width},
            **{"input": image, "output": output},
        }
        texts = [Template(text).substitute(facts) for text in self.sidecars.values()]
        return dict(zip(self.sidecar_paths(file), texts, strict=True))


@functools.cache
def targets() -> MappingProxyType[str, Target]:
    """Return the records by name."""
    text = resources.files("keras_osnet.deploy").joinpath("targets.toml").read_text("utf-8")
    return MappingProxyType({name: _target(facts) for name, facts in tomllib.loads(text).items()})


def target_of(name: str) -> Target:
    """Return a record.

    Raises:
        ValueError: There is none of that name.
    """
    one_of("target", name, list(targets()))
    return targets()[name]


def _target(facts: dict[str, Any]) -> Target:
    facts["suffixes"], facts["names"] = tuple(facts["suffixes"]), tuple(facts["names"])
    texts = {place: text.removeprefix("\n") for place, text in facts["sidecars"].items()}
    return Target(**facts | {"sidecars": MappingProxyType(texts)})
