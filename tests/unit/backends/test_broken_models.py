"""What is wrong with a model's folder is told in one line, with file and remedy, before anything long begins."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from mars2.backends.in_process import TransformersBackend
from mars2.build.models import check_model
from mars2.config.policies import TransformersPolicyConfig
from mars2.core.completion import Message, Sampling
from mars2.core.errors import ConfigError, StoreError
from mars2.core.pretrained import render_chat
from mars2.learners.conversations import Conversation, encode
from mars2.learners.policy_model import PolicyModel
from mars2.learners.torch_learner import TorchLearner

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 123\n"
TURNS = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] | trim }}{% endfor %}"
REFUSES = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + TURNS
)
DROPS = TURNS.replace("%}<", "%}{% if m['role'] != 'system' %}<").replace("{% endfor", "{% endif %}{% endfor")
PROMPT = (Message("system", "be brief"), Message("user", "write f"))


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_model, tmp_path / "model")


@pytest.fixture
def sharded(folder: Path) -> Path:
    model = AutoModelForCausalLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="20KB")
    check_model("model", str(folder))
    return folder


def cut(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])


def change(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


BREAKERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut a little": (
        lambda f: cut(f / "model.safetensors", -500),
        r"model\.safetensors is cut or damaged \(\d+ bytes of",
    ),
    "cut in the header": (
        lambda f: cut(f / "model.safetensors", 300),
        r"model\.safetensors is cut or damaged \(300 bytes",
    ),
    "empty": (lambda f: cut(f / "model.safetensors", 0), r"model\.safetensors is cut or damaged \(0 bytes\)"),
    "a page in its place": (lambda f: (f / "model.safetensors").write_text("<html>" * 99), "is cut or damaged"),
    "longer": (lambda f: (f / "model.safetensors").open("ab").write(b"x"), "is cut or damaged"),
    "pointer": (
        lambda f: (f / "model.safetensors").write_text(POINTER),
        r"model\.safetensors is a Git LFS pointer.*git lfs",
    ),
    "pointer of the tokenizer": (lambda f: (f / "tokenizer.json").write_text(POINTER), r"tokenizer\.json is a Git LFS"),
    "pointer of the configuration": (lambda f: (f / "config.json").write_text(POINTER), r"config\.json is a Git LFS"),
    "cut configuration": (lambda f: cut(f / "config.json", 40), r"config\.json is cut or damaged"),
    "cut tokenizer": (lambda f: cut(f / "tokenizer.json", -40), r"tokenizer\.json is cut or damaged"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "has no tokenizer"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "has no weights"),
    "adapter": (
        lambda f: (f / "config.json").rename(f / "adapter_config.json"),
        "is a LoRA adapter, not a whole model; merge it",
    ),
}


@pytest.mark.parametrize("name", BREAKERS)
def test_a_file_that_is_not_whole_is_named_before_anything_is_loaded(folder: Path, name: str) -> None:
    damage, words = BREAKERS[name]
    damage(folder)
    with pytest.raises(ConfigError, match=words) as caught:
        check_model("policies.p.model", str(folder))
    assert str(caught.value).startswith(f"policies.p.model: {folder}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: f.unlink(), "is missing, though"),
        (lambda f: cut(f, -8), "is cut or damaged"),
        (lambda f: f.write_text(POINTER), "is a Git LFS pointer"),
    ],
)
def test_a_part_of_the_weights_that_is_not_whole_is_named(
    sharded: Path, damage: Callable[[Path], object], words: str
) -> None:
    part = sorted(sharded.glob("model-*.safetensors"))[1]
    damage(part)
    with pytest.raises(ConfigError, match=rf"{part.name} {words}"):
        check_model("policies.p.model", str(sharded))


def test_weights_of_an_older_format_are_looked_at_too(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    check_model("model", str(folder))
    cut(folder / "pytorch_model.bin", -100)
    with pytest.raises(ConfigError, match=r"pytorch_model\.bin is cut or damaged"):
        check_model("model", str(folder))


def load(folder: Path) -> TransformersBackend:
    return TransformersBackend("p", TransformersPolicyConfig(model=str(folder), device="cpu"))


def poison(folder: Path, value: float) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][3, 4] = value
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            lambda f: poison(f, float("nan")),
            r"model\.safetensors holds NaN or infinite numbers \(model\.layers\.1\.mlp\.up_proj\.weight\)",
        ),
        (lambda f: poison(f, float("-inf")), r"model\.safetensors holds NaN or infinite numbers"),
        (
            lambda f: change(f / "config.json", num_hidden_layers=3),
            r"hold no weights for model\.layers\.2\.\S+, .* more",
        ),
        (
            lambda f: change(f / "config.json", model_type="own", auto_map={"AutoConfig": "own.Own"}),
            r"its config\.json needs code that comes with the model \(trust_remote_code\), which is not run",
        ),
        (lambda f: change(f / "config.json", model_type="own"), r"cannot be loaded \(.*own"),
    ],
)
def test_weights_that_cannot_be_used_are_told_by_whoever_loads_them(
    folder: Path, damage: Callable[[Path], object], words: str
) -> None:
    damage(folder)
    (folder / "own.py").write_text("raise SystemExit('ran')\n")
    for loads in (load, lambda f: PolicyModel(str(f), device=torch.device("cpu"))):
        with pytest.raises(ConfigError, match=words) as caught:
            loads(folder)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("temperature", [1.0, 0.0])
async def test_logits_that_are_no_numbers_are_told(folder: Path, temperature: float) -> None:
    backend = load(folder)
    with torch.no_grad():
        backend.model.model.layers[0].mlp.gate_proj.weight[0, 0] = float("nan")
    with pytest.raises(ConfigError, match=rf"policies\.p\.model: {folder} .*not finite"):
        await backend.generate(PROMPT, Sampling(max_tokens=4, seed=1, temperature=temperature))
    await backend.close()


async def test_a_tokenizer_of_another_model_is_told(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<new>"]})
    tokenizer.save_pretrained(folder)
    backend = load(folder)
    with pytest.raises(ConfigError, match="use the tokenizer that belongs to them"):
        await backend.generate((Message("user", "<new>"),), Sampling(max_tokens=4, seed=1))
    await backend.close()


@pytest.mark.parametrize("template", [REFUSES, DROPS])
def test_a_template_without_system_messages_gets_their_text_from_the_users(folder: Path, template: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = template
    system, user, answer = ({"role": r, "content": f"say {r} "} for r in ("system", "user", "assistant"))
    assert render_chat(tokenizer, [system, user, answer, user], asks=False) == (
        "<user>say system \n\nsay user<assistant>say assistant<user>say user"
    )
    assert render_chat(tokenizer, [user], asks=True) == "<user>say user"
    tokenizer.chat_template = TURNS
    assert render_chat(tokenizer, [system, user], asks=True) == "<system>say system<user>say user"


async def test_generation_and_fine_tuning_use_such_a_template_alike(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text(REFUSES)
    backend = load(folder)
    assert backend.tokenizer.decode(backend.encode(PROMPT)) == "<user>be brief\n\nwrite f"
    messages = [{"role": m.role, "content": m.content} for m in PROMPT] + [{"role": "assistant", "content": "f"}]
    example = encode(backend.tokenizer, Conversation.model_validate({"messages": messages}), [])
    assert backend.tokenizer.decode(example.ids).startswith("<user>be brief\n\nwrite f<assistant>f")
    await backend.close()


@pytest.mark.parametrize(
    ("template", "words"), [("{{ raise_exception('no users') }}", "fails: no users"), ("{% for %}", "fails: ")]
)
def test_a_template_that_fails_is_told(folder: Path, template: str, words: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = template
    with pytest.raises(ConfigError, match=words) as caught:
        render_chat(tokenizer, [{"role": "user", "content": "x"}], asks=True)
    assert "\n" not in str(caught.value)


def test_several_templates_without_a_default_are_told(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    templates = [{"name": "chat", "template": TURNS}, {"name": "tools", "template": TURNS}]
    change(folder / "tokenizer_config.json", chat_template=templates)
    with pytest.raises(ConfigError, match="the chat templates chat, tools and no default"):
        load(folder)


def test_a_learner_goes_on_where_its_model_was_moved(folder: Path, tmp_path: Path) -> None:
    TorchLearner("p", folder).save(tmp_path / "saved")
    moved = folder.rename(tmp_path / "moved")
    TorchLearner("p", moved).restore(tmp_path / "saved")
    poison(moved, 1.5)
    with pytest.raises(StoreError, match=r"started from .*model, which is gone, and .*moved holds other weights"):
        TorchLearner("p", moved).restore(tmp_path / "saved")


@pytest.mark.parametrize("damage", ["cut a little", "pointer of the tokenizer"])
def test_training_says_so_at_once_with_exit_code_2(folder: Path, tmp_path: Path, damage: str) -> None:
    BREAKERS[damage][0](folder)
    config = {
        "name": "broken",
        "problems": {"kind": "lab", "num_train": 4, "num_test": 4},
        "policies": {"a": {"backend": "transformers", "model": str(folder), "device": "cpu"}},
        "agents": {"a": {"policy": "a"}},
        "training": {"steps": 1},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    done = subprocess.run(
        [sys.executable, "-m", "mars2", "train", "config.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=os.environ,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"mars2: error: policies.a.model: {folder}/")
    assert "Traceback" not in done.stderr
