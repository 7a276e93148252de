"""Cut a model at its embedding."""

import keras

from keras_osnet.architecture.model import OSNetModel


def feature_extractor(model: keras.Model) -> keras.Model:
    """Return the part of a model that ends in its embedding, with the same variables.

    It leaves a classifier out: a classification or attribute model becomes a re-identification
    model.

    Args:
        model: A functional model with a layer `embedding`, which an OSNet with any head has; or one
            that ends in an embedding already.

    Returns:
        A functional model of the same input, with one output (batch, dim).

    Raises:
        ValueError: The model has no such layer and ends in a classifier.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.architecture import feature_extractor
        >>> model = keras_osnet.OSNet(0.25, classes=5, depths=(1, 1, 1))
        >>> feature_extractor(model).output_shape
        (None, 512)
    """
    names = [layer.name for layer in model.layers]
    if not ends_in_classifier(model) and not isinstance(model.output, dict):
        return model
    if "embedding" not in names:
        raise ValueError(
            "`model` must have a layer `embedding` to be cut off at. "
            f"Received: {model.name} with the layers {', '.join(names)}"
        )
    if isinstance(model, OSNetModel):
        return model.replace(head="embedding", normalize=False, outputs=None)
    return keras.Model(model.input, model.get_layer("embedding").output, name=model.name)


def ends_in_classifier(model: keras.Model) -> bool:
    """Return whether a model returns logits or predictions, by the name of its last layer."""
    return model.layers[-1].name in ("logits", "predictions")
