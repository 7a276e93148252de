"""Models whose outputs are not finite, and wrong arguments, are named before any result."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from tiny_networks import SIZE, tiny_backbone

from keras_osnet.data import AttributeImages, LabeledImages, split_by_camera
from keras_osnet.evaluation import (
    complexity,
    embed_images,
    evaluate_attribute_model,
    evaluate_classification,
    evaluate_embeddings,
    evaluate_retrieval,
    evaluate_splits,
)
from keras_osnet.synthetic import write_synthetic_people


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_synthetic_people(tmp_path_factory.mktemp("people"), 2, views=1, image_size=SIZE)


@pytest.fixture(scope="module")
def model():
    return tiny_backbone()


@pytest.fixture(scope="module")
def images():
    return LabeledImages(np.zeros((4, *SIZE, 3), "uint8"), np.arange(4) % 2)


def ending_in(model, value, activation=None):
    """Return a model with two more outputs, of which the weights are this value."""
    layer = keras.layers.Dense(2, activation=activation, name="two")
    result = keras.Model(model.input, layer(model.output), name="broken")
    layer.kernel.assign(np.full(layer.kernel.shape, value, "float32"))
    return result


def evaluations(model, people, images):
    paths = tuple(person.path for person in people)
    attributes = AttributeImages(paths, np.eye(2, dtype="uint8")[np.arange(len(paths)) % 2])
    return {
        "embed_images": lambda: embed_images(model, paths),
        "flip": lambda: embed_images(model, paths, flip=True),
        "evaluate_retrieval": lambda: evaluate_retrieval(model, *split_by_camera(people)),
        "evaluate_classification": lambda: evaluate_classification(model, images),
        "evaluate_attribute_model": lambda: evaluate_attribute_model(model, attributes),
    }


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_not_finite(model, people, images, value):
    broken = ending_in(model, value, "softmax")
    for evaluate in evaluations(broken, people, images).values():
        message = r"^`model` must return finite values. Received: nan of broken for .*(png|image 0)"
        with pytest.raises(ValueError, match=message + r".*weights are not finite: two/kernel"):
            evaluate()


def test_outputs_that_overflow(model, people, images):
    huge = ending_in(model, 0.0, "exponential")
    huge.get_layer("two").bias.assign([1e4, 1e4])
    for evaluate in evaluations(huge, people, images).values():
        with pytest.raises(ValueError, match=r"Received: inf of broken.*weights are finite"):
            evaluate()


def test_models_that_are_none(people, images):
    several = [None, "osnet.keras", [], [None], object(), keras.Model, keras.Sequential()]
    for wrong in [*several, keras.layers.Dense(3), {}]:
        for evaluate in evaluations(wrong, people, images).values():
            with pytest.raises(ValueError, match=r"^`model` must.*Received: "):
                evaluate()
        with pytest.raises(ValueError, match=r"^`model` must.*Received: "):
            complexity(wrong)


@pytest.mark.parametrize("shape", [(8,), (*SIZE, 1), (3, *SIZE)])
def test_models_of_other_inputs(shape, people, images):
    image = keras.Input(shape)
    other = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image)), name="other")
    for evaluate in evaluations(other, people, images).values():
        with pytest.raises(ValueError, match=r"^`model` must have one input.*Received: other with"):
            evaluate()


def test_paths_that_are_none(model, people):
    several = [None, "x.png", people[0].path, people, [1], [None], [b"x.png"], [], np.zeros((2, 2))]
    for wrong in several:
        with pytest.raises(ValueError, match=r"^`paths` must.*Received: "):
            embed_images(model, wrong)


def test_options(model, people, images):
    paths = [person.path for person in people]
    for size in (0, 32, "32", (32,), (32, 16, 3), (0, 16), (32.0, 16.0), ("32", "16"), (64, 32)):
        with pytest.raises(ValueError, match=r"^`image_size` must.*Received: "):
            embed_images(model, paths, image_size=size)
    for size in (0, 32, (32,), (0, 16), (32.0, 16.0)):
        with pytest.raises(ValueError, match=r"^`resize` must.*Received: "):
            evaluate_classification(ending_in(model, 0.0), images, resize=size)
    for value in ("False", 1, None):
        with pytest.raises(ValueError, match=r"^`flip` must.*Received: "):
            embed_images(model, paths, flip=value)


def test_people_that_are_none(model, people):
    query, gallery = split_by_camera(people)
    embedded = embed_images(model, [person.path for person in people])
    for wrong in (None, "x", people[0], [person.path for person in people], [1], iter(people)):
        with pytest.raises(ValueError, match=r"^`query` must be a list of `PersonImage`.*Received"):
            evaluate_retrieval(model, wrong, gallery)
        with pytest.raises(ValueError, match=r"^`gallery` must be a list of `PersonImage`"):
            evaluate_embeddings(embedded, query, wrong)
    for wrong in (None, [], [(query,)], [(query, gallery, query)], "ab", people[0], [None]):
        with pytest.raises(ValueError, match=r"^`splits` must.*Received"):
            evaluate_splits(model, wrong)
    for wrong in (None, embedded.vectors, people):
        with pytest.raises(ValueError, match=r"^`embedded` must.*Received"):
            evaluate_embeddings(wrong, query, gallery)


def test_labels_that_do_not_fit(model, images):
    two = ending_in(model, 0.0)
    for labels in ([-1, 0, 1, 0], [0, 1, 2, 0]):
        with pytest.raises(ValueError, match=r"^`model` must predict all classes.*Received"):
            evaluate_classification(two, LabeledImages(images.images, np.array(labels)))
    with pytest.raises(ValueError, match=r"^`images` must have a label for each.*4 images"):
        evaluate_classification(two, LabeledImages(images.images, np.array([0, 1])))
    for wrong in (None, images.images, [images]):
        with pytest.raises(ValueError, match=r"^`images` must be `LabeledImages`.*Received"):
            evaluate_classification(two, wrong)
        with pytest.raises(ValueError, match=r"^`images` must be `AttributeImages`.*Received"):
            evaluate_attribute_model(two, wrong)


def test_options_are_checked_before_images_are_embedded(model, people):
    query, gallery = split_by_camera(people)
    done = []
    names = ("metric", "max_rank", "rerank", "protocol", "repeats", "seed", "flip")
    for name in (*names, "camera_means", "query_expansion"):
        with pytest.raises(ValueError, match=rf"^`{name}` must.*Received"):
            evaluate_retrieval(model, query, gallery, progress=done.append, **{name: "x"})
    unknown = [replace(person, camera=None) for person in gallery]
    with pytest.raises(ValueError, match=r"^`camera_means` needs.*without one, the first"):
        evaluate_retrieval(model, query, unknown, progress=done.append, camera_means=True)
    assert done == []
    embedded = embed_images(model, [person.path for person in people])
    with pytest.raises(ValueError, match=r"^`metric` must"):
        evaluate_embeddings(embedded, query, gallery, metric="x")
    with pytest.raises(TypeError, match="'metrics'"):
        evaluate_embeddings(embedded, query, gallery, metrics="cosine")
