"""Small files of facts that belong to a training: JSON objects, written whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_osnet.atomic import atomic_path


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file.

    Raises:
        ValueError: If there is no object in it.
        OSError: If it cannot be read.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name} is damaged: {error}. Received: {path}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is damaged: it holds no object. Received: {path}")
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object to a file, in the place of what was there.

    Raises:
        OSError: If it cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
