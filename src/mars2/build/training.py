"""Learners, credit and the trainer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, assert_never

from mars2.build.growing import build_grower
from mars2.build.measuring import build_validation
from mars2.build.models import learner_place, prepare_torch, torch_device
from mars2.build.team import build_problems
from mars2.config.run import RunConfig
from mars2.config.training import TrainingConfig
from mars2.core.errors import ConfigError
from mars2.core.problem import Problem
from mars2.core.protocols import AdvantageEstimator, Learner, Tracker, TrainableBackend
from mars2.core.seeds import derive_seed
from mars2.credit import advantages
from mars2.credit.advantages import Stateless
from mars2.credit.assignment import Credit
from mars2.credit.moving_baseline import MovingBaseline
from mars2.runs.growing.team import Team
from mars2.runs.recorder import Recorder
from mars2.runs.training.checkpoints import Checkpoints
from mars2.runs.training.train import Trainer


def build_learners(config: RunConfig, models: Mapping[str, str]) -> dict[str, Learner]:
    """One learner per policy that some agent uses."""
    from mars2.learners.torch_learner import TorchLearner

    training = config.training
    if training is None:
        raise ConfigError("training: missing; add a training section to train")
    prepare_torch(config)
    learners: dict[str, Learner] = {}
    for name in dict.fromkeys(agent.policy for agent in config.agents.values()):
        policy = config.policies[name]
        place, model, lora = learner_place(policy, models.get(name, ""))
        samplings = [config.sampling_of(a) for a, agent in config.agents.items() if agent.policy == name]
        longest = max(sampling.max_tokens for sampling in samplings)
        learners[name] = TorchLearner(
            name,
            model,
            objective=training.objective,
            constant_length=longest,
            optimizer=training.optimizer,
            lora=lora,
            total_steps=training.steps * training.optimizer.mini_batches,
            device=torch_device(place),
            seed=derive_seed(config.seed, "learner", name),
            temperature=samplings[0].temperature,  # that of all: RunConfig makes sure
            threads=config.threads or None,
        )
    return learners


def build_estimator(config: RunConfig) -> AdvantageEstimator:
    assert config.training is not None
    match config.training.advantage:
        case "tree_group":
            return Stateless(advantages.tree_group)
        case "no_std":
            return Stateless(advantages.no_std)
        case "leave_one_out":
            return Stateless(advantages.leave_one_out)
        case "per_agent":
            return Stateless(advantages.per_agent)
        case "moving_baseline":
            return MovingBaseline(config.training.moving_baseline)
        case _:
            assert_never(config.training.advantage)


def build_trainer(
    config: RunConfig, team: Team, learners: dict[str, Learner], recorder: Recorder, folder: Path
) -> Trainer:
    training = config.training
    assert training is not None
    backends: dict[str, TrainableBackend] = {}
    for name in learners:
        backend: Any = team.backends[name]
        assert isinstance(backend, TrainableBackend)
        backends[name] = backend
    problems, held_out = _split(build_problems(config, "train"), training)
    return Trainer(
        training=training,
        rollout=config.rollout,
        seed=config.seed,
        problems=problems,
        validation=build_validation(config, team, held_out) if held_out else None,
        grower=build_grower(config, team, guided=False),
        credit=Credit(
            estimator=build_estimator(config),
            policy_of_agent={name: agent.policy for name, agent in config.agents.items()},
            max_tokens={name: config.sampling_of(name).max_tokens for name in config.agents},
            reward=training.reward,
            shaping=training.shaping,
            dynamic_filtering=training.dynamic_filtering,
        ),
        backends=backends,
        learners=learners,
        recorder=recorder,
        checkpoints=Checkpoints(folder / "checkpoints", keep=training.keep_checkpoints),
    )


def _split(problems: Sequence[Problem], training: TrainingConfig) -> tuple[Sequence[Problem], Sequence[Problem]]:
    """What is trained on, and what is held out for validation."""
    if not training.evaluate_every:
        return problems, []
    if training.evaluate_problems >= len(problems):
        raise ConfigError(
            f"training.evaluate_problems must be < the {len(problems)} training problems, got "
            f"{training.evaluate_problems}; they are held out of training"
        )
    return problems[: -training.evaluate_problems], problems[-training.evaluate_problems :]


def build_tensorboard(folder: Path) -> Tracker:
    """Writes metrics for TensorBoard into `folder`."""
    from mars2.store.tensorboard import TensorBoardListener

    return TensorBoardListener(folder / "tensorboard")


def build_trackers(config: RunConfig, folder: Path) -> list[Tracker]:
    """TensorBoard, and what `tracking` names. Enter each before the run and leave it after.

    Raises:
        ConfigError: a package is missing.
    """
    settings: dict[str, Any] = {"name": config.name, "config": config.as_dict()}
    trackers: list[Tracker] = [build_tensorboard(folder)]
    for kind in dict.fromkeys(config.tracking):
        match kind:
            case "wandb":
                from mars2.store.wandb_tracker import WandbTracker

                trackers.append(WandbTracker(folder, **settings))
            case "trackio":
                from mars2.store.trackio_tracker import TrackioTracker

                trackers.append(TrackioTracker(folder, **settings))
            case _:
                assert_never(kind)
    return trackers
