"""Networks of torchreid, from its source tree, which is not part of this repository."""

import importlib.util
from pathlib import Path


def reference_network(torchreid, name, classes):
    """Return a network of torchreid in PyTorch with random weights.

    Args:
        torchreid: Its source tree.
        name: Name of the network, such as `osnet_x1_0`.
        classes: Number of classes.
    """
    path = Path(torchreid, "torchreid", "models", "osnet.py")
    # The file alone: torchreid's package imports far more than its networks need.
    spec = importlib.util.spec_from_file_location("torchreid_osnet", path)
    osnet = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(osnet)
    return getattr(osnet, name)(num_classes=classes, loss="softmax", pretrained=False)
