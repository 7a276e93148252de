"""Write a threshold into an exported file."""

import dataclasses
import os
import shutil

from keras_osnet._utils.checks import boolean
from keras_osnet._utils.file_set import locked
from keras_osnet._utils.files import atomic_path
from keras_osnet.runtime.metadata import ModelMetadata
from keras_osnet.runtime.read_metadata import ModelFile, ModelFileError, read_model_file
from keras_osnet.runtime.replace_metadata import digest_without_threshold, replace_metadata
from keras_osnet.runtime.threshold import Threshold


def write_threshold(
    path: str | os.PathLike[str],
    threshold: Threshold | None,
    *,
    overwrite: bool = False,
    digest: str | None = None,
) -> ModelMetadata:
    """Write a threshold into the metadata of an exported file, for `Embedder.same_person`.

    The model inside is not touched, and neither is `Embedder.digest`: vectors from before and after
    can be compared. The file is replaced in one step: an interrupted process leaves it as it was.
    Of a symbolic link, the file that it leads to is written.

    Args:
        path: A `.tflite`, `.onnx` or `.xml` file that `keras_osnet.deploy.export` wrote.
        threshold: The threshold; None removes the one that the file has.
        overwrite: Whether to replace a threshold that the file has.
        digest: `digest` of the `Embedder` that the threshold was measured with; the file must still
            be the same.

    Returns:
        The new metadata of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ModelFileError: The file is damaged, or was replaced since the threshold was measured.
        ValueError: The file was not written by keras-osnet, gives no embeddings, or has a threshold
            already.
        OSError: The file cannot be written, such as one that is read-only.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.deploy import export
        >>> from keras_osnet.runtime import read_metadata, write_threshold
        >>> from keras_osnet.runtime.threshold import Threshold
        >>> file = getfixture("tmp_path") / "osnet.onnx"
        >>> model = keras_osnet.OSNet(
        ...     0.25, head="embedding", input_shape=(64, 32, 3), depths=(1, 1, 1), streams=1
        ... )
        >>> report = export(model, file)
        >>> threshold = Threshold(
        ...     similarity=0.58,
        ...     similarity_interval=(0.56, 0.59),
        ...     false_positive_rate=0.01,
        ...     false_positive_interval=(0.006, 0.015),
        ...     true_positive_rate=0.48,
        ...     true_positive_interval=(0.4, 0.56),
        ...     confidence=0.95,
        ...     genuine_pairs=2560,
        ...     impostor_pairs=99840,
        ...     identities=40,
        ... )
        >>> _ = write_threshold(file, threshold)
        >>> read_metadata(file).threshold.similarity
        0.58
    """
    boolean("overwrite", overwrite)
    model = read_model_file(path)
    metadata = check_holds_threshold(model, overwrite or threshold is None)
    if digest is not None and digest_without_threshold(model) != digest:
        raise _replaced(model)
    written = dataclasses.replace(metadata, threshold=threshold)
    content = replace_metadata(model, written)
    target = model.path.resolve()
    with locked(target.parent):
        if target.read_bytes() != model.content:
            raise _replaced(model)
        with atomic_path(target) as temporary:
            temporary.write_bytes(content)
            shutil.copymode(target, temporary)
    return written


def check_holds_threshold(model: ModelFile, overwrite: bool) -> ModelMetadata:
    """Return the metadata of a file, or raise an error unless a threshold can be written to it.

    Args:
        model: The file.
        overwrite: Whether the threshold that it has may be replaced.

    Raises:
        ValueError: As for `write_threshold`.
        OSError: The file or its folder is read-only.
    """
    metadata = model.metadata
    if metadata is None:
        raise ValueError(
            "A threshold can be written to a file that keras-osnet exported, and this one has no "
            f"metadata. Received: {model.path}"
        )
    if metadata.output_kind != "embedding":
        raise ValueError(
            "A threshold is for a file that gives embeddings. "
            f"Received: {metadata.output_kind} of {model.path}"
        )
    if metadata.threshold is not None and not overwrite:
        raise ValueError(
            "The file has a threshold already; `overwrite=True` replaces it. "
            f"Received: {metadata.threshold.similarity:.4f} in {model.path}"
        )
    target = model.path.resolve()
    for each in (target, target.parent):
        if not os.access(each, os.W_OK):
            raise OSError(
                "A threshold cannot be written without permission to write to the file and to its "
                f"folder. Received: {model.path}, no permission for {each}"
            )
    return metadata


def _replaced(model: ModelFile) -> ModelFileError:
    return ModelFileError(
        "The file is not the one that the threshold was measured with; it has been replaced since. "
        f"Measure again. Received: {model.path}"
    )
