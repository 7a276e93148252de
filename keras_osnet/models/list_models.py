"""List the named architectures."""

import tomllib
from importlib import resources
from typing import Any


def list_models() -> dict[str, dict[str, Any]]:
    """Return the named architectures and the arguments of `keras_osnet.OSNet` that build them.

    They are the nine networks of torchreid, the rows of the paper's
    architecture ablation (Table 5) and the two networks for 32×32 images. Any other mix of
    arguments can be built as well.

    Example:
        >>> import keras_osnet
        >>> keras_osnet.list_models()["osnet_ain_x0_5"]
        {'width': 0.5, 'variant': 'ain'}
    """
    text = resources.files("keras_osnet.models").joinpath("list_models.toml").read_text("utf-8")
    return tomllib.loads(text)
