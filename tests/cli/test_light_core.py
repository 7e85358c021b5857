"""Without the extra `train` (no torch, transformers, TensorBoard): what works, and what the rest says in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

HIDE = "import sys; sys.modules |= dict.fromkeys(('torch', 'transformers', 'tensorboard', 'tokenizers'))\n"
TEAM = {
    "name": "team",
    "problems": {"kind": "lab", "num_train": 4, "num_test": 4},
    "policies": {"a": {"backend": "scripted", "script": "script.yaml"}},
    "agents": {"a": {"policy": "a"}},
    "prompting": {"style": "lab"},
}


def mars2(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = f"{HIDE}sys.argv = ['mars2', *{list(arguments)!r}]\nfrom mars2.cli.main import run\nrun()"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=110, check=False
    )


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "team.yaml").write_text(yaml.safe_dump(TEAM))
    (tmp_path / "script.yaml").write_text(yaml.safe_dump({"rules": [{"answers": ["def f(x): return x"]}]}))
    (tmp_path / "chats.jsonl").write_text("{}\n")
    (tmp_path / "reward.yaml").write_text("runs: [runs/none]\nmodel: org/model\nout: models/reward\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "quickstart"], "policies.alpha.backend transformers: torch is not installed"),
        (["evaluate", "quickstart"], "policies.alpha.backend transformers: torch is not installed"),
        (["check", "quickstart"], "policies.alpha.backend transformers: torch is not installed"),
        (
            ["solve", "humaneval:0", "--agents", "a=org/model"],
            "policies.a.backend transformers: torch is not installed",
        ),
        (["serve", "--agents", "a=org/model"], "policies.a.backend transformers: torch is not installed"),
        (["evaluate", "team.yaml", "--set", "guidance.reward_model=models/r"], "guidance.reward_model: torch is not"),
        (["sft", "chats.jsonl", "--model", "org/model", "--out", "models/x"], "sft: torch is not installed"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_needs_torch_says_so_and_leaves_nothing_behind(arguments: list[str], message: str, here: Path) -> None:
    before = sorted(path.name for path in here.iterdir())
    done = mars2(*arguments, cwd=here)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("; pip install 'mars2[train]'\n")
    assert sorted(path.name for path in here.iterdir()) == before


@pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")
def test_a_scripted_team_of_the_lab_is_measured_and_a_named_problem_solved(here: Path) -> None:
    done = mars2("evaluate", "team.yaml", "--set=rollout.max_nodes=2", "--json", cwd=here)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["failed_calls"] == 0
    (here / "script.yaml").write_text(yaml.safe_dump({"rules": [{"answers": ["def has_close_elements(n, t): pass"]}]}))
    chat = ("--config=team.yaml", "--set=prompting={style: chat}", "--budget=1")
    done = mars2("solve", "humaneval:0", *chat, "--json", cwd=here)
    assert json.loads(done.stdout)["program"], done.stderr
