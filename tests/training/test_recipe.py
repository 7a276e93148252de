import os
import tomllib

import pytest

from keras_osnet.data.transforms import RandomErasing, RandomFlip
from keras_osnet.optimizers import AMSGrad, CoupledSGD
from keras_osnet.recipes import recipe_names, recipe_text
from keras_osnet.training import list_recipes, load_recipe

RECIPES = list_recipes()


def test_the_papers_recipes_are_there():
    assert {
        "from_scratch",
        "fine_tune",
        "fine_tune_narrow",
        "fine_tune_cosine",
        "few_people",
        "strong",
        "distill",
        "cross_domain",
        "cross_domain_ain",
        "triplet",
        "triplet_mutual",
        "entropy",
        "attributes",
        "small_dataset",
        "cifar",
        "imagenet",
    } == set(RECIPES)
    assert all(RECIPES.values())


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_can_be_made(name):
    recipe = load_recipe(name)
    assert float(recipe.make_optimizer().learning_rate) == pytest.approx(recipe.learning_rate(0))
    assert recipe.make_steps()
    assert recipe.title
    assert recipe.source


# The numbers as the paper (section 4.1, supplement) and torchreid's configurations have them.
@pytest.mark.parametrize(
    ("name", "epochs", "alone", "batch", "rates"),
    [
        (
            "from_scratch",
            350,
            0,
            64,
            {0: 0.065, 149: 0.065, 150: 0.0065, 225: 0.00065, 300: 0.000065, 349: 0.000065},
        ),
        ("fine_tune", 150, 10, 64, {0: 0.0015, 59: 0.0015, 60: 0.00015, 120: 0.000015}),
        ("fine_tune_narrow", 180, 10, 128, {0: 0.003, 80: 0.0003, 160: 0.00003}),
        ("fine_tune_cosine", 250, 10, 64, {0: 0.0015, 125: 0.00075}),
        ("cross_domain_ain", 100, 10, 64, {0: 0.0015, 50: 0.00075}),
        ("attributes", 50, 0, 32, {29: 0.065, 30: 0.0065, 40: 0.00065}),
        ("triplet", 150, 10, (16, 4), {0: 0.0015}),
        ("imagenet", 120, 0, 1024, {0: 0.4}),
        ("cifar", 200, 0, 128, {0: 0.1, 60: 0.02, 120: 0.004, 160: 0.0008}),
    ],
)
def test_published_numbers(name, epochs, alone, batch, rates):
    recipe = load_recipe(name)
    assert (recipe.epochs, recipe.fixbase_epochs, recipe.batch_size) == (epochs, alone, batch)
    for epoch, rate in rates.items():
        assert recipe.learning_rate(epoch) == pytest.approx(rate)


def test_optimizers_are_torchreids():
    scratch = load_recipe("from_scratch").make_optimizer()
    assert isinstance(scratch, CoupledSGD)
    assert (scratch.momentum, scratch.nesterov, scratch.l2) == (0.9, False, 5e-4)
    tuning = load_recipe("fine_tune").make_optimizer()
    assert isinstance(tuning, AMSGrad)
    assert (tuning.beta_1, tuning.beta_2, tuning.epsilon, tuning.l2) == (0.9, 0.999, 1e-8, 5e-4)
    assert load_recipe("imagenet").make_optimizer().l2 == 4e-5


def test_steps_and_losses():
    assert load_recipe("fine_tune").make_steps() == [RandomFlip(), RandomErasing()]
    names = {type(step).__name__ for step in load_recipe("cross_domain_ain").make_steps()}
    assert names == {"RandomFlip", "ColorJitter"}
    recipe = load_recipe("triplet_mutual")
    assert recipe.loss_term("triplet_weight") == 0.5
    assert recipe.loss_term("triplet_margin") == 0.3
    assert recipe.loss_term("mutual") is True
    assert load_recipe("fine_tune").loss_term("mutual") is False


def test_fewer_epochs_keep_their_shares():
    recipe = load_recipe("from_scratch").with_epochs(70)
    assert recipe.schedule["milestones"] == [30, 45, 60]
    assert recipe.learning_rate(69) == pytest.approx(0.000065)
    cosine = load_recipe("few_people").with_epochs(8)
    assert (cosine.fixbase_epochs, cosine.learning_rate(4)) == (1, pytest.approx(1.5e-4))
    with pytest.raises(ValueError, match=r"`epochs` must be .* Received: 0"):
        load_recipe("few_people").with_epochs(0)


def test_warmup_begins_when_all_layers_are_trained():
    warm = {"schedule.warmup_epochs": 3}
    recipe = load_recipe("fine_tune").with_overrides({"fixbase_epochs": 2, **warm})
    rates = [recipe.learning_rate(epoch) / 0.0015 for epoch in range(6)]
    assert rates == pytest.approx([1, 1, 0.25, 0.5, 0.75, 1])
    cosine = load_recipe("few_people")
    assert cosine.with_overrides(warm).learning_rate(3) == cosine.learning_rate(3) * 0.5
    assert cosine.with_overrides(warm).with_epochs(5).schedule["warmup_epochs"] == 1


def test_any_number_of_epochs_is_a_valid_recipe():
    changes = {"epochs": 10, "fixbase_epochs": 5, "schedule.warmup_epochs": 5}
    recipe = load_recipe("few_people").with_overrides(changes)
    for epochs in range(1, 25):
        shorter = recipe.with_epochs(epochs)
        assert shorter.with_overrides({"title": shorter.title}) == shorter


def test_a_changed_recipe_is_checked_again():
    recipe = load_recipe("few_people")
    changed = recipe.with_overrides({"optimizer.clipnorm": 1.0, "validation_fraction": 0.5})
    assert changed.make_optimizer().clipnorm == 1.0
    assert (recipe.validation_fraction, changed.validation_fraction) == (0.2, 0.5)
    assert "clipnorm" not in recipe.optimizer
    with pytest.raises(ValueError, match=r"`optimizer` of few_people: .*weight_decay"):
        recipe.with_overrides({"optimizer.weight_decay": 0.1})
    with pytest.raises(ValueError, match=r"made of the entries .* Received: epoch$"):
        recipe.with_overrides({"epoch": 3})
    with pytest.raises(ValueError, match=r"tables are optimizer.* Received: 'optimiser.l2'"):
        recipe.with_overrides({"optimiser.l2": 0.0})


def test_to_dict_makes_the_recipe_again():
    for name in RECIPES:
        recipe = load_recipe(name)
        assert recipe.with_overrides(recipe.to_dict()) == recipe


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'task = "reid"\nepochs = 3\nbatch_size = 8\n'
        'optimizer = { name = "sgd", learning_rate = 0.1 }\nschedule = { name = "constant" }\n'
    )
    recipe = load_recipe(path)
    assert (recipe.name, recipe.epochs, recipe.learning_rate(2)) == ("mine", 3, 0.1)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.toml"):
        load_recipe(tmp_path / "nowhere.toml")
    for content in (b"task = ", b"task = " + b"[" * 100_000, "task = 1".encode("utf-16")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"TOML file\. Received: .*mine\.toml"):
            load_recipe(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match=r"named pipe\. Received: .*mine\.toml"):
        load_recipe(path)
    with pytest.raises(ValueError, match=r"one of .*few_people.* Received: 'no_such'"):
        load_recipe("no_such")


BASE = {
    "task": "reid",
    "epochs": 3,
    "batch_size": 8,
    "optimizer": {"name": "sgd", "learning_rate": 0.1},
    "schedule": {"name": "constant"},
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "faces"}, r"`task` .* one of reid"),
        ({"epochs": 2.5}, r"`epochs` .* Received: 2\.5"),
        ({"epochs": True}, r"`epochs` .* Received: True"),
        ({"fixbase_epochs": 4}, r"`fixbase_epochs` .* at most 3"),
        ({"validation_fraction": 1}, r"`validation_fraction` .* below 1"),
        ({"batch_size": [4]}, r"`batch_size` .* two positive integers"),
        ({"batch_size": 0}, r"`batch_size` .* at least 1"),
        ({"resize": 256}, r"`resize`"),
        ({"optimizer": "sgd"}, r"`optimizer` .* a table"),
        ({"optimizer": {"name": "adam", "learning_rate": 0.1}}, r"`optimizer.name` .* sgd, amsgr"),
        ({"optimizer": {"name": "sgd"}}, r"`optimizer.learning_rate`"),
        ({"optimizer": {"name": "sgd", "learning_rate": 0.1, "speed": 3}}, r"`optimizer` .*speed"),
        ({"schedule": {"name": "multi_step", "factor": 0.1}}, r"made of factor, milestones"),
        ({"schedule": {"name": "cosine", "factor": 0.1}}, r"made of nothing else"),
        ({"schedule": {"name": "linear"}}, r"`schedule.name`"),
        ({"schedule": {"name": "cosine", "warmup_epochs": -1}}, r"`schedule.warmup_epochs`"),
        (
            {"schedule": {"name": "cosine", "warmup_epochs": 3}, "epochs": 4, "fixbase_epochs": 2},
            r"`schedule.warmup_epochs` of .* must be at most 2 \(`epochs` without",
        ),
        (
            {"schedule": {"name": "multi_step", "factor": 0.1, "milestones": [1.5]}},
            r"`schedule.milestones`",
        ),
        ({"augmentation": {"name": "RandomFlip"}}, r"`augmentation` .* list of tables"),
        ({"augmentation": [{"name": "Normalize"}]}, r"wrong step: its name must be one of"),
        ({"augmentation": [{"name": "RandomFlip", "p": 1}]}, r"wrong step.*'p'"),
        ({"loss": {"slack": 0.3}}, r"`loss` .* label_smoothing"),
        ({"loss": {"label_smoothing": "much"}}, r"`loss.label_smoothing`"),
        ({"loss": {"mutual": 1}}, r"`loss.mutual` .* true or false"),
        ({"loss": {"triplet_weight": 0.5}}, r"`batch_size` .*\(people, images of each"),
    ],
)
def test_what_is_wrong_is_named(changes, message):
    recipe = load_recipe("few_people").with_overrides({**BASE, "fixbase_epochs": 0})
    with pytest.raises(ValueError, match=message):
        recipe.with_overrides({**BASE, "fixbase_epochs": 0, **changes})


@pytest.mark.parametrize("name", recipe_names())
def test_every_file_says_where_its_numbers_are_from(name):
    text = recipe_text(name)
    assert text.startswith("# ")
    assert {"title", "source"} <= set(tomllib.loads(text))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("task", [[], {}, 3, None]),
        ("title", [3, []]),
        ("epochs", [10**7, 10**400, 1.5, True]),
        ("optimizer.name", [[], {}, 3, None]),
        ("optimizer.learning_rate", [float("nan"), float("inf"), 10**400, "1"]),
        ("schedule.name", [[], {}, 3, None]),
        ("schedule.factor", [float("nan"), float("inf"), 10**400]),
        ("optimizer.clipnorm", [-1, 0, float("nan"), "1", True]),
        ("optimizer.clipvalue", [-1, 0]),
        ("optimizer.global_clipnorm", [-1, 0]),
        ("optimizer.use_ema", [3, "yes", 1]),
        ("optimizer.ema_momentum", [2, -1, "1"]),
        ("optimizer.ema_overwrite_frequency", [0, 1.5]),
        ("optimizer.gradient_accumulation_steps", [1, 2.5]),
        ("optimizer.speed", [1]),
        ("model.neck", ["layer", 3]),
        ("model.pooling", ["median", 3]),
        ("model.variant", ["wide", 3]),
        ("model.width", [0, "1", float("nan")]),
        ("model.image_size", [3, [0, 3], [64, 32, 3], ["64", "32"]]),
        ("model.mean", [[1], 3]),
        ("model.std", [[0, 0, 0]]),
        ("model.depths", [[1], 3, [0, 1, 1]]),
        ("model.streams", [0, "4"]),
        ("model.weights", [3, ["a"]]),
        ("model.depht", [3]),
        ("model.classes", [3]),
        ("loss.label_smoothing", [float("nan"), float("inf"), 1.5]),
        ("augmentation", [[{"name": []}], [{"name": {}}], [3], 3]),
    ],
)
def test_values_that_no_training_could_use(name, values):
    for value in values:
        with pytest.raises(ValueError, match=r"fine_tune.*Received: "):
            load_recipe("fine_tune").with_overrides({name: value})
