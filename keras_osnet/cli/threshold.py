"""`keras-osnet threshold`: the similarity above which two images show the same person."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_osnet.cli import options, visualize
from keras_osnet.cli._verification_task import VerificationTask
from keras_osnet.cli.console import (
    echo,
    per_cent,
    print_facts,
    print_json,
    progress,
    report_unreadable,
    warn_unreadable,
)
from keras_osnet.cli.options import ModelSource
from keras_osnet.cli.people import PeopleSource, people_options

if TYPE_CHECKING:
    from keras_osnet.data import PersonImage
    from keras_osnet.data.records import EmbeddedImages

_RATES = (0.1, 0.01, 0.001)

_WITHOUT_CAMERAS = (
    "Cameras are not known: pairs under one camera, such as near-duplicates, count as well, and "
    "the true positive rate is too high. --camera-pattern reads cameras from the names of files."
)


@click.command("threshold")
@people_options
@options.model_options(
    text="A file that `keras-osnet export` wrote (.tflite, .onnx, .xml), into which the threshold "
    f"is written. Or weights, for which it is printed. {options.WEIGHTS}"
)
@click.option(
    "--false-positive-rate",
    "rate",
    type=options.FiniteFloatRange(0, 1, min_open=True),
    default=0.01,
    show_default=True,
    metavar="RATE",
    help="Largest share of the pairs of different people to take for the same person.",
)
@click.option(
    "--balanced",
    is_flag=True,
    help="Choose the threshold with the smallest sum of both errors instead.",
)
@options.device
@options.pixel_range
@options.count("--batch-size", "Images per batch; of weights. Default: 32.")
@visualize.figure_option(
    "Draw the ROC curve with the threshold (.png, .svg, .pdf).", name="--figure", required=False
)
@click.option("--no-write", is_flag=True, help="Do not write the threshold into the file.")
@click.option("--force", is_flag=True, help="Replace the threshold that the file has.")
@options.as_json
def command(
    source: PeopleSource,
    model: ModelSource,
    rate: float,
    balanced: bool,
    device: str,
    pixel_range: str | None,
    batch_size: int | None,
    figure: Path | None,
    no_write: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Choose the similarity above which two images show one person.

    Images are given as for `keras-osnet evaluate`. Of your own, every two images under different
    cameras are compared; of a dataset, or a table that has them, queries and gallery. The threshold
    and its errors, with intervals over people, are printed, and written into an exported file, from
    which `Embedder.same_person` reads them.

    \b
    keras-osnet threshold --data DIR --weights osnet.tflite
    keras-osnet threshold --data DIR --weights osnet.tflite --false-positive-rate 0.001
    keras-osnet threshold --data DIR --weights msmt17 --figure roc.png
    """
    exported = model.exported
    given = click.get_current_context().get_parameter_source("rate")
    if balanced and given is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--balanced and --false-positive-rate exclude each other.")
    if exported is None:
        for name, value in (
            ("--pixel-range", pixel_range is not None),
            ("--device", device != "auto"),
            ("--no-write", no_write),
            ("--force", force),
        ):
            if value:
                raise click.UsageError(f"{name} is for exported files, not for weights.")
    elif batch_size is not None:
        raise click.UsageError("--batch-size is for weights, not for exported files.")
    task = VerificationTask.read(source)
    write = exported is not None and not no_write
    if exported is not None and write:
        from keras_osnet.runtime.read_metadata import read_model_file
        from keras_osnet.runtime.write_threshold import check_holds_threshold

        file = read_model_file(exported)
        if file.metadata is None:
            raise click.UsageError(
                "keras-osnet did not export the file of --weights, and it has no place for a "
                f"threshold; --no-write prints it only. Received: {exported}"
            )
        check_holds_threshold(file, overwrite=force)
    from keras_osnet.metrics import choose_threshold
    from keras_osnet.metrics.choose_threshold import check_enough_pairs

    allowed = None if balanced else rate
    check_enough_pairs(task.count_pairs(), allowed)
    people = task.images
    embedded, digest = _embed(people, model, device, pixel_range, batch_size or 32)
    warn_unreadable(embedded.unreadable, len({person.path for person in people}))
    chosen = choose_threshold(*task.arrays(embedded), false_positive_rate=allowed)
    cameras_known = all(person.camera is not None for person in people)
    if figure is not None:
        from keras_osnet.visualize import plot_roc, save_figure

        name = Path(str(model.weights)).name
        save_figure(plot_roc({name: chosen.verification}, threshold=chosen.similarity), figure)
    if exported is not None and write:
        from keras_osnet.runtime import write_threshold
        from keras_osnet.runtime.threshold import Threshold

        stated = Threshold.from_facts(chosen.to_dict())
        write_threshold(exported, stated, overwrite=force, digest=digest)
    report: dict[str, Any] = chosen.to_dict() | chosen.verification.to_dict(_RATES)
    report |= {"weights": model.weights, "written": write}
    report["cameras_known"] = cameras_known
    report["notes"] = [] if cameras_known else [_WITHOUT_CAMERAS]
    report["division"] = task.division
    report["unreadable"] = report_unreadable(embedded.unreadable)
    if as_json:
        print_json(report)
        return
    print_facts(_facts(report))
    for note in report["notes"]:
        echo(f"\n{note}")
    if figure is not None:
        echo(f"\nWrote {figure}")
    if write:
        echo(f"\nWrote the threshold into {exported}")


def _embed(
    people: "Sequence[PersonImage]",
    source: ModelSource,
    device: str,
    pixel_range: str | None,
    batch_size: int,
) -> "tuple[EmbeddedImages, str | None]":
    """Embed images of people, and return the digest of an exported file as well."""
    files = list(dict.fromkeys(person.path for person in people))
    if source.exported is not None:
        from keras_osnet.runtime import Embedder

        embedder = Embedder(
            source.exported, device=device, image_size=source.image_size, pixel_range=pixel_range
        )
        with progress("Embedding", len(files)) as advance:
            return embedder.embed_files(files, progress=advance), embedder.digest
    network = source.load("embedding")
    from keras_osnet.evaluation import embed_images

    with progress("Embedding", len(files)) as advance:
        embedded = embed_images(
            network, files, batch_size=batch_size, skip_unreadable=True, progress=advance
        )
    return embedded, None


def _facts(report: dict[str, Any]) -> list[tuple[str, str]]:
    low, high = report["similarity_interval"]
    interval = f"{100 * report['confidence']:g} % interval"
    facts = [
        ("weights", str(report["weights"])),
        ("similarity", f"{report['similarity']:.4f} ({interval}: {low:.4f} to {high:.4f})"),
    ]
    for name, kind in (("false", "different people"), ("true", "the same person")):
        rate, ends = report[f"{name}_positive_rate"], report[f"{name}_positive_interval"]
        low, high = (f"{100 * end:.2f}" for end in ends)
        said = f"{100 * rate:.2f} % of the pairs of {kind} ({low} to {high})"
        facts.append(("accepts" if name == "false" else "", said))
    facts.append(("EER", f"{100 * report['equal_error_rate']:.2f} %"))
    for rate in _RATES:
        share = per_cent(report[f"true_positive_rate_at_{rate:g}"])
        few = f"too few pairs of different people to tell, fewer than {10 / rate:,.0f}"
        facts.append((f"TPR at FPR {100 * rate:g} %", few if share is None else f"{share:.2f} %"))
    pairs = (
        f"{report['genuine_pairs']:,} of the same person, {report['impostor_pairs']:,} of others"
    )
    return [
        *facts,
        ("pairs", f"{pairs}; {report['identities']:,} people"),
        ("protocol", report["division"]),
    ]
