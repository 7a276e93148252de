import keras
import numpy as np
import pytest

from keras_osnet._utils.tf_variables import created_outside

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="other backends create variables beforehand"
)


class Traced(keras.Model):
    """A model that counts the traces of its training step."""

    traces = 0

    def train_step(self, data):
        self.traces += 1
        with created_outside(self):
            return super().train_step(data)


def fitted(kind):
    image = keras.Input((3,))
    model = kind(image, keras.layers.Dense(2, kernel_initializer="ones")(image))
    model.compile(keras.optimizers.Adam(0.1, use_ema=True), "mse", metrics=["mae"])
    images = np.arange(24.0, dtype="float32").reshape(8, 3)
    history = model.fit(images, images[:, :2], batch_size=4, epochs=2, shuffle=False, verbose=0)
    return model, history.history


def test_a_step_that_creates_variables_is_traced_once():
    model, history = fitted(Traced)
    assert model.traces == 1
    stock, its_history = fitted(keras.Model)
    assert history == its_history
    for one, other in zip(model.optimizer.variables, stock.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
