"""Networks of torchreid with deterministic weights, from tests/assets/golden."""

import json
import zlib
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "assets" / "golden"
NAMES = sorted(path.stem for path in FOLDER.glob("*.npz"))


class Golden:
    """A network of torchreid: its arguments here, state dict, input and results."""

    def __init__(self, name: str) -> None:
        with np.load(FOLDER / f"{name}.npz") as file:
            values = dict(file)
        self.seed = int(values["seed"])
        self.shapes = {
            str(tensor): tuple(json.loads(str(shape)))
            for tensor, shape in zip(values["names"], values["shapes"], strict=True)
        }
        self.input_shape = tuple(int(size) for size in values["input_shape"])
        self.pooled_maps = values["pooled_maps"]
        self.embeddings = values["features"]
        self.logits = values["logits"]

    @property
    def images(self) -> np.ndarray:
        """Return normalized images (batch, height, width, 3)."""
        nchw = np.random.default_rng([self.seed, 7]).standard_normal(self.input_shape)
        return nchw.astype("float32").transpose(0, 2, 3, 1)

    def state_dict(self) -> dict[str, np.ndarray]:
        return {name: self._tensor(name, shape) for name, shape in self.shapes.items()}

    def _tensor(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        rng = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
        if name.endswith("num_batches_tracked"):
            return np.array(1000, "int64")
        if name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
            return rng.uniform(0.5, 1.5, shape).astype("float32")
        if name.endswith("weight"):
            values = rng.standard_normal(shape) * np.sqrt(0.6 / np.prod(shape[1:]))
            return values.astype("float32")
        return (rng.standard_normal(shape) * 0.1).astype("float32")
