"""Trains a reward model on the judged programs of finished runs, and measures it on other problems."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from mars2 import build
from mars2.config.reward_model import RewardModelConfig
from mars2.core.errors import ConfigError, StoreError
from mars2.core.events import Listener, Metrics, Note, nobody
from mars2.core.files import write_json
from mars2.core.problem import Problem
from mars2.core.tree import Tree
from mars2.jobs.run_folder import commit, open_run, set_aside
from mars2.jobs.running import blocking, job, off_the_loop
from mars2.runs.measuring.reward_data import PARTS, Part, labelled_programs, split_problems
from mars2.runs.measuring.selection_gain import selection_gain

_NUM_COMPARED = 8  # programs scored again by the model that is read back


@dataclass(frozen=True, slots=True)
class PartCounts:
    """How large a part of the data is."""

    problems: int
    programs: int
    right: int  # programs that pass every test


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedReward:
    """A trained reward model and how good it is on problems that it has never seen."""

    model: str  # the backbone
    out: str  # the folder
    runs: list[str]
    parts: dict[Part, PartCounts]
    epochs: int
    auc: float | None
    auc_among_public_passing: float | None  # what a choice has to tell apart
    num_public_passing: int
    brier: float
    brier_uncalibrated: float
    brier_of_the_base_rate: float
    ece: float
    ece_uncalibrated: float
    platt: dict[str, float]  # slope and offset
    selection: dict[str, Any] | None  # what a choice of answers by this model gains; None: there was nothing to choose
    wall_s: float
    commit: str

    def to_dict(self) -> dict[str, Any]:
        """As `mars2 train-reward --json` prints it."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """Name and value of what a person wants to know."""
        test, train = self.parts["test"], self.parts["train"]
        rows = [
            ("trained on", f"{train.programs} programs of {train.problems} problems, {train.right} right"),
            ("tested on", f"{test.programs} programs of {test.problems} other problems, {test.right} right"),
            ("AUC", _figure(self.auc)),
            (f"AUC, the {self.num_public_passing} passing public tests", _figure(self.auc_among_public_passing)),
            (
                "Brier score (uncalibrated; base rate)",
                f"{self.brier:.4f} ({self.brier_uncalibrated:.4f}; {self.brier_of_the_base_rate:.4f})",
            ),
            ("calibration error ECE (uncalibrated)", f"{self.ece:.4f} ({self.ece_uncalibrated:.4f})"),
        ]
        gain = self.selection
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


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


@job
async def train_reward_async(config: RewardModelConfig, *, on_event: Listener = nobody) -> TrainedReward:
    """Train a reward model.

    Args:
        on_event: called with each `mars2.Event` as it happens.

    Raises:
        ConfigError: names the option, its value and the remedy.
        StoreError: the model that was written does not give the same scores when it is read back.
    """
    return await off_the_loop(partial(_train, config), on_event)


train_reward = blocking(train_reward_async)


@dataclass(frozen=True, slots=True)
class _Data:
    trees: list[Tree]
    problems: dict[str, Problem]
    programs: dict[str, list[tuple[str, bool]]]  # problem id → its programs and whether they are right
    parts: dict[Part, list[str]]  # problem ids

    def count(self, part: Part) -> PartCounts:
        found = [self.programs[p] for p in self.parts[part]]
        return PartCounts(len(found), sum(map(len, found)), sum(right for programs in found for _, right in programs))

    def rows(self, part: Part) -> list[tuple[str, str, bool]]:
        """Problem id, program and label."""
        return [(p, program, right) for p in self.parts[part] for program, right in self.programs[p]]


def _train(config: RewardModelConfig, tell: Listener) -> TrainedReward:
    data = _read(config)
    counts: dict[Part, PartCounts] = {part: data.count(part) for part in PARTS}
    for part, count in counts.items():
        if not 0 < count.right < count.programs:
            share = f"raise split.{part}" if part != "train" else "lower the other shares"
            raise ConfigError(
                f"runs: {part} has {count.right} right of {count.programs} programs with known labels, and needs "
                f"right and wrong ones; name more runs, or {share}"
            )
    started = time.monotonic()
    model = build.build_reward_model(config)

    from mars2.reward_model.metrics import auc, brier, ece, reliability
    from mars2.reward_model.model import load_reward_model
    from mars2.reward_model.page import write_page
    from mars2.reward_model.training import Epoch, Example, calibrate, encode_examples, fit

    problems = data.problems
    encoded = {
        part: encode_examples(
            model, [Example(data.problems[p], program, right) for p, program, right in data.rows(part)]
        )
        for part in PARTS
    }

    def on_epoch(epoch: Epoch) -> None:
        tell(Note("epoch", asdict(epoch)))

    def on_batch(step: int, loss: float) -> None:
        tell(Metrics(step, "reward_model", {"loss": loss}))

    history = fit(model, encoded["train"], encoded["valid"], config, on_epoch=on_epoch, on_batch=on_batch)
    model.trained_on = frozenset(p for part in PARTS if part != "test" for p in data.parts[part])
    labels, logits = encoded["test"].labels, model.logits(encoded["test"].sequences)
    raw = list(model.platt(logits))
    calibrate(model, encoded["calibration"])
    estimates = list(model.platt(logits))
    base = counts["test"].right / counts["test"].programs
    finished = _public_passing(data)
    passing = [i for i, (p, program, _) in enumerate(data.rows("test")) if (p, program) in finished]
    held_out = set(data.parts["test"])
    gain = selection_gain([t for t in data.trees if t.problem_id in held_out], problems, model)
    result = TrainedReward(
        model=config.model,
        out=str(config.out),
        runs=[str(folder) for folder in config.runs],
        parts=counts,
        epochs=len(history),
        auc=auc(labels, logits),
        auc_among_public_passing=auc([labels[i] for i in passing], [logits[i] for i in passing]),
        num_public_passing=len(passing),
        brier=brier(labels, estimates),
        brier_uncalibrated=brier(labels, raw),
        brier_of_the_base_rate=base * (1 - base),
        ece=ece(labels, estimates),
        ece_uncalibrated=ece(labels, raw),
        platt={"slope": model.platt.slope, "offset": model.platt.offset},
        selection=None if gain is None else gain.payload(),
        wall_s=round(time.monotonic() - started, 1),
        commit=commit(),
    )
    if config.out.exists():
        tell(Note("set_aside", {"what": "reward model", "folder": str(set_aside(config.out))}))
    model.save(config.out, {"config": config.as_dict(), "commit": result.commit})
    compared = encoded["test"].sequences[:_NUM_COMPARED]
    if load_reward_model(config.out, device=str(model.device)).logits(compared) != model.logits(compared):
        raise StoreError(f"{config.out} does not give the same scores when it is read back; is the disk sound?")
    write_json(config.out / "summary.json", result.to_dict())
    page = write_page(
        f"Reward model {config.out.name}",
        result.rows(),
        {"before calibration": reliability(labels, raw), "after": reliability(labels, estimates)},
    )
    (config.out / "report.html").write_text(page, encoding="utf-8")
    return result


def _read(config: RewardModelConfig) -> _Data:
    """The data of all runs.

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
    programs = labelled_programs(trees, problems)
    split = config.split
    parts = split_problems(programs, (split.valid, split.calibration, split.test), config.seed)
    return _Data(trees, problems, programs, parts)


def _public_passing(data: _Data) -> set[tuple[str, str]]:
    """(problem, program) of the test programs that pass every public test: what selection has to tell apart."""
    known = {(p, program) for p, program, _ in data.rows("test")}
    return {
        (tree.problem_id, node.program)
        for tree in data.trees
        if data.problems[tree.problem_id].public_tests
        for node in tree
        if node.program is not None and node.public_verdict.accepted and (tree.problem_id, node.program) in known
    }
