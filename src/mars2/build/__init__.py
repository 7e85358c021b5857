"""Options → objects. The only place that names concrete classes; heavy ones are imported when first needed."""

from mars2.build.growing import build_grower, build_search, weigher_of_answers
from mars2.build.installed import check_installed, need_torch
from mars2.build.measuring import (
    build_evaluation,
    build_memory,
    build_problems_to_measure,
    build_strategies,
    build_training_evaluation,
    build_validation,
)
from mars2.build.models import (
    LAB_MODEL,
    check_model,
    check_not_served,
    learner_place,
    prepare_torch,
    resolve_models,
    torch_device,
)
from mars2.build.reward_model import build_reward_model
from mars2.build.sandbox import local_sandbox
from mars2.build.sft import SftData, build_sft, check_sft
from mars2.build.store import create_store, has_store, open_store
from mars2.build.team import (
    build_backend,
    build_guide,
    build_problems,
    build_prompter,
    build_role,
    build_sandbox,
    build_team,
)
from mars2.build.training import build_estimator, build_learners, build_tensorboard, build_trackers, build_trainer

__all__ = [
    "LAB_MODEL",
    "SftData",
    "build_backend",
    "build_estimator",
    "build_evaluation",
    "build_grower",
    "build_guide",
    "build_learners",
    "build_memory",
    "build_problems",
    "build_problems_to_measure",
    "build_prompter",
    "build_reward_model",
    "build_role",
    "build_sandbox",
    "build_search",
    "build_sft",
    "build_strategies",
    "build_team",
    "build_tensorboard",
    "build_trackers",
    "build_trainer",
    "build_training_evaluation",
    "build_validation",
    "check_installed",
    "check_model",
    "check_not_served",
    "check_sft",
    "create_store",
    "has_store",
    "learner_place",
    "local_sandbox",
    "need_torch",
    "open_store",
    "prepare_torch",
    "resolve_models",
    "torch_device",
    "weigher_of_answers",
]
