"""Models compiled with this room's classes, loaded where nobody named them."""

import subprocess
import sys

import keras
import numpy as np

from keras_osnet.losses import BatchHardTripletLoss
from keras_osnet.optimizers import AMSGrad


def test_a_compiled_model_loads_in_a_fresh_process(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(AMSGrad(), loss=BatchHardTripletLoss())
    model.fit(np.zeros((4, 3)), np.zeros(4), verbose=0)
    model.save(tmp_path / "model.keras")
    code = (
        "import sys, keras, keras_osnet.training\n"
        "model = keras.saving.load_model(sys.argv[1])\n"
        "print(type(model.optimizer).__name__, type(model.loss).__name__)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model.keras")]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["AMSGrad", "BatchHardTripletLoss"]
