"""Supervised warm start of the tiny policies, cached: the same folder, bit for bit, for the same seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from mars2.core.seeds import derive_seed, stream
from mars2.lab.corpus import draw_document
from mars2.lab.policies import LabPolicy, build_model
from mars2.lab.tokenizer import build_tokenizer

BATCH = 32
POOL = 16


def encode(document, tokenizer) -> tuple[list[int], int]:
    messages = [{"role": m.role, "content": m.content} for m in document.prompt]
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    prompt = tokenizer.encode(text, add_special_tokens=False)
    answer = tokenizer.encode(document.answer, add_special_tokens=False)
    return prompt + answer + [tokenizer.eos_token_id], len(prompt)


def batches(policy, seed, tokenizer, batch) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    rng = stream(seed, "lab", "corpus", policy.name)
    while True:
        rows = sorted((encode(draw_document(policy, rng), tokenizer) for _ in range(batch * POOL)), key=lambda r: len(r[0]))
        groups = [rows[i : i + batch] for i in range(0, len(rows), batch)]
        for i in rng.permutation(len(groups)):
            group = groups[i]
            width = max(len(r[0]) for r in group)
            ids = torch.zeros(len(group), width, dtype=torch.long)
            labels = torch.full_like(ids, -100)
            for j, (row, start) in enumerate(group):
                ids[j, : len(row)] = torch.tensor(row)
                labels[j, start : len(row)] = ids[j, start : len(row)]
            yield ids, labels


def train(policy: LabPolicy, seed: int, progress=None, num_steps=None, batch=BATCH, lr=None, prompt_weight=0.0):
    import time

    torch.set_num_threads(1)
    torch.manual_seed(derive_seed(seed, "lab", "init", policy.name))
    tokenizer = build_tokenizer()
    model = build_model(policy, len(tokenizer), tokenizer.eos_token_id)
    n = num_steps or policy.num_steps
    lr = lr or policy.learning_rate
    opt = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: min(1.0, (s + 1) / 30) * (1 - s / n) ** 1.0 + 0.02)
    it = batches(policy, seed, tokenizer, batch)
    t0 = time.time()
    td = 0
    tot = 0
    for step in range(n):
        t1 = time.time()
        ids, labels = next(it)
        td += time.time() - t1
        tot += ids.numel()
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        sched.step()
        opt.zero_grad()
        if progress and (step + 1) % 50 == 0:
            progress(policy.name, (step + 1), float(loss), time.time() - t0, td, tot)
    return model, tokenizer
