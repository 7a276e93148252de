"""Users' own images, listed in a table: a CSV or a Parquet file."""

import os

import numpy as np

from keras_osnet._utils.checks import path_of
from keras_osnet._utils.warn_user import warn_user
from keras_osnet.data.datasets._table_file import LABELS, Table, canonical
from keras_osnet.data.datasets.market1501 import JUNK
from keras_osnet.data.records import AttributeDataset, AttributeImages, PersonImage, ReidDataset

_PARTS = {"train": "train", "val": "validation", "validation": "validation"}


def people_from_table(path: str | os.PathLike[str]) -> ReidDataset:
    """Read a table of images of people.

    ```
    path,identity,camera,split
    anna/1.jpg,anna,entrance,train
    ```

    Identities and cameras may be numbers or names; names are numbered in alphabetical order from
    1, and people keep theirs, see `ReidDataset.identity_names`. Identity -1 is junk, as in
    Market-1501, and is left out with a warning, as are repeated rows. Columns besides these four
    are left to `attributes_from_table`.

    Args:
        path: A `.parquet` file; or a CSV file with a header, in UTF-8, UTF-16 or (with a warning)
            Windows' cp1252, its values separated by commas, semicolons, tabs or bars. Column `path`
            has the images, relative to the table's folder or absolute; `identity` the person;
            `camera`, which may be missing or empty, the camera; `split`, which may be missing,
            one of train, validation (or val), query and gallery: without it all are `train`.

    Returns:
        The dataset, named after the file.

    Raises:
        FileNotFoundError: The table or images are not there.
        ValueError: The file is damaged; a column is missing or there twice; a value is missing; two
            values are the same number (007 and 7); or an image has two identities or cameras. The
            message names the row.
        ImportError: The table is Parquet and pyarrow is not installed.
    """
    table = Table.read(path_of("path", path), needed=("path", "identity"))
    for row, identity in enumerate(table["identity"]):
        if not identity:
            raise ValueError(
                f"Column `identity` must have a value in every row. "
                f"Received: none for {table['path'][row]}, {table.where(row)}"
            )
    parts = table.parts({**_PARTS, "query": "query", "gallery": "gallery"})
    paths, kept = table.images(parts, ("identity", "camera"))
    junk = {row for row in kept if canonical(table["identity"][row]) == str(JUNK)}
    if junk:
        warn_user(
            f"Rows of identity {JUNK}, junk as in Market-1501, are left out: {len(junk):,}, the "
            f"first in {table.where(min(junk))}."
        )
        kept = [row for row in kept if row not in junk]
    if not kept:
        raise ValueError(f"The table has junk only (identity {JUNK}). Received: {table.path}")
    identities = table.numbers("identity", kept)
    cameras = table.numbers("camera", kept) if "camera" in table.columns else {}
    images: dict[str, list[PersonImage]] = {}
    for row in kept:
        name = table["identity"][row]
        camera = cameras.get(table["camera"][row]) if cameras else None
        person = PersonImage(paths[row], identities[name], camera, name=name)
        images.setdefault(parts[row], []).append(person)
    return ReidDataset(
        name=table.path.stem,
        train=tuple(images.get("train", ())),
        query=tuple(images.get("query", ())),
        gallery=tuple(images.get("gallery", ())),
        validation=tuple(images.get("validation", ())),
    )


def attributes_from_table(path: str | os.PathLike[str]) -> AttributeDataset:
    """Read a table of images with attributes.

    ```
    path,split,hat,backpack
    1.jpg,train,0,1
    ```

    Args:
        path: A file as for `people_from_table`. Column `path` has the images, relative to the
            table's folder or absolute; `split`, which may be missing, is one of train, validation
            (or val) and test: without it all are training images. All other columns but `identity`
            and `camera` are attributes, of values 0 and 1.

    Returns:
        The dataset, named after the file; attributes in the order of the columns.

    Raises:
        FileNotFoundError: The table or images are not there.
        ValueError: The file is damaged, a column is missing or there twice, a value is invalid, or
            an image is listed twice with different values. The message names the row.
        ImportError: The table is Parquet and pyarrow is not installed.
    """
    table = Table.read(path_of("path", path), needed=("path",))
    names = tuple(name for name in table.columns if name not in LABELS)
    if not names:
        raise ValueError(
            f"The table must have columns besides {', '.join(LABELS)}. Received: {table.path}"
        )
    parts = table.parts({**_PARTS, "test": "test"})
    values = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}
    for name in names:
        for row, value in enumerate(table[name]):
            if value.lower() not in values:
                raise ValueError(
                    f"An attribute is 0 or 1. Received: {name}={value!r} for "
                    f"{table['path'][row]}, {table.where(row)}"
                )
    paths, kept = table.images(parts, names)

    def part(wanted: str) -> AttributeImages:
        rows = [row for row in kept if parts[row] == wanted]
        labels = [[values[table[name][row].lower()] for name in names] for row in rows]
        return AttributeImages(
            tuple(paths[row] for row in rows), np.array(labels, np.uint8).reshape(-1, len(names))
        )

    return AttributeDataset(table.path.stem, names, part("train"), part("validation"), part("test"))
