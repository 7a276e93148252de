"""Small networks in the form that folding gives, and images for them."""

import keras
import numpy as np
from keras import layers

SIZE = (32, 16)


def smooth_images(count=64, size=SIZE, seed=0):
    """Smooth colored images: noise of a few pixels, made larger."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, size[0] // 4, size[1] // 4, 3), "uint8")
    return coarse.repeat(4, axis=1).repeat(4, axis=2)


def with_random_weights(model, seed=0):
    """Weights whose channels differ in range a hundredfold, as folding leaves them."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        values = []
        for weight in layer.get_weights():
            if weight.ndim == 1:
                values.append(rng.normal(0.1, 0.2, weight.shape))
                continue
            inputs = np.prod(weight.shape[:-1])
            if isinstance(layer, layers.DepthwiseConv2D):
                inputs = np.prod(weight.shape[:2])
            values.append(rng.normal(0, (2 / inputs) ** 0.5, weight.shape))
        if isinstance(layer, layers.DepthwiseConv2D):
            spread = 10 ** rng.uniform(-1, 1, values[0].shape[2])
            values = [values[0] * spread[:, None], *(value * spread for value in values[1:])]
        layer.set_weights(values)
    return model


def lite_network(hidden=2, dtype="uint8", seed=0):
    """Pixels, stem, two gated streams, residual and head, all of Keras's own layers."""
    image = keras.Input(batch_shape=(1, *SIZE, 3), dtype=dtype, name="image")
    maps = layers.Rescaling([0.017, 0.0175, 0.0174], [-2.1, -2.0, -1.8], name="preprocessing")(
        image
    )
    maps = layers.ZeroPadding2D(1, name="pad")(maps)
    maps = layers.Conv2D(8, 3, strides=2, activation="relu", name="stem")(maps)
    squeeze = layers.Conv2D(hidden, 1, activation="relu", name="squeeze")
    excite = layers.Conv2D(8, 1, activation="sigmoid", name="excite")
    gated = []
    for number in (1, 2):
        stream = layers.Conv2D(8, 1, use_bias=False, name=f"pointwise{number}")(maps)
        stream = layers.DepthwiseConv2D(
            3, padding="same", activation="relu", name=f"depthwise{number}"
        )(stream)
        gate = excite(squeeze(layers.GlobalAveragePooling2D(keepdims=True)(stream)))
        gated.append(layers.Multiply()([stream, gate]))
    maps = layers.Add()([layers.Conv2D(8, 1, name="expand")(layers.Add()(gated)), maps])
    maps = layers.AveragePooling2D(2)(layers.ReLU()(maps))
    vector = layers.GlobalAveragePooling2D()(maps)
    vector = layers.Dense(16, activation="relu", name="fc")(vector)
    return with_random_weights(keras.Model(image, vector, name="lite"), seed)


def run(content, images):
    """A flatbuffer's results, by LiteRT, one image at a time."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=content)
    runner.allocate_tensors()
    (given,), (made,) = runner.get_input_details(), runner.get_output_details()
    results = []
    for image in images:
        runner.set_tensor(given["index"], image[None].astype(given["dtype"]))
        runner.invoke()
        results.append(runner.get_tensor(made["index"])[0].copy())
    return np.array(results)


def cosines(one, other):
    """Cosine of each row of one array with the same row of another."""
    one, other = one.reshape(len(one), -1), other.reshape(len(other), -1)
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(axis=1) / norms


def operations(content):
    """Name of each operation of a flatbuffer, the type of its first input and its shape."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    runner = Interpreter(
        model_content=content,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    runner.allocate_tensors()
    tensors = {each["index"]: each for each in runner.get_tensor_details()}
    return [
        (
            each["op_name"],
            tensors[each["inputs"][0]]["dtype"],
            tuple(tensors[each["inputs"][0]]["shape"]),
        )
        for each in runner._get_ops_details()
    ]
