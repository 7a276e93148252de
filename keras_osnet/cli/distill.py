"""`keras-osnet distill`: a small network learns the embeddings of a large one."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_osnet._utils.checks import expanded
from keras_osnet.cli import options, outputs
from keras_osnet.cli._distillation_request import DistillationRequest
from keras_osnet.cli._training import explained_divergence
from keras_osnet.cli.console import (
    echo,
    import_keras,
    print_facts,
    print_json,
    progress,
    waiting,
)
from keras_osnet.cli.interrupts import ends_at_once
from keras_osnet.cli.train import in_memory, located_weights, only_json, parsed_settings, seed
from keras_osnet.recipes import recipe_entries

if TYPE_CHECKING:
    from keras_osnet.training.run_folder import RunFolder

STUDENT = "student"
"""Folder of the training."""


def _located_teachers(
    context: click.Context, parameter: click.Parameter, teachers: tuple[str, ...]
) -> tuple[str, ...]:
    """Return absolute paths of files and folders, which `resume` finds from anywhere."""
    from keras_osnet.weights.catalogue import is_tag

    return tuple(
        str(expanded(each).absolute())
        if expanded(each).is_dir() and not is_tag(each)
        else located_weights(context, parameter, each) or each
        for each in teachers
    )


@click.command("distill")
@click.option(
    "--teacher",
    required=True,
    multiple=True,
    callback=_located_teachers,
    metavar="TAG|FILE|DIR",
    help="What is learned: weights (a tag, at width 1.0; a file; or hf://owner/repo[/file]"
    "[@revision]), an exported file (.tflite, .onnx, .xml), or vectors that `keras-osnet embed` "
    "wrote (.npz, or a folder). Several times for several at once.",
)
@click.option(
    "--images",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="DIR",
    help="Folder of images to learn on, with all in its subfolders; nothing has to be labeled.",
)
@outputs.output_folder(
    "Output folder: new, empty, or of this training, which is then resumed.", required=True
)
@click.option(
    "--student-width",
    "width",
    type=float,
    help="Width multiplier of the student: 1.0, 0.75, 0.5 or 0.25. Default: that of a file of "
    "weights; the recipe's, 0.25, for a tag.",
)
@click.option(
    "--student-weights",
    "weights",
    callback=located_weights,
    metavar="TAG|FILE",
    help="Initial weights of the student: a tag, a file, or hf://owner/repo[/file][@revision]; "
    f'"{options.RANDOM}" for random values. Default: the recipe\'s.',
)
@click.option(
    "--student-variant",
    "variant",
    type=click.Choice(["base", "ibn", "ain"]),
    help="Default: that of a file of weights, else base.",
)
@options.image_size(
    "Height and width of the student's images. Default: those of its weights.", default=None
)
@click.option(
    "--labels",
    is_flag=True,
    help="Also learn who is on the images: --images is then read as `train` reads --data, and "
    "loss.label_weight is 1 unless --set sets it.",
)
@click.option(
    "--combine",
    type=click.Choice(["concatenate", "average"]),
    default="concatenate",
    show_default=True,
    help="What to do with the vectors of several teachers.",
)
@click.option(
    "--no-flip",
    is_flag=True,
    help="Do not average the teacher's vectors of images and mirror images.",
)
@click.option("--recipe", default="distill", show_default=True, metavar="NAME|FILE.toml")
@options.count("--epochs", "Stretch or shorten the recipe to N epochs. Default: the recipe's.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    callback=parsed_settings,
    help="Change an entry of the recipe: --set loss.cosine_weight=1. Several times for several.",
)
@seed
@in_memory
@only_json
def command(
    images: Path, output: Path, recipe: str, no_flip: bool, as_json: bool, **given: Any
) -> None:
    """Train a small network to give the embeddings of a large one.

    The teacher's vectors are computed once and kept in DIR. Ctrl-C loses the current epoch; the
    same call, or `keras-osnet resume DIR`, resumes the training.

    \b
    keras-osnet distill --teacher msmt17_combineall --images crops -o run
    keras-osnet distill --teacher large.onnx --teacher vectors.npz \\
        --images crops -o run
    """
    from keras_osnet.training.run_folder import RunFolder

    request = DistillationRequest(
        images=str(images.absolute()),
        recipe=Path(recipe).stem if recipe.endswith(".toml") else recipe,
        entries=recipe_entries(recipe),
        flip=not no_flip,
        **given,
    )
    folder = RunFolder(output)
    request.check(folder)
    with ends_at_once(folder.interrupted):
        run(request, folder, as_json)


def run(request: DistillationRequest, folder: "RunFolder", as_json: bool) -> None:
    """Begin a distillation or resume it; if it is finished, print its report again."""
    report = folder.read_record().get("report")
    if report is None:
        images = request.read()
        import_keras()
        recipe = request.make_recipe()
        request.begin(folder)
        with explained_divergence():
            report = _trained(request, recipe, images, folder, show=not as_json)
        with folder.locked():
            folder.write_record(report=report)
    _print_report(report, folder, as_json)


def _trained(
    request: DistillationRequest, recipe: Any, images: Any, folder: "RunFolder", *, show: bool
) -> dict[str, Any]:
    """Train, and return the report."""
    from keras_osnet.data.readable import readable
    from keras_osnet.training import distill
    from keras_osnet.training.run_folder import RunFolder

    with waiting("Building the network …"):
        model = request.build_model(recipe)
    if not isinstance(images, list):
        images = replace(readable(images), query=(), gallery=())
    count = len(images if isinstance(images, list) else images.train)
    facts = {
        "recipe": recipe.name,
        "epochs": recipe.epochs,
        "teacher": list(request.teacher),
        "student": model.name,
        "parameters": model.count_params(),
        "images": count,
        "labels": request.labels,
    }
    if show:
        print_facts((name, _shown(value)) for name, value in facts.items())
        echo()
    with progress("Teacher", count * len(request.teacher)) as advance:
        result = distill(
            recipe,
            model,
            request.teacher,
            images,
            RunFolder(folder.root, STUDENT),
            flip=request.flip,
            combine=request.combine,
            seed=request.seed,
            in_memory=request.in_memory,
            progress=advance,
            verbose=(1 if sys.stdout.isatty() else 2) if show else 0,
        )
    losses = {name: value for name, value in result.metrics[-1].items() if name.endswith("loss")}
    return {**facts, **losses, "files": [path.name for path in result.paths]}


def _print_report(report: Any, folder: "RunFolder", as_json: bool) -> None:
    """Print the report of a training that is finished.

    Raises:
        ValueError: The report in the record is damaged.
    """
    try:
        paths = [str(folder.root / STUDENT / name) for name in report["files"]]
        if as_json:
            print_json({**report, "files": paths, "folder": str(folder.root)})
            return
        echo()
        losses = {name: value for name, value in report.items() if name.endswith("loss")}
        print_facts((name.replace("_", " "), f"{value:.4f}") for name, value in losses.items())
        print_facts((Path(path).name, path) for path in paths)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise folder.damaged(f"report: {error!r}") from error
    file = shlex.quote(paths[0])
    echo(
        f"\nNext: keras-osnet evaluate --weights {file} --data DIR\n"
        f"      keras-osnet export --weights {file} -o student.tflite --quantization int8"
    )


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "\n".join(value)
    return f"{value:,}" if isinstance(value, int) else str(value)
