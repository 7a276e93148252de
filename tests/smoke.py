"""Check an installed keras-osnet: `python tests/smoke.py path/to/keras-osnet`.

`.ci/run` runs it on the built wheel, installed without the development dependencies and outside of
the repository, where a data file that was left out of the wheel is missing.
"""

import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    command = sys.argv[1]
    import keras_osnet

    assert "keras" not in sys.modules, "importing keras_osnet must not import Keras"
    package = Path(keras_osnet.__file__).parent
    assert not (package.parent / "tests").exists(), f"not an installed package: {package}"
    assert keras_osnet.list_weights(), "the catalogue is empty"
    assert keras_osnet.list_models(), "the architectures are missing"

    import numpy as np

    from keras_osnet.synthetic import synthetic_people, write_synthetic_people
    from keras_osnet.training import list_recipes

    assert list_recipes(), "the recipes are missing"
    assert (package / "weights" / "model_card.md").is_file(), "the model card is missing"
    assert (package / "quickstart" / "report.html").is_file(), "the report is missing"

    people = synthetic_people(2, cameras=2, views=1, image_size=(128, 64))
    model = keras_osnet.OSNet(
        0.25, head="embedding", weights="synthetic", include_preprocessing=True
    )
    embeddings = model.predict(people.images, verbose=0)
    assert embeddings.shape == (4, 512)
    assert np.isfinite(embeddings).all()

    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "model.keras"))
        loaded = keras_osnet.load_model(Path(folder, "model.keras"))
        np.testing.assert_array_equal(loaded.predict(people.images, verbose=0), embeddings)
        write_synthetic_people(Path(folder, "people"), 4, image_size=(128, 64))
        for arguments in (
            ["--help"],
            ["weights"],
            ["evaluate", "--data", f"{folder}/people", "--weights", "synthetic", "--json"],
        ):
            subprocess.run([command, *arguments], check=True)
    print("The installed package works.")


if __name__ == "__main__":
    main()
