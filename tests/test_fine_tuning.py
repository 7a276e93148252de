"""The loop and the tables of the benchmark of fine-tuning, without a training."""

import json

import fine_tuning
import pytest


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    monkeypatch.setattr(fine_tuning, "read_folder", lambda folder: ["people of", folder.name])
    parser = fine_tuning.new_parser("Title")
    given = ["--data", "pku", "--weights", "x.pth", "--output", str(tmp_path / "runs")]
    return parser.parse_args([*given, "--recipes", "few_people", "strong", "--halves", "0", "2"])


def result(name, half, seed, rank_1):
    """Return a result whose four figures are `rank_1` and less."""
    figures = {"cosine": [rank_1, rank_1 - 10], "euclidean": [rank_1 - 1, rank_1 - 11]}
    return {"recipe": name, "half": half, "seed": seed, "after": figures}


def test_what_has_a_file_is_not_measured_again(arguments):
    calls = []

    def measure(name, half, seed, arguments, people):
        calls.append((name, half, seed, *people))
        return result(name, half, seed, 90)

    arguments.output.mkdir()
    done = result("strong", 0, 0, 80)
    (arguments.output / "strong_other-0-0.json").write_text(json.dumps(done))
    results = fine_tuning.measure_missing(arguments, measure, "_other")

    people = ("people of", "pku")
    assert calls == [
        (*each, *people) for each in [("few_people", 0, 0), ("few_people", 2, 0), ("strong", 2, 0)]
    ]
    assert len(results) == 4
    assert done in results
    assert fine_tuning.measure_missing(arguments, measure, "_other") == results
    assert len(calls) == 3


def test_differences_are_of_the_same_half_and_seed(capsys):
    fine_tuning.print_differences(
        [
            result("few_people", 0, 0, 90),
            result("few_people", 1, 0, 80),
            result("few_people", 2, 0, 10),
            result("strong", 0, 0, 91),
            result("strong", 1, 0, 83),
        ]
    )
    _, head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["difference", "from", "few_people", "pairs"]
    assert row.split() == ["strong", "2", *4 * ["+2.0", "±", "1.0"]]
