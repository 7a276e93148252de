"""Export torchreid's own network to ONNX: `python export_with_torchreid.py CHECKPOINT FOLDER`."""

import importlib.util
import json
import sys
from pathlib import Path

import torch


def load_network(checkpoint):
    """Build torchreid's osnet_x0_25 from its file alone: the package imports torchvision."""
    package = Path(importlib.util.find_spec("torchreid").origin).parent
    spec = importlib.util.spec_from_file_location("osnet", package / "reid/models/osnet.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.osnet_x0_25(num_classes=1, pretrained=False)
    tensors = torch.load(checkpoint, weights_only=True)
    missing, unexpected = network.load_state_dict(tensors, strict=False)
    assert not unexpected
    assert all(name.startswith("classifier.") for name in missing)
    return network.eval()


def main(checkpoint, folder):
    network, images = load_network(checkpoint), torch.zeros(2, 3, 256, 128)
    free = {"input_names": ["images"], "dynamic_axes": {"images": {0: "batch"}}}
    torch.onnx.export(network, images, folder / "free.onnx", dynamo=False, **free)
    torch.onnx.export(network, images[:1], folder / "one.onnx", dynamo=False)
    batch = {0: torch.export.Dim("batch")}
    torch.onnx.export(
        network, (images,), folder / "dynamo.onnx", dynamo=True, dynamic_shapes=(batch,)
    )
    half = images[:1].half()
    torch.onnx.export(network.half(), half, folder / "half.onnx", dynamo=False)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
    print(json.dumps({"torch": torch.__version__}))
