"""Configuration: defaults, overrides, and mistakes explained in one line."""

from __future__ import annotations

import ast
import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from options_of import field_names, sections_of

from mars2.config.load import load_config, parse_as, parse_config, parse_settings, read_yaml
from mars2.config.reward_model import RewardModelConfig
from mars2.config.run import RunConfig
from mars2.config.sft import SftConfig
from mars2.core.errors import ConfigError
from mars2.recipes import all_recipes
from mars2.runs.growing.team import Team

BASE: dict[str, Any] = {
    "name": "x",
    "problems": {"kind": "lab"},
    "policies": {"a": {"backend": "transformers", "model": "m"}},
    "agents": {"a": {"policy": "a"}},
    "training": {"steps": 3},
}
OTHER_KINDS = {"lab_reward_model": RewardModelConfig, "sft_chats": SftConfig}  # what other commands read


def parsed(*overrides: str) -> RunConfig:
    return parse_config(copy.deepcopy(BASE), overrides)


@pytest.mark.parametrize("name", all_recipes())
def test_every_recipe_is_valid_under_its_name(name: str) -> None:
    if name in OTHER_KINDS:
        assert parse_as(OTHER_KINDS[name], read_yaml(Path(name)))
    else:
        assert load_config(Path(name)).name == name


def test_overrides_are_read_as_yaml() -> None:
    role = "agents.b={policy: a, role: planner}"
    config = parsed("training.optimizer.learning_rate=1e-4", "rollout.max_nodes=16", role)
    assert config.training is not None
    assert config.training.optimizer.learning_rate == 1e-4
    assert config.rollout.max_nodes == 16
    assert config.agents["b"].role == "planner"


def test_settings_are_applied_in_the_order_given_and_a_later_one_wins() -> None:
    texts = ["search.strategy=best_of_n", "rollout.max_nodes=3", "search={strategy: mcts}", "rollout.max_nodes=4"]
    settings = parse_settings(texts)
    assert list(settings.items())[1:] == [("search", {"strategy": "mcts"}), ("rollout.max_nodes", 4)]
    for config in (parsed(*texts), parse_config(parsed().as_dict(), changes=settings)):
        assert (config.search.strategy, config.rollout.max_nodes) == ("mcts", 4)


def test_a_path_given_by_code_is_kept_as_files_write_it() -> None:
    changed = parse_config(
        parsed().as_dict(), changes={"problems": {"kind": "reference"}, "problems.test": Path("a/b"), "training": None}
    )
    assert changed.as_dict()["problems"]["test"] == "a/b"


def test_a_saved_configuration_reads_back_the_same() -> None:
    config = parsed("search.strategy=depth_guided")
    assert parse_config(config.as_dict()) == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("traning.steps=3", 'traning: unknown key; did you mean "training"?'),
        ("training.objective.clip_lo=3", 'training.objective.clip_lo: unknown key; did you mean "clip_low"?'),
        ("rollout.max_nodes=-1", "rollout.max_nodes: must be >= 1, got -1"),
        ("rollout.order=arrival", "rollout.order is only for rollout.lockstep=false"),
        ("budget.cost=1", "budget.cost needs a price for agent 'a', got none; set policies.a.price"),
        ("stopping.solved=0", "stopping.solved: must be >= 1, got 0"),
        (
            "rollout.max_nodes=many",
            "rollout.max_nodes: input should be a valid integer",
        ),
        ("policies.a.modl=x", 'policies.a.modl: unknown key; did you mean "model"?'),
        (
            "policies.a.backend=foo",
            "policies.a.backend: must be one of 'transformers', 'scripted', 'vllm', 'vllm-server', 'openai', got 'foo'",
        ),
        (
            "policies.a={backend: openai, model: m, base_url: 'http://me:secret@host/v1'}",
            "policies.a.base_url: got 'http://me:secret@host/v1'",
        ),
        ("agents.a.policy=zz", "agents.a.policy names no policy, got 'zz'; use one of a"),
        ("sampling.top_p=0.9", "biases the importance ratio"),
        ("sampling.temperature=0", "biases the importance ratio"),
        ("training.objective.tis_cap=null", "tis_cap is needed where stale samples are trained on, got null with"),
        ("training.objective.kl_estimator=k1", "kl_estimator"),
        ("training.objective.tis_floor=0.5", "tis_floor needs tis_mode: mask, got 0.5"),
        ("training.reward.overlong_buffer=5000", "overlong_buffer must be < sampling.max_tokens (1024), got 5000"),
        ("problems={kind: reference, test: x.jsonl}", "problems.train is needed for training"),
        ("name=a b", "name: got 'a b'"),
        ("seed.x=3", "seed: input should be a valid integer, got {'x': 3}"),
        ("seed", "--set: expected KEY=VALUE, got 'seed'"),
        ("search.strategy=[", "--set search.strategy: the value is not YAML"),
    ],
)
def test_a_mistake_is_explained_in_one_line(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(override)
    text = str(caught.value)
    assert message in text
    assert "\n" not in text


def test_an_unknown_key_of_the_chosen_strategy_is_named_with_its_neighbour() -> None:
    with pytest.raises(ConfigError, match=r'search.postrior: unknown key; did you mean "posterior"\?'):
        parsed("search.strategy=ab_mcts", "search.postrior=beta")


def test_agents_that_share_a_policy_in_training_share_the_temperature() -> None:
    with pytest.raises(ConfigError, match="share the temperature"):
        parsed("agents.b={policy: a, sampling: {temperature: 0.5}}")
    assert parsed("agents.b={policy: a, sampling: {max_tokens: 5}}").sampling_of("b").max_tokens == 5


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "quickstart.yaml").write_text(yaml.safe_dump(BASE))
    with pytest.raises(ConfigError, match=r"did you mean .*quickstart.yaml"):
        load_config(tmp_path / "quickstrat.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_text("a: [1,\nb: 2")
    with pytest.raises(ConfigError, match=r"bad.yaml:2 is not YAML"):
        load_config(bad)
    bad.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(bad)
    bad.write_text("- 1")
    with pytest.raises(ConfigError, match="must hold keys and values, got list"):
        load_config(bad)


def test_every_key_is_read_by_something() -> None:
    """An option that no code outside this room reads as an attribute does nothing, which is a bug."""
    source = Path(__file__).parents[3] / "src" / "mars2"
    files = [path for path in source.rglob("*.py") if path.name != "load.py"]
    read = {
        node.attr
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id == "cls")
    }
    options = {name for section in sections_of(RunConfig) for name in field_names(section)}
    assert "clip_high" in options, "sections within sections are looked at"
    by_class = {"backend", "kind", "style"}  # read by matching the class
    splatted = {"betas", "share_prompts", "gradient_checkpointing", "max_grad_norm", "max_skipped_in_a_row"}  # by name
    assert options - read - by_class - splatted == set()


def test_the_default_judge_needs_no_word_and_others_are_chosen_by_one_key() -> None:
    assert parsed("sandbox.workers=3").sandbox.backend == "zygote"
    assert parsed().sandbox.backend == "zygote"
    docker = parsed("sandbox.backend=docker", "sandbox.runtime=runsc").sandbox
    assert docker.as_dict()["runtime"] == "runsc"
    saved = parsed("sandbox.backend=bubblewrap").as_dict()
    assert parse_config(saved).sandbox.backend == "bubblewrap"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "sandbox.backend=podman",
            "sandbox.backend: must be one of 'zygote', 'bubblewrap', 'docker', 'sandboxfusion', got",
        ),
        ("sandbox.image=x", "sandbox.image: unknown key"),
        ("sandbox={backend: docker, allow_unsafe: true}", "sandbox.allow_unsafe: unknown key"),
        ("sandbox.backend=sandboxfusion", "sandbox.url: missing; add it"),
        ("sandbox={backend: sandboxfusion, url: localhost}", "sandbox.url: got 'localhost'"),
    ],
)
def test_mistakes_in_the_choice_of_a_judge(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parsed(override)
    assert str(error.value).startswith(message)


async def test_every_judge_is_built() -> None:
    from mars2.build.team import build_sandbox

    tiers = {
        "backend=docker": "docker",
        "={backend: docker, runtime: runsc, image: a, pids: 9, memory_mib: 99, program: podman}": "docker+runsc",
        "backend=bubblewrap": "bubblewrap",
    }
    for words, tier in tiers.items():
        sandbox: Any = build_sandbox(parsed(f"sandbox{'' if words[0] == '=' else '.'}{words}"))
        assert sandbox._launcher.tier == tier
        await sandbox.close()
    remote: Any = build_sandbox(parsed("sandbox={backend: sandboxfusion, url: 'http://h:1/', workers: 3}"))
    assert (remote.tier, remote._url, remote._slots._value) == ("remote", "http://h:1", 3)
    await remote.close()


def test_growth_keys_reach_the_grower() -> None:
    from mars2 import build
    from mars2.config.growing import BudgetConfig, StoppingConfig
    from mars2.config.policies import PriceConfig

    price = "{input_per_million: 1, output_per_million: 2}"
    config = parsed(
        f"policies.a={{backend: scripted, script: s.yaml, concurrency: 3, price: {price}}}",
        "training=null",
        "rollout={lockstep: false, order: arrival, max_nodes: 9, expansions_in_flight: 4, max_retries: 5, "
        "retry_backoff_s: 2, call_timeout_s: 60}",
        "budget={tokens: 1000, seconds: 10, cost: 1}",
        "stopping={solved: 2, consensus_margin: 3, patience: 7}",
    )
    assert config.policies["a"].price == PriceConfig(input_per_million=1, output_per_million=2)
    team = Team({"a": None}, {}, None, None, None)  # pyright: ignore[reportArgumentType]: only passed on
    grower = build.build_grower(config, team)
    assert (grower.order, grower.max_nodes, grower.expansions_in_flight) == ("arrival", 9, 4)
    assert (grower.retries.max_retries, grower.retries.retry_backoff_s, grower.retries.call_timeout_s) == (5, 2, 60)
    assert grower.budget == BudgetConfig(tokens=1000, seconds=10, cost=1)
    assert grower.stop_rules == StoppingConfig(solved=2, consensus_margin=3, patience=7)
