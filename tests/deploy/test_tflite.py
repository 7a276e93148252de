"""What falls off XNNPACK and the GPU is found."""

import keras
import pytest

from keras_osnet.deploy.tflite import off_gpu, off_xnnpack, tflite_bytes

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="converts in this process"
)


def test_operations_between_two_delegated_parts(tmp_path):
    image = keras.Input((8, 8, 4), batch_size=1, name="image")
    maps = keras.layers.Conv2D(4, 3, padding="same")(image)
    maps = keras.ops.sort(maps, axis=-1)
    maps = keras.layers.Conv2D(4, 3, padding="same")(maps)
    content = tflite_bytes(keras.Model(image, maps), ("image", "maps"))
    (tmp_path / "m.tflite").write_bytes(content)
    left = off_xnnpack(tmp_path / "m.tflite")
    assert any("TOPK_V2" in operation for operation in left)
    assert not any("CONV_2D" in operation for operation in left)
    assert off_gpu(tmp_path / "m.tflite") == ("1 × TOPK_V2",)


def test_a_plain_network_is_delegated_whole(tmp_path):
    image = keras.Input((8, 8, 4), batch_size=1, name="image")
    content = tflite_bytes(keras.Model(image, keras.layers.Conv2D(4, 3)(image)), ("image", "maps"))
    (tmp_path / "m.tflite").write_bytes(content)
    assert off_xnnpack(tmp_path / "m.tflite") == ()
    assert off_gpu(tmp_path / "m.tflite") == ()
