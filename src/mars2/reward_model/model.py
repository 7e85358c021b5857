"""R_φ(x, program): a policy's decoder with one linear output, read at the last token, calibrated to a probability."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer

from mars2.core.errors import ConfigError
from mars2.core.files import atomic, write_json
from mars2.core.pretrained import load_model, load_tokenizer
from mars2.core.problem import Problem
from mars2.reward_model.calibration import Platt
from mars2.reward_model.text import encode

DESCRIPTION = "reward_model.json"
FORMAT = 1
_BATCH_TOKENS = 16_384  # padding included, when scoring

Trainable = Literal["all", "head"]


class TransformersRewardModel:
    """Scores programs with a decoder from a Hugging Face folder and a linear head; float32.

    Args:
        backbone: folder or id of a causal language model, with a tokenizer.
        max_tokens: longest problem and program together; what is longer is shortened (see `text.encode`).
        seed: of the head's first weights.
        trainable: "head" leaves the decoder as it is.

    Raises:
        ConfigError: the backbone cannot be loaded.
    """

    def __init__(
        self, backbone: str, *, max_tokens: int, device: str = "cpu", seed: int = 0, trainable: Trainable = "all"
    ) -> None:
        decoder = load_model(AutoModel, backbone, dtype=torch.float32)
        self._tokenizer: Any = load_tokenizer(AutoTokenizer, backbone)
        self.device = torch.device(device)
        longest = getattr(decoder.config, "max_position_embeddings", None) or max_tokens
        self.max_tokens = min(max_tokens, longest)
        self.decoder = decoder.to(self.device).eval()  # dropout off: the same program always has the same score
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = nn.Linear(decoder.config.hidden_size, 1)
            nn.init.normal_(self.head.weight, std=0.02)
            nn.init.zeros_(self.head.bias)
        self.head.to(self.device)
        if trainable == "head":
            self.decoder.requires_grad_(False)
        self.platt = Platt()
        self.trained_on: frozenset[str] = frozenset()  # ids of problems whose hidden verdicts it has seen

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""
        return [p for p in (*self.decoder.parameters(), *self.head.parameters()) if p.requires_grad]

    def encode(self, problem: Problem, programs: Sequence[str]) -> list[list[int]]:
        """Token ids, one list for each program."""
        return encode(self._tokenizer, problem, programs, self.max_tokens)

    def forward(self, sequences: Sequence[list[int]]) -> Tensor:
        """Logits [N] of N sequences in one batch, with gradients."""
        lengths = torch.tensor([len(ids) for ids in sequences])
        width = int(lengths.max())
        ids = torch.tensor([[*s, *[0] * (width - len(s))] for s in sequences], device=self.device)
        mask = (torch.arange(width)[None, :] < lengths[:, None]).to(self.device)
        hidden = self.decoder(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state  # [N, T, H]
        last = hidden[torch.arange(len(lengths)), lengths - 1]  # [N, H]
        return self.head(last.float()).squeeze(-1)

    @torch.no_grad()
    def logits(self, sequences: Sequence[list[int]]) -> list[float]:
        """Logits before calibration, one for each sequence; any number of sequences."""
        found = [0.0] * len(sequences)
        for batch in batches_by_length([len(s) for s in sequences], _BATCH_TOKENS):
            for index, logit in zip(batch, self.forward([sequences[i] for i in batch]).tolist(), strict=True):
                found[index] = logit
        return found

    def score(self, problem: Problem, programs: Sequence[str]) -> list[float]:
        """See `mars2.core.protocols.RewardModel`: calibrated probabilities."""
        return [float(p) for p in self.platt(self.logits(self.encode(problem, programs)))] if programs else []

    def state(self) -> dict[str, Tensor]:
        """Copies of all weights, on the CPU."""
        named = {**{f"decoder.{k}": v for k, v in self.decoder.state_dict().items()}, **self._head_state()}
        return {name: weight.detach().to("cpu", copy=True) for name, weight in named.items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """What `state` gave."""
        decoder = {k.removeprefix("decoder."): v for k, v in state.items() if k.startswith("decoder.")}
        self.decoder.load_state_dict(decoder)
        self.head.load_state_dict({k.removeprefix("head."): v for k, v in state.items() if k.startswith("head.")})

    def save(self, folder: Path, facts: dict[str, Any]) -> None:
        """Write a whole new folder or none: it gets its name only when it is complete.

        Args:
            facts: of the training, kept in the description for people.
        """
        platt = {"slope": self.platt.slope, "offset": self.platt.offset}
        description = {
            "format": FORMAT,
            "max_tokens": self.max_tokens,
            "platt": platt,
            "facts": facts,
            "trained_on": sorted(self.trained_on),
        }
        with atomic(folder) as partial:
            partial.mkdir(parents=True)
            self.decoder.save_pretrained(partial / "decoder")
            self._tokenizer.save_pretrained(partial / "decoder")
            torch.save(self.head.state_dict(), partial / "head.pt")
            write_json(partial / DESCRIPTION, description)

    def _head_state(self) -> dict[str, Tensor]:
        return {f"head.{k}": v for k, v in self.head.state_dict().items()}


def load_reward_model(folder: Path, *, device: str = "cpu") -> TransformersRewardModel:
    """A trained reward model, as `TransformersRewardModel.save` left it.

    Raises:
        ConfigError: there is none in `folder`.
    """
    remedy = "give a folder that `mars2 train-reward` wrote"
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        if description["format"] != FORMAT:
            raise ConfigError(f"guidance.reward_model: {folder} has format {description['format']}; {remedy}")
        model = TransformersRewardModel(
            str(folder / "decoder"), max_tokens=int(description["max_tokens"]), device=device
        )
        model.head.load_state_dict(torch.load(folder / "head.pt", map_location=device, weights_only=True))
        model.platt = Platt(float(description["platt"]["slope"]), float(description["platt"]["offset"]))
        model.trained_on = frozenset(map(str, description["trained_on"]))
    except OSError as error:
        raise ConfigError(f"guidance.reward_model: no reward model in {folder}; {remedy}") from error
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(f"guidance.reward_model: {folder} is damaged ({str(error)[:80]}); {remedy}") from error
    return model


def batches_by_length(lengths: Sequence[int], max_tokens: int) -> list[list[int]]:
    """Indices in batches of similar length, longest first, each at most `max_tokens` with padding (or one sequence)."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= max_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
