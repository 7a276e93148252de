"""Taking the pictures of CUHK03 out of the one MATLAB file that it comes as."""

import os
from pathlib import Path

from keras_osnet._utils.files import atomic_path
from keras_osnet.data._pillow import require_pillow
from keras_osnet.data.datasets.cuhk03 import ARCHIVE
from keras_osnet.data.datasets.layout import find_root
from keras_osnet.data.datasets.optional import open_mat73

_PER_VIEW = 5


def extract_cuhk03(folder: str | os.PathLike[str]) -> Path:
    """Write the pictures of CUHK03 to `images_detected` and `images_labeled`, as PNG files.

    Names are those of torchreid and of the new protocol, `1_001_2_07.png`: pair of cameras,
    person, view, picture (1 to 5 of view 1, 6 to 10 of view 2). Pictures that are there already
    stay, so an interrupted run is completed by the same call.

    Args:
        folder: The folder that has `cuhk03_release/cuhk-03.mat` in it.

    Returns:
        The folder that the two new ones are in, for `read_dataset("cuhk03", ...)`.

    Raises:
        FileNotFoundError: If the file is not there.
        ImportError: If h5py or Pillow is not installed.
    """
    root = find_root(folder, "cuhk03", (ARCHIVE,))
    pillow = require_pillow()
    with open_mat73(root / ARCHIVE) as archive:
        for kind in ("detected", "labeled"):
            target = root / f"images_{kind}"
            target.mkdir(exist_ok=True)
            # h5py sees MATLAB's arrays with their axes reversed: this one is pictures by people.
            for pair, people in enumerate(archive[kind][()].ravel(), start=1):
                for person, references in enumerate(archive[people][()].T, start=1):
                    for number, reference in enumerate(references, start=1):
                        picture = archive[reference][()].T
                        view = 1 if number <= _PER_VIEW else 2
                        path = target / f"{pair}_{person:03d}_{view}_{number:02d}.png"
                        # Where there are fewer than ten pictures, the cell is empty.
                        if picture.ndim == 3 and not path.exists():
                            with atomic_path(path) as unfinished:
                                pillow.fromarray(picture).save(unfinished, format="PNG")
    return root
