"""Queries and gallery out of one folder."""

from collections.abc import Sequence

from keras_osnet.data.records import PersonImage


def split_by_camera(
    people: Sequence[PersonImage], query_camera: int = 1
) -> tuple[list[PersonImage], list[PersonImage]]:
    """Divide pictures into queries, taken by one camera, and a gallery, taken by the others.

    Distractors, which `read_folder` marks, are nobody's match and so no queries; those of the other
    cameras are in the gallery.

    Args:
        people: The pictures; see `read_folder`.
        query_camera: The queries' camera.

    Returns:
        (queries, gallery)

    Raises:
        ValueError: There is no picture for one side, or a picture's camera is not known.
    """
    unknown = [person.path for person in people if person.camera is None]
    if unknown:
        raise ValueError(
            "`people` must have known cameras to be divided by them. "
            f"Received: {len(unknown)} without one, the first {unknown[0]}"
        )
    queries = [
        person for person in people if person.camera == query_camera and not person.distractor
    ]
    gallery = [person for person in people if person.camera != query_camera]
    if not queries or not gallery:
        cameras = sorted({person.camera for person in people if person.camera is not None})
        raise ValueError(
            "`query_camera` must be one of at least two cameras, and have seen people. Received: "
            f"query_camera={query_camera}, {len(people)} pictures of cameras {cameras}"
        )
    return queries, gallery
