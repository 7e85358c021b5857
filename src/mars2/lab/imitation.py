"""Supervised training of one tiny policy on its corpus, on one thread, the same bit for bit for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import functional
from transformers.utils import logging as transformers_logging

from mars2.core.seeds import derive_seed, stream
from mars2.lab.corpus import Document, draw_document
from mars2.lab.policies import LabPolicy, build_model
from mars2.lab.tokenizer import END_ID, build_tokenizer, chat_text

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

BATCH = 16  # documents in one update
POOL = 32  # batches drawn together, so that documents of like length share a batch
WARM_UP_STEPS = 20
_IGNORED = -100  # the label of tokens that are not learned


def imitate(policy: LabPolicy, seed: int, folder: Path, progress: Callable[[float], None] | None = None) -> None:
    """Train `policy` on its corpus and save it as a Hugging Face folder. `progress` gets the share done, in [0, 1]."""
    torch.set_num_threads(1)
    torch.manual_seed(derive_seed(seed, "lab", "init", policy.name))
    tokenizer = build_tokenizer()
    model = build_model(policy, len(tokenizer), END_ID)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=policy.learning_rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / WARM_UP_STEPS) * (1.02 - step / policy.num_steps)
    )
    data = _batches(policy, seed, tokenizer)
    for step in range(policy.num_steps):
        ids, labels = next(data)
        _answer_loss(model, ids, labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if progress is not None:
            progress((step + 1) / policy.num_steps)
    transformers_logging.disable_progress_bar()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _answer_loss(model: PreTrainedModel, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy over answer tokens; the vocabulary's scores are computed for those only, a tenth faster."""
    hidden = model.base_model(input_ids=ids).last_hidden_state[:, :-1]  # [B, L - 1, D]
    targets = labels[:, 1:]
    answers = targets != _IGNORED
    scores = model.get_output_embeddings()
    assert scores is not None  # causal language models have one
    return functional.cross_entropy(scores(hidden[answers]), targets[answers])


def _batches(
    policy: LabPolicy, seed: int, tokenizer: PreTrainedTokenizerFast
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Endless (ids [B, L], labels [B, L]); only answers carry labels. Rows are right-padded, which causality hides."""
    rng = stream(seed, "lab", "corpus", policy.name)
    while True:
        rows = [_encode(draw_document(policy, rng), tokenizer) for _ in range(BATCH * POOL)]
        rows.sort(key=lambda row: len(row[0]))
        for i in rng.permutation(POOL):
            group = rows[i * BATCH : (i + 1) * BATCH]
            ids = torch.full((BATCH, max(len(row) for row, _ in group)), END_ID, dtype=torch.long)
            labels = torch.full_like(ids, _IGNORED)
            for j, (row, num_prompt) in enumerate(group):
                ids[j, : len(row)] = torch.tensor(row)
                labels[j, num_prompt : len(row)] = ids[j, num_prompt : len(row)]
            yield ids, labels


def _encode(document: Document, tokenizer: PreTrainedTokenizerFast) -> tuple[list[int], int]:
    """Token ids of prompt and answer, and how many of them are the prompt."""
    prompt = tokenizer.encode(chat_text(document.prompt), add_special_tokens=False)
    answer = tokenizer.encode(document.answer, add_special_tokens=False)
    return [*prompt, *answer, END_ID], len(prompt)
