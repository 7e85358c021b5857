"""The warm start is cached, atomic and reproducible; its folders are ordinary Hugging Face ones."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from mars2.core.errors import ConfigError
from mars2.lab import warm_start
from mars2.lab.imitation import imitate
from mars2.lab.policies import POLICIES
from mars2.lab.warm_start import WarmStartError, cache_key, ensure_policies


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("name", list(POLICIES))
def test_same_seed_same_weights(name, tmp_path, threads):
    shares: list[float] = []
    short = replace(POLICIES[name], num_steps=2)
    imitate(short, 1, tmp_path / "a", shares.append)
    imitate(short, 1, tmp_path / "b")
    imitate(short, 2, tmp_path / "c")
    assert shares == [0.5, 1.0]
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "a")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "a")
    assert 500_000 <= sum(p.numel() for p in model.parameters()) <= 2_000_000
    assert model.generation_config.eos_token_id == model.config.eos_token_id == tokenizer.eos_token_id
    assert model.config.vocab_size == len(tokenizer)


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """A warm start that writes a small file instead of training; `calls` lists what was trained."""
    calls: list[str] = []
    trainer = tmp_path / "trainer.py"
    trainer.write_text(
        "import sys, pathlib\nname, seed, folder = sys.argv[1:]\nprint('done 0.5')\n"
        "if seed == '13': sys.exit('no luck')\n"
        "pathlib.Path(folder, 'weights').write_text(name + seed)\nprint('done 1.0')\n"
    )
    popen = warm_start.subprocess.Popen

    def start(command, **options):
        calls.append(command[3])
        return popen([command[0], str(trainer), *command[3:]], **options)

    monkeypatch.setattr(warm_start.subprocess, "Popen", start)
    return calls


def test_missing_policies_are_trained_once(quick, tmp_path):
    cache = tmp_path / "cache"
    told: list[tuple[str, float]] = []
    folders = ensure_policies(["alpha", "beta"], seed=7, cache=cache, progress=lambda *told_now: told.append(told_now))
    assert {name: (folder / "weights").read_text() for name, folder in folders.items()} == {
        "alpha": "alpha7",
        "beta": "beta7",
    }
    assert sorted(told) == [("alpha", 0.5), ("alpha", 1.0), ("beta", 0.5), ("beta", 1.0)]
    assert sorted(quick) == ["alpha", "beta"]
    assert ensure_policies(["beta", "alpha"], seed=7, cache=cache) == folders
    assert len(quick) == 2
    assert sorted(cache.iterdir()) == sorted(folders.values())


def test_failure_leaves_nothing_behind_and_says_why(quick, tmp_path):
    with pytest.raises(WarmStartError, match="no luck"):
        ensure_policies(["alpha"], seed=13, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_unknown_policy(tmp_path):
    with pytest.raises(ConfigError, match="one of alpha, beta, gamma, got delta"):
        ensure_policies(["delta"], seed=0, cache=tmp_path)


def test_cache_key_depends_on_policy_and_seed():
    assert len({cache_key("alpha", 0), cache_key("alpha", 1), cache_key("beta", 0)}) == 3
    assert cache_key("alpha", 0) == cache_key("alpha", 0)


@pytest.mark.slow
def test_trained_in_a_fresh_interpreter(tmp_path, monkeypatch):
    """The real program, end to end, on its first steps: killed half-way it leaves no folder that looks finished."""
    import signal
    import subprocess
    import sys

    folder = tmp_path / "alpha.partial"
    process = subprocess.Popen(
        [sys.executable, "-m", "mars2.lab.warm_start", "alpha", "0", str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "done 0.0020\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "model.safetensors").exists()
