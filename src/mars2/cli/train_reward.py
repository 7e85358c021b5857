"""``mars2 train-reward``: a reward model from the trees of finished runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mars2.cli.output import print_json, say
from mars2.config.load import parse_as, read_yaml
from mars2.config.reward_model import RewardModelConfig
from mars2.core.errors import ConfigError, StoreError
from mars2.core.files import write_json
from mars2.core.problem import Problem
from mars2.core.tree import Tree
from mars2.jobs.run_folder import commit, open_run, set_aside

HELP = """Train a reward model, which estimates how likely a program is right, on the trees of finished runs.

Its labels are hidden verdicts, so CONFIG names runs of `mars2 train` or `mars2 evaluate`. Problems are split into
training, validation, calibration and test; the figures printed are of test problems.

Examples:

    mars2 train-reward lab_reward_model

    mars2 train-reward lab_reward_model --set runs=[runs/mine] --set epochs=3 --out models/mine

    mars2 solve problem.md --config team.yaml --reward-model models/reward
"""


def register(app: typer.Typer) -> None:
    app.command(name="train-reward", help=HELP)(train_reward)


def train_reward(
    config: Annotated[Path, typer.Argument(help="A YAML configuration, or a recipe's name.")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, for example epochs=3.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to make, instead of the configured one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
) -> None:
    overrides = [*(set_ or ()), *([f"out={out}"] if out is not None else [])]
    settings = parse_as(RewardModelConfig, read_yaml(config), overrides)
    trees, problems = _read_runs(settings)
    summary = _train(settings, trees, problems)
    if as_json:
        print_json(summary)
        return
    for name, value in _rows(summary):
        say(f"{name:<42} {value}")
    say(f"reward model: {settings.out} (use it as guidance.reward_model); report: {settings.out / 'report.html'}")


def _read_runs(config: RewardModelConfig) -> tuple[list[Tree], dict[str, Problem]]:
    """Finished trees and their problems, of all runs.

    Raises:
        ConfigError: a run is not there, has no finished trees, or two runs mean different problems by one id.
    """
    trees: list[Tree] = []
    problems: dict[str, Problem] = {}
    for folder in config.runs:
        store, _ = open_run(folder)
        with store:
            found = [s.tree for s in store.iter_trees(config.phase, finished_only=True)]
            for problem_id in dict.fromkeys(tree.problem_id for tree in found):
                problem = store.problem(problem_id)
                if problem is None:
                    raise ConfigError(f"runs: {folder} does not hold problem {problem_id!r}; train on another run")
                if problems.setdefault(problem_id, problem).statement != problem.statement:
                    raise ConfigError(
                        f"runs: {folder} has another problem {problem_id!r} than a run before it; "
                        "use runs on the same problems"
                    )
        if not found:
            phase = f" of phase {config.phase}" if config.phase else ""
            raise ConfigError(f"runs: {folder} has no finished trees{phase}; name a run that has")
        trees += found
    return trees, problems


def _train(config: RewardModelConfig, trees: Sequence[Tree], problems: Mapping[str, Problem]) -> dict[str, Any]:
    from mars2.runs.measuring.reward_data import PARTS, labelled_programs, split_problems

    programs = labelled_programs(trees, problems)
    split = config.split
    parts = split_problems(programs, (split.valid, split.calibration, split.test), config.seed)
    counts = {
        part: {
            "problems": len(parts[part]),
            "programs": sum(len(programs[p]) for p in parts[part]),
            "right": sum(is_right for p in parts[part] for _, is_right in programs[p]),
        }
        for part in PARTS
    }
    for part, count in counts.items():
        if not 0 < count["right"] < count["programs"]:
            share = f"raise split.{part}" if part != "train" else "lower the other shares"
            raise ConfigError(
                f"runs: {part} has {count['right']} right of {count['programs']} programs with known labels, and needs "
                f"right and wrong ones; name more runs, or {share}"
            )

    from mars2.build.models import prepare_reward_training
    from mars2.reward_model.metrics import auc, brier, ece, reliability
    from mars2.reward_model.model import TransformersRewardModel, load_reward_model
    from mars2.reward_model.page import write_page
    from mars2.reward_model.training import Example, calibrate, encode_examples, fit
    from mars2.runs.measuring.selection_gain import selection_gain

    started = time.monotonic()
    backbone, device = prepare_reward_training(config)
    model = TransformersRewardModel(
        backbone, max_tokens=config.max_tokens, device=device, seed=config.seed, trainable=config.trainable
    )
    data = {
        part: encode_examples(
            model, [Example(problems[p], program, right) for p in parts[part] for program, right in programs[p]]
        )
        for part in PARTS
    }
    history = fit(
        model,
        data["train"],
        data["valid"],
        config,
        on_epoch=lambda e: say(
            f"epoch {e.number}: loss {e.train_loss:.3f}, validation {e.valid_loss:.3f}"
            + (f", AUC {e.valid_auc:.3f}" if e.valid_auc is not None else "")
            + (" (best)" if e.is_best else "")
        ),
    )
    model.trained_on = frozenset(p for part in PARTS if part != "test" for p in parts[part])
    labels, logits = data["test"].labels, model.logits(data["test"].sequences)
    raw = list(model.platt(logits))
    calibrate(model, data["calibration"])
    estimates = list(model.platt(logits))
    base = counts["test"]["right"] / counts["test"]["programs"]
    finished = _public_passing(trees, problems, parts["test"], programs)
    passing = [i for i, key in enumerate((p, t) for p in parts["test"] for t, _ in programs[p]) if key in finished]
    held_out = set(parts["test"])
    gain = selection_gain([t for t in trees if t.problem_id in held_out], problems, model)
    summary: dict[str, Any] = {
        "model": config.model,
        "out": str(config.out),
        "runs": [str(folder) for folder in config.runs],
        "parts": counts,
        "epochs": len(history),
        "auc": auc(labels, logits),
        "auc_among_public_passing": auc([labels[i] for i in passing], [logits[i] for i in passing]),
        "num_public_passing": len(passing),
        "brier": brier(labels, estimates),
        "brier_uncalibrated": brier(labels, raw),
        "brier_of_the_base_rate": base * (1 - base),
        "ece": ece(labels, estimates),
        "ece_uncalibrated": ece(labels, raw),
        "platt": {"slope": model.platt.slope, "offset": model.platt.offset},
        "selection": None if gain is None else gain.payload(),
        "wall_s": round(time.monotonic() - started, 1),
        "commit": commit(),
    }
    if config.out.exists():
        say(f"older reward model set aside: {set_aside(config.out)}")
    model.save(config.out, {"config": config.as_dict(), "commit": summary["commit"]})
    reloaded = load_reward_model(config.out, device=device)
    if reloaded.logits(data["test"].sequences[:8]) != model.logits(data["test"].sequences[:8]):
        raise StoreError(f"{config.out} does not give the same scores when it is read back; is the disk sound?")
    write_json(config.out / "summary.json", summary)
    page = write_page(
        f"Reward model {config.out.name}",
        _rows(summary),
        {"before calibration": reliability(labels, raw), "after": reliability(labels, estimates)},
    )
    (config.out / "report.html").write_text(page, encoding="utf-8")
    return summary


def _public_passing(
    trees: Sequence[Tree],
    problems: Mapping[str, Problem],
    problem_ids: Sequence[str],
    programs: Mapping[str, Sequence[tuple[str, bool]]],
) -> set[tuple[str, str]]:
    """(problem, program) of labelled programs that pass every public test: what selection has to tell apart."""
    wanted = set(problem_ids)
    known = {(p, program) for p in problem_ids for program, _ in programs[p]}
    return {
        (tree.problem_id, node.program)
        for tree in trees
        if tree.problem_id in wanted and problems[tree.problem_id].public_tests
        for node in tree
        if node.program is not None and node.public_verdict.accepted and (tree.problem_id, node.program) in known
    }


def _rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of what a person wants to know."""
    test, train = summary["parts"]["test"], summary["parts"]["train"]
    passing = summary["auc_among_public_passing"]
    rows = [
        ("trained on", f"{train['programs']} programs of {train['problems']} problems, {train['right']} right"),
        ("tested on", f"{test['programs']} programs of {test['problems']} other problems, {test['right']} right"),
        ("AUC", f"{summary['auc']:.3f}"),
        (
            f"AUC, the {summary['num_public_passing']} passing public tests",
            "–" if passing is None else f"{passing:.3f}",
        ),
        (
            "Brier score (uncalibrated; base rate)",
            f"{summary['brier']:.4f} ({summary['brier_uncalibrated']:.4f}; {summary['brier_of_the_base_rate']:.4f})",
        ),
        ("calibration error ECE (uncalibrated)", f"{summary['ece']:.4f} ({summary['ece_uncalibrated']:.4f})"),
    ]
    gain = summary["selection"]
    if gain is not None:
        low, high = gain["gain_ci95"]
        rows += [
            (
                "chosen answer right, public tests alone",
                f"{100 * gain['by_public_tests']:.1f}% of {gain['num_trees']} trees, {gain['num_open_trees']} open",
            ),
            ("chosen answer right, with reward model", f"{100 * gain['by_reward_model']:.1f}%"),
            ("gain, points [95% interval]", f"{100 * gain['gain']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"),
            ("best possible choice", f"{100 * gain['best_possible']:.1f}%"),
        ]
    return rows
