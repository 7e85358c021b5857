"""Two processes with FSDP2 (gloo, CPU) make the same update as one: same loss, same weights to 1e-5, all take part."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from mars2.config.objective import ClipObjectiveConfig
from mars2.learners.batching import make_micro_batches
from mars2.learners.policy_loss import TokenStatistics, policy_loss
from mars2.learners.policy_model import PolicyModel

OBJECTIVE = ClipObjectiveConfig(kl_beta=0.0, tis_cap=None)


def update(folder: Path, samples: list[Any], rank: int, world: int, options: dict[str, Any]) -> dict[str, torch.Tensor]:
    """One AdamW step of process `rank` of `world`: its share of the micro-batches. The whole weights afterwards."""
    model = PolicyModel(str(folder), device=torch.device("cpu"), keep_reference=False, **options)
    if world > 1:
        model.shard()
        assert all(p.to_local().numel() < p.numel() for p in model.parameters)
    optimizer = torch.optim.AdamW(model.parameters, lr=1e-2, eps=1e-3)  # does not blow up rounding of tiny gradients
    batches = make_micro_batches(samples, range(len(samples)), max_tokens=1, device=torch.device("cpu"))
    assert len(batches) % world == 0
    for batch in batches[rank::world]:
        logprobs, entropy = model.logprobs(batch)
        statistics = TokenStatistics(
            logprobs=batch.pad(logprobs),
            old_logprobs=batch.pad(logprobs.detach()),
            mask=batch.mask,
            advantages=batch.advantages,
            entropy=batch.pad(entropy),
        )
        part = policy_loss(
            OBJECTIVE, statistics, num_sequences=len(samples), num_tokens=sum(len(s.output_ids) for s in samples)
        )
        (part.loss * world).backward()  # FSDP2 takes the mean over processes
    optimizer.step()
    return model.state()


def main(folder: Path, world: int, out: Path, checkpointing: bool) -> None:
    """What each process of torchrun does."""
    import torch.distributed as dist

    dist.init_process_group("gloo")
    assert dist.get_world_size() == world
    samples = torch.load(out / "samples.pt", weights_only=False)
    options = {"gradient_checkpointing": checkpointing}
    torch.save(update(folder, samples, dist.get_rank(), world, options), out / f"{dist.get_rank()}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("model", ["llama_folder", "neox_folder"])
def test_two_processes_make_the_update_of_one(
    model: str, checkpointing: bool, request: pytest.FixtureRequest, random_samples: Any, tmp_path: Path
) -> None:
    folder = request.getfixturevalue(model)
    samples = random_samples(8)
    torch.save(samples, tmp_path / "samples.pt")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", __file__]
    done = subprocess.run(
        [*command, str(folder), "2", str(tmp_path), str(int(checkpointing))],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    expected = update(folder, samples, 0, 1, {})
    original = AutoModelForCausalLM.from_pretrained(folder).state_dict()
    for rank in (0, 1):
        actual = torch.load(tmp_path / f"{rank}.pt")
        assert actual.keys() == expected.keys()
        for name, weight in expected.items():
            torch.testing.assert_close(actual[name], weight, rtol=1e-5, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")
    assert any(not torch.allclose(weight, original[name], atol=1e-3) for name, weight in expected.items())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4] == "1")
