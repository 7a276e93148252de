"""The reference's networks, from its source tree, which is not part of this repository."""

import importlib.util
from pathlib import Path


def reference_network(torchreid, name, classes):
    """Return a network of torchreid's in PyTorch, of random weights.

    Args:
        torchreid: Its source tree.
        name: Of the network, such as `osnet_x1_0`.
        classes: How many its classifier knows.
    """
    path = Path(torchreid, "torchreid", "models", "osnet.py")
    # The file alone: the reference's package imports far more than its networks need.
    spec = importlib.util.spec_from_file_location("torchreid_osnet", path)
    osnet = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(osnet)
    return getattr(osnet, name)(num_classes=classes, loss="softmax", pretrained=False)
