"""`keras-osnet train` and `resume`: train a network by a recipe."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_osnet._utils.checks import expanded
from keras_osnet.cli import options, outputs, people
from keras_osnet.cli._distillation_request import DistillationRequest
from keras_osnet.cli._training import run
from keras_osnet.cli._training_data import OWN, TrainingSources
from keras_osnet.cli._training_report import print_report
from keras_osnet.cli._training_request import TrainingRequest
from keras_osnet.cli.console import import_keras
from keras_osnet.cli.interrupts import ends_at_once
from keras_osnet.recipes import recipe_entries

if TYPE_CHECKING:
    from keras_osnet.training.run_folder import RunFolder

_POSITIVE = click.IntRange(min=1)


def parsed_settings(
    _: click.Context, __: click.Parameter, texts: tuple[str, ...]
) -> dict[str, Any]:
    """Return the values of KEY=VALUE, which are TOML, by key."""
    settings: dict[str, Any] = {}
    for text in texts:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not key or not equals:
            raise click.BadParameter(f"must be KEY=VALUE. Received: {text}")
        if key in settings:
            raise click.BadParameter(f"must name a key once. Received: {key} twice")
        try:
            parsed = tomllib.loads(f"value = {value}")
            json.dumps(parsed)  # TOML has dates, which no recipe has
            (settings[key],) = parsed.values()
        except (ValueError, TypeError, RecursionError) as error:
            raise click.BadParameter(
                "must be KEY=VALUE with a value as in TOML: a number, true, false, [a, list], or "
                f"a text in quotes, '{key}=\"text\"'. Received: {text}"
            ) from error
    return settings


def _parsed_targets(
    _: click.Context, __: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    """Return the folders of NAME=DIR, by name."""
    if not texts:
        return {}
    from keras_osnet.data import list_datasets

    targets: dict[str, str] = {}
    for text in texts:
        name, _equals, place = text.partition("=")
        if name not in (OWN, *list_datasets()) or not place or name in targets:
            raise click.BadParameter(
                "must be NAME=DIR, each NAME once: a published dataset of people, such as "
                f'market1501, or "{OWN}". Received: {text}'
            )
        if not Path(place).exists():
            raise click.BadParameter(f"must name a folder that exists. Received: {text}")
        targets[name] = str(Path(place).absolute())
    return targets


def located_weights(_: click.Context, __: click.Parameter, weights: str | None) -> str | None:
    """Return a file's absolute path, which `resume` finds from anywhere; else the argument."""
    if weights is None or weights == options.RANDOM:
        return weights
    from keras_osnet.weights.catalogue import is_tag

    path = expanded(weights)
    return str(path.absolute()) if path.is_file() and not is_tag(weights) else weights


def _check_data(request: TrainingRequest, folder: Path) -> None:
    """Raise FileNotFoundError if training or test data do not exist any more."""
    for option, paths in (("data", request.sources.data), ("target", request.targets.values())):
        for path in paths:
            if not Path(path).exists():
                raise FileNotFoundError(
                    f"--{option} of the training in {folder} does not exist any more. "
                    f"Received: {path}"
                )


seed = click.option("--seed", type=click.IntRange(min=0), default=0, metavar="N", show_default=True)

in_memory = click.option("--in-memory", is_flag=True, help="Keep all images in memory, once read.")

only_json = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else."
)

_final = click.option(
    "--final",
    is_flag=True,
    help="In the end, train once more on all people, those held out included, into DIR/final: "
    "the networks to use, for which no figure can be measured.",
)


@click.command("train")
@click.argument("recipe")
@click.option(
    "--data",
    type=people.DATA,
    multiple=True,
    required=True,
    metavar="PATH",
    help="Images: a folder of files named as Market-1501's, a folder with a sub-folder for each "
    "person, or a table (.csv, .parquet). With --dataset, the folder it is in. Several times, in "
    "pairs with --dataset, to mix datasets.",
)
@click.option(
    "--dataset",
    multiple=True,
    metavar="NAME",
    help=f'Published dataset that --data holds: market1501, cifar10, …; "{OWN}" for your own '
    "images among several.",
)
@people.version
@people.split
@click.option(
    "--all-splits", is_flag=True, help="Of --dataset: train on each of its splits; average."
)
@people.camera_pattern
@people.no_check
@click.option(
    "--test-share",
    type=options.FiniteFloatRange(0, 1, max_open=True),
    metavar="P",
    help="Of your own people: share to test on instead of training; 0 trains on all. Default: 0.5.",
)
@click.option(
    "--combineall",
    is_flag=True,
    help="Train on all people of a dataset; there is no test.",
)
@_final
@outputs.output_folder(
    "Output folder: new, empty, or of this training, which is then resumed.", required=True
)
@click.option(
    "--weights",
    callback=located_weights,
    metavar="TAG|FILE",
    help="Initial weights: a tag (see `keras-osnet weights`), a file, or "
    f'hf://owner/repo[/file][@revision]; "{options.RANDOM}" for random values. Default: the '
    "recipe's.",
)
@click.option(
    "--width",
    type=float,
    help="Width multiplier: 1.0, 0.75, 0.5 or 0.25. Default: the file's; 1.0 for a tag.",
)
@click.option("--variant", type=click.Choice(["base", "ibn", "ain"]), help="Default: the recipe's.")
@options.image_size(
    "Height and width of the images. Default: the recipe's, else those of the weights, else "
    "256 128.",
    default=None,
)
@click.option(
    "--epochs",
    type=_POSITIVE,
    metavar="N",
    help="Stretch or shorten the recipe to N epochs, steps of the learning rate included.",
)
@click.option("--batch-size", type=_POSITIVE, metavar="N", help="Default: the recipe's.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    callback=parsed_settings,
    help="Change an entry of the recipe: --set optimizer.learning_rate=1e-4 "
    "--set validation_fraction=0. "
    "VALUE is as in TOML. Several times for several.",
)
@seed
@click.option(
    "--seeds",
    type=_POSITIVE,
    default=1,
    metavar="N",
    show_default=True,
    help="Number of trainings, with consecutive seeds; the result is their mean and spread.",
)
@click.option(
    "--distribution",
    type=click.Choice(["mirrored", "multi-worker", "data-parallel"]),
    help="Train on several devices or machines; see keras_osnet.training.distributed.",
)
@in_memory
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="NAME=DIR",
    callback=_parsed_targets,
    help="Also test on another dataset, market1501=DIR, whose cameras were not trained on. "
    "Several times for several.",
)
@only_json
def train(
    recipe: str,
    output: Path,
    settings: dict[str, Any],
    targets: dict[str, str],
    as_json: bool,
    **given: Any,
) -> None:
    """Train a network by RECIPE.

    RECIPE is a name (see `keras-osnet recipes`) or a .toml file like theirs. Ctrl-C loses the
    current epoch; the same call, or `keras-osnet resume DIR`, resumes the training.

    \b
    keras-osnet train few_people --data crops -o run --final
    keras-osnet train fine_tune --data DIR --dataset market1501 -o run
    keras-osnet train small_dataset --data DIR --dataset viper --all-splits -o run
    keras-osnet train cross_domain_ain --data DIR --dataset msmt17 --combineall
        --target market1501=DIR -o run
    """
    request = TrainingRequest(
        recipe=Path(recipe).stem if recipe.endswith(".toml") else recipe,
        entries=recipe_entries(recipe),
        sources=TrainingSources(
            data=tuple(str(path.absolute()) for path in given.pop("data")),
            check=not given.pop("no_check"),
            **{
                name: given.pop(name)
                for name in (
                    "dataset", "version", "split", "all_splits", "camera_pattern", "test_share",
                    "combineall",
                )
            },
        ),
        settings=settings,
        targets=targets,
        **given,
    )  # fmt: skip
    from keras_osnet.training.run_folder import RunFolder

    folder = RunFolder(output)
    request.check(folder)
    with ends_at_once(folder.interrupted):
        _train(request, folder, as_json)


@click.command("resume")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_final
@options.as_json
def resume(folder: Path, final: bool, as_json: bool) -> None:
    """Resume a training that was interrupted.

    DIR is the --output of `train` or `distill`. The training resumes at the end of the last whole
    epoch. Finished trainings are not repeated; if all are finished, the result is printed again.

    \b
    keras-osnet resume run
    keras-osnet resume run --final
    """
    from keras_osnet.training.run_folder import RunFolder

    place = RunFolder(folder)
    if distillation := DistillationRequest.from_record(place):
        from keras_osnet.cli import distill

        if final:
            raise click.UsageError("--final is for `train`, not for `distill`.")
        with ends_at_once(place.interrupted):
            distill.run(distillation, place, as_json)
        return
    request = TrainingRequest.from_record(place)
    with ends_at_once(place.interrupted):
        _train(replace(request, final=request.final or final), place, as_json)


def _train(request: TrainingRequest, folder: "RunFolder", as_json: bool) -> None:
    """Begin a training or go on with it; if it is finished, print its report again."""
    if _print_finished(request, folder, as_json):
        return
    _check_data(request, folder.root)
    data = request.read()
    import_keras()
    from keras_osnet.training import distributed

    # Entered before Keras creates anything: several machines must connect first.
    with distributed(request.distribution) as devices:
        recipe = request.make_recipe()
        if devices.is_chief:
            request.begin(folder)
        devices.barrier()
        if not _print_finished(request, folder, as_json):  # by another process since
            run(request, recipe, data, folder, as_json=as_json)


def _print_finished(request: TrainingRequest, folder: "RunFolder", as_json: bool) -> bool:
    """Print the report if the training is finished, and return whether it is."""
    report = folder.read_record().get("report")
    if report is None or request.check(folder):
        return False
    print_report(report, folder, as_json=as_json)
    return True
