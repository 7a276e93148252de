"""The weights that come with the package."""

import hashlib
from pathlib import Path

BUNDLED_TAGS = ("synthetic", "synthetic_attributes")
"""For finding people again, and for their attributes; trained on drawn people."""

_FOLDERS = (Path(__file__).with_name("bundled"), Path(__file__).parents[2] / "weights")
"""Where they are in an installed package, and in a checkout of the repository."""


def bundled_file(name: str, sha256: str) -> Path:
    """Return the path of weights that come with the package, after a check that they are whole.

    Args:
        name: The file, as the catalogue has it.
        sha256: Its digest.

    Raises:
        FileNotFoundError: This installation does not have it.
        ValueError: The file is not the one that it was.
    """
    path = next((each / name for each in _FOLDERS if (each / name).is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"{name} belongs to keras-osnet and is missing; install the package anew. "
            f"Received: neither {_FOLDERS[0] / name} nor {_FOLDERS[1] / name}"
        )
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path} is damaged; install keras-osnet anew. Expected: SHA-256 {sha256}. "
            f"Received: {found}"
        )
    return path
