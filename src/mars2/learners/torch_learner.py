"""Updates one policy with PyTorch: any causal language model of `transformers`, on CPU or one GPU."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mars2.config.objective import ClipObjectiveConfig, ObjectiveConfig
from mars2.config.optimizer import OptimizerConfig
from mars2.config.policies import LoraConfig
from mars2.core.errors import ConfigError, Mars2Error, StoreError
from mars2.core.files import atomic
from mars2.core.protocols import Metrics, Snapshot
from mars2.core.sample import TrainingSample
from mars2.core.seeds import derive_seed, stream
from mars2.learners.batching import MicroBatch, make_micro_batches
from mars2.learners.checks import check_batch, check_trainable
from mars2.learners.flops import peak_flops, training_flops
from mars2.learners.losses.seam import TokenStatistics
from mars2.learners.metrics import BatchMetrics, sample_metrics, speed_metrics
from mars2.learners.optimizer import GuardedOptimizer
from mars2.learners.policy_loss import policy_loss
from mars2.learners.policy_model import PolicyModel


class TorchLearner:
    """A `mars2.core.protocols.Learner` for one policy.

    Args:
        policy: its name; only samples of this policy are accepted.
        model: Hugging Face folder or id; also the frozen reference policy of the KL term.
        objective: what to minimise.
        optimizer: with more than one mini-batch, a pass before the update computes π_old; with one, it is π_θ itself.
        lora: train low-rank adapters only; snapshots and saved models have them merged in. Needs the extra `peft`.
        total_steps: where a falling learning rate ends, in optimizer steps.
        constant_length: the longest output allowed, in tokens; needed for `aggregation: constant`.
        temperature: the sampler's; logits are divided by it, so that log π_θ is that of the distribution sampled from.
        threads: CPU threads during `step`; None leaves them alone.

    Raises:
        ConfigError: `total_steps` or `constant_length` is needed and missing, or the model cannot be trained.
    """

    def __init__(
        self,
        policy: str,
        model: str | Path,
        *,
        objective: ObjectiveConfig | None = None,
        optimizer: OptimizerConfig | None = None,
        lora: LoraConfig | None = None,
        total_steps: int | None = None,
        constant_length: int | None = None,
        temperature: float = 1.0,
        device: str = "cpu",
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.policy = policy
        self.objective = objective or ClipObjectiveConfig()
        if self.objective.aggregation == "constant" and not constant_length:
            raise ConfigError(f"learner.constant_length must be >= 1 for aggregation constant, got {constant_length}")
        if not temperature > 0:
            raise ConfigError(f"learner.temperature must be > 0, got {temperature}; use the sampler's")
        self._constant_length = constant_length
        self._settings = optimizer or OptimizerConfig()
        self._device = torch.device(device)
        self._threads = threads
        self._rng = stream(seed, "learner", policy)
        self._load_model = partial(
            PolicyModel,
            device=self._device,
            dtype=self._settings.dtype,
            temperature=temperature,
            gradient_checkpointing=self._settings.gradient_checkpointing,
            keep_reference=self.objective.kl_beta > 0,
            lora=lora,
            seed=derive_seed(seed, "learner", policy, "lora"),
        )
        self._make_optimizer = partial(GuardedOptimizer, settings=self._settings, total_steps=total_steps)
        self._model = self._load_model(str(Path(model).resolve()) if Path(model).exists() else str(model))
        self._optimizer = self._make_optimizer(self._model.parameters)
        self._version = 0
        self._is_torn = False  # an update failed after some of its optimizer steps: these weights are of no version

    @property
    def version(self) -> int:
        return self._version

    def step(self, samples: Sequence[TrainingSample]) -> Metrics:
        """One update (`mini_batches` optimizer steps) from one batch.

        Metrics are means over the batch's output tokens (`clip_fraction` and `ratio_mean`: over its sequences for the
        sequence ratio), except: reward_mean, advantage_std, response_length (tokens) over samples; num_tokens, prompt
        and output tokens (a shared prompt counts for each sample); skipped_steps, since the start. `kl` is missing
        without reference, `logprob_gap*` and `tis_*` without the sampler's log-probs, `stale_logprob_gap` without stale
        samples, `loss`, `grad_norm` and `learning_rate` where every optimizer step was skipped. Speed is that of the
        whole call: `tokens_per_s` by num_tokens, `tflops_per_s` and `mfu` by `flops.training_flops`; `mfu` is missing
        on the CPU.

        Raises:
            ValueError: no samples, another policy's samples, or samples that cannot be trained on.
            TrainingDiverged: too many non-finite updates in a row.
        """
        started = time.perf_counter()
        check_batch(samples, self.policy)
        needs_logprobs = self.objective.tis_cap is not None
        check_trainable(samples, needs_logprobs=needs_logprobs, max_length=self._model.max_length)
        metrics = BatchMetrics()
        with self._all_or_torn(), _num_threads(self._threads):
            mini_batches = self._split(len(samples))
            old = self._old_logprobs(samples, mini_batches) if len(mini_batches) > 1 else None
            for indices in mini_batches:
                update = self._optimizer.update(
                    partial(self._accumulate_gradients, samples, indices, old, metrics),
                    schedule_step=self._optimizer.num_steps,
                )
                metrics.add_update(update)
        self._version += 1
        result = metrics.result() | sample_metrics(samples)
        result["skipped_steps"] = float(self._optimizer.num_skipped)
        result |= speed_metrics(
            num_tokens=result["num_tokens"],
            flops=training_flops(self._model.size, metrics.row_lengths, frozen=self._model.has_adapters),
            seconds=time.perf_counter() - started,
            peak_flops=peak_flops(torch.cuda.get_device_name(self._device)) if self._device.type == "cuda" else None,
            peak_memory_mib=_peak_memory_mib(self._device),
        )
        self._optimizer.check_converges(
            f"policy {self.policy}",
            "lower training.optimizer.learning_rate, or look at logprob_gap in the metrics",
        )
        return result

    @contextmanager
    def _all_or_torn(self) -> Iterator[None]:
        """If an update fails before its first optimizer step, it has changed nothing; later, nothing may be saved."""
        num_steps, rng = self._optimizer.num_steps, self._rng.bit_generator.state
        try:
            yield
        except BaseException as error:
            self._rng.bit_generator.state = rng
            self._is_torn = self._optimizer.num_steps != num_steps
            if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
                raise Mars2Error(
                    f"policy {self.policy}: out of memory in an update ({str(error).strip().splitlines()[0][:200]}); "
                    f"lower training.optimizer.micro_batch_tokens ({self._settings.micro_batch_tokens}), or set "
                    "training.optimizer.gradient_checkpointing: true, and go on with --resume"
                ) from error
            raise

    def _accumulate_gradients(
        self,
        samples: Sequence[TrainingSample],
        indices: Sequence[int],
        old: Sequence[Tensor] | None,
        metrics: BatchMetrics,
    ) -> Tensor:
        """Add the gradients of the loss over `indices`, one micro-batch at a time; returns that loss."""
        num_tokens = sum(len(samples[i].output_ids) for i in indices)
        loss = torch.zeros((), device=self._device)
        for batch in self._micro_batches(samples, indices):
            logprobs, entropy = self._model.logprobs(batch, entropy_gradient=self.objective.entropy_bonus != 0)
            reference = self._model.reference_logprobs(batch)
            old_flat = logprobs.detach() if old is None else torch.cat([old[i] for i in batch.indices])
            part = policy_loss(
                self.objective,
                TokenStatistics(
                    logprobs=batch.pad(logprobs),
                    old_logprobs=batch.pad(old_flat),
                    mask=batch.mask,
                    advantages=batch.advantages,
                    entropy=batch.pad(entropy),
                    rollout_logprobs=batch.rollout_logprobs,
                    reference_logprobs=None if reference is None else batch.pad(reference),
                    is_stale=batch.versions < self._version,
                ),
                num_sequences=len(indices),
                num_tokens=num_tokens,
                constant_length=self._constant_length,
            )
            part.loss.backward()
            metrics.add_rows(batch)
            loss += part.loss.detach()
            metrics.add_part(part)
        return loss

    def _split(self, num_samples: int) -> list[list[int]]:
        """Indices of each mini-batch: all in order for one, a shuffled near-equal split for more."""
        if self._settings.mini_batches == 1:
            return [list(range(num_samples))]
        parts = np.array_split(self._rng.permutation(num_samples), min(self._settings.mini_batches, num_samples))
        return [part.tolist() for part in parts]

    def _micro_batches(self, samples: Sequence[TrainingSample], indices: Sequence[int]) -> list[MicroBatch]:
        return make_micro_batches(
            samples,
            indices,
            max_tokens=self._settings.micro_batch_tokens,
            device=self._device,
            share_prompts=self._settings.share_prompts and self._model.can_share_prompts,
            hidden_size=self._model.hidden_size,
        )

    @torch.no_grad()
    def _old_logprobs(self, samples: Sequence[TrainingSample], mini_batches: Sequence[Sequence[int]]) -> list[Tensor]:
        """log π_old of each sample's output tokens [L_i]: this engine's, before the update.

        Packed as the update packs them: in bfloat16 another packing gives other log-probs, and equal weights would give
        ratios outside the narrow clip range of GSPO.
        """
        old: list[Tensor] = [torch.empty(0)] * len(samples)
        for indices in mini_batches:
            for batch in self._micro_batches(samples, indices):
                logprobs, _ = self._model.logprobs(batch)
                for i, row in zip(batch.indices, batch.split(logprobs), strict=True):
                    old[i] = row
        return old

    def snapshot(self) -> Snapshot:
        """The weights as they are now, copied (on the learner's device): later steps do not change them."""
        return Snapshot(self.policy, self._version, state=self._model.state())

    def save(self, folder: Path) -> None:
        """Write `model/` (a Hugging Face folder with tokenizer), `optimizer.pt` and `learner.json`, all or nothing.

        Raises:
            StoreError: an update failed half way.
        """
        if self._is_torn:
            raise StoreError(f"policy {self.policy}: an update failed half way, so its weights are of no version")
        with atomic(folder) as unfinished:
            unfinished.mkdir(parents=True)
            self._model.save(unfinished)
            state = {
                "policy": self.policy,
                "version": self._version,
                **self._optimizer.save(unfinished),
                "reference": self._model.origin,
                "reference_fingerprint": self._model.fingerprint,
                "rng": self._rng.bit_generator.state,
            }
            (unfinished / "learner.json").write_text(json.dumps(state, indent=2))

    def restore(self, folder: Path) -> None:
        """Go on exactly where `save` was called, whatever model this learner was made with.

        Raises:
            StoreError: `folder` is not a checkpoint of this policy.
        """
        try:
            state: Mapping[str, Any] = json.loads((folder / "learner.json").read_text())
        except (OSError, ValueError) as error:
            raise StoreError(f"{folder} is not a learner's checkpoint ({error})") from error
        if state["policy"] != self.policy:
            raise StoreError(f"{folder} is a checkpoint of policy {state['policy']}, not of {self.policy}")
        if not self._starts_from(state):
            self._model = self._load_model(state["reference"])
            self._optimizer = self._make_optimizer(self._model.parameters)
        self._model.load(folder)
        self._optimizer.restore(folder, state, self._device)
        self._version = state["version"]
        self._is_torn = False
        self._rng.bit_generator.state = state["rng"]

    def _starts_from(self, state: Mapping[str, Any]) -> bool:
        """Whether this learner's first weights are those of a checkpoint's run, though their folder may have moved.

        Raises:
            StoreError: they are others, and the run's are no longer where they were.
        """
        if state["reference"] == self._model.origin:
            return True
        if state.get("reference_fingerprint") == self._model.fingerprint:
            return True
        if Path(state["reference"]).is_absolute() and not Path(state["reference"]).exists():
            raise StoreError(
                f"policy {self.policy}: the run started from {state['reference']}, which is gone, and "
                f"{self._model.origin} holds other weights; put the folder back"
            )
        return False


def _peak_memory_mib(device: torch.device) -> float:
    """Most memory held so far: by tensors on the GPU, or else by this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    per_mib = 1024 if sys.platform != "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / per_mib


@contextmanager
def _num_threads(threads: int | None) -> Iterator[None]:
    """Set the CPU threads of this thread's products for a while (the setting is per calling thread, so set it here)."""
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
