"""Does a threshold that was chosen on 20 people hold on 20 others?

    python tests/benchmarks/verification.py --reference ../shared --results verification.json

On random halves of the 40 people of `pku_reid_40.tar`: a threshold is chosen on each half by
`keras_osnet.metrics.choose_threshold`, with the intervals that it states, and its error rates are
measured on the other half; with the vectors of the weights as a float .tflite file, and as int8
files that are calibrated on the half that the threshold is chosen on. The 20 others are a sample,
too: an interval of 95 % that is as wide as it should be holds 83 % of such results, and 95 % when
it is 1.4 times as wide, as the difference of two equal errors is 1.4 times as large as one.

`--int8-halves` exports a file for each half. Results are kept in the JSON file and not computed
again.
"""

import argparse
import json
import tarfile
import tempfile
from pathlib import Path

import numpy as np

from keras_osnet.data import read_people
from keras_osnet.data.datasets.splits import halves
from keras_osnet.metrics import choose_threshold, evaluate_verification

RATES = (0.1, 0.01)
SPREAD = (np.mean, np.min, np.max)
WEIGHTS = "osnet_x0_25_msmt17.pth"


def embedded(file, images):
    from keras_osnet.runtime import Embedder

    return Embedder(file, threads=2).embed_files([image.path for image in images]).vectors


def vectors_of(arguments, images, folder, done):
    """Yield name, people to choose on, and vectors of all images, for what is not done."""
    from keras_osnet import load_model
    from keras_osnet.deploy import export

    model = load_model(
        arguments.reference / "weights" / WEIGHTS, head="embedding", include_preprocessing=True
    )
    people = sorted({image.identity for image in images})
    divided = {
        f"{half}.{number}": chosen
        for half in range(max(arguments.halves, arguments.int8_halves))
        for number, chosen in enumerate(halves(people, f"verification {half}"))
    }
    wanted = [name for name in list(divided)[: 2 * arguments.halves] if f"float {name}" not in done]
    if wanted:
        float_file = folder / "float.tflite"
        export(model, float_file)
        vectors = embedded(float_file, images)
        for name in wanted:
            yield f"float {name}", divided[name], vectors
    for name in list(divided)[: 2 * arguments.int8_halves]:
        if f"int8 {name}" not in done:
            file = folder / f"int8-{name}.tflite"
            calibration = [image.path for image in images if image.identity in divided[name]]
            export(model, file, quantization="int8", calibration=calibration)
            yield f"int8 {name}", divided[name], embedded(file, images)


def measured(vectors, identities, cameras, chosen):
    inside = np.isin(identities, sorted(chosen))
    found = {}
    for rate in RATES:
        of_chosen = (vectors[inside], None, identities[inside], None, cameras[inside])
        threshold = choose_threshold(*of_chosen, false_positive_rate=rate)
        others = evaluate_verification(
            vectors[~inside], None, identities[~inside], None, cameras[~inside]
        )
        false, true = others.rates_at(threshold.similarity)
        found[f"{rate:g}"] = threshold.to_dict() | {
            "false_positive_rate_of_others": false,
            "true_positive_rate_of_others": true,
        }
    return found


def table(results):
    columns = ("file", "choices", "FPR wanted", "similarity", "FPR of others", "TPR of others")
    columns += ("FPR within", "1.4 times", "TPR within", "1.4 times")
    print("|", " | ".join(columns), "|")
    print("|", " | ".join("---" for _ in columns), "|")
    for kind in ("float", "int8"):
        for rate in map("{:g}".format, RATES):
            rows = [each[rate] for name, each in results.items() if name.startswith(kind)]
            if not rows:
                continue
            column = {name: np.array([row[name] for row in rows]) for name in rows[0]}
            holds = []
            for name in ("false_positive", "true_positive"):
                own, value = column[f"{name}_rate"], column[f"{name}_rate_of_others"]
                ends = column[f"{name}_interval"].T
                for width in (1, 2**0.5):
                    low, high = own + width * (ends - own)
                    holds.append(f"{np.mean((low <= value) & (value <= high)):.0%}")
            false, true = (
                "{:.2f} % ({:.2f} to {:.2f})".format(*(100 * f(values) for f in SPREAD))
                for values in (
                    column["false_positive_rate_of_others"],
                    column["true_positive_rate_of_others"],
                )
            )
            similarity = column["similarity"]
            print(
                f"| {kind} | {len(rows)} | {100 * float(rate):g} % | {similarity.mean():.3f} "
                f"({similarity.min():.3f} to {similarity.max():.3f}) | {false} | {true} | "
                f"{' | '.join(holds)} |"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reference", type=Path, default=Path("../shared"))
    parser.add_argument("--results", type=Path, default=Path("verification.json"))
    parser.add_argument("--halves", type=int, default=50)
    parser.add_argument("--int8-halves", type=int, default=5)
    arguments = parser.parse_args()
    results = json.loads(arguments.results.read_text()) if arguments.results.exists() else {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with tarfile.open(arguments.reference / "data" / "pku_reid_40.tar") as archive:
            archive.extractall(folder, filter="data")
        images = read_people(folder / "pku_reid").all_images
        identities = np.array([image.identity for image in images])
        cameras = np.array([image.camera for image in images])
        for name, chosen, vectors in vectors_of(arguments, images, folder, set(results)):
            results[name] = measured(vectors, identities, cameras, chosen)
            arguments.results.write_text(json.dumps(results))
    table(results)


if __name__ == "__main__":
    main()
