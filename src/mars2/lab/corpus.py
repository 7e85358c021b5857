"""The warm-start corpus: like code on the web it is partly wrong, and each policy's is wrong in its own places.

A policy that imitates it knows the right code of every operation and also how often people slip: reinforcement
learning has something to gain, quickly, by preferring what passes the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mars2.core.completion import Prompt
from mars2.lab.examples import Example, draw_examples, single_mistakes
from mars2.lab.policies import LabPolicy
from mars2.lab.prompting import ROLE_TAGS, ask, show
from mars2.lab.specs import FUNCTION, Spec, run_codes, write_program
from mars2.lab.tasks import draw_split_spec

REFINEMENT_SHARE = 0.35  # of the corpus; the rest are first attempts
ROLE_SHARE = 0.1  # of the prompts start with a role tag
REFINEMENT_CARE = 0.5  # mistakes in refinements are this much rarer than in first attempts


@dataclass(frozen=True, slots=True)
class Document:
    """One prompt and the answer to imitate."""

    prompt: Prompt
    answer: str


def draw_document(policy: LabPolicy, rng: np.random.Generator) -> Document:
    """A first attempt or a refinement, of a train specification, with this policy's share of mistakes."""
    spec, examples = _draw_task(rng)
    role = ROLE_TAGS[rng.integers(len(ROLE_TAGS))] if rng.random() < ROLE_SHARE else ""
    if rng.random() >= REFINEMENT_SHARE:
        shown = [f"{FUNCTION}({show(e.argument)})={show(e.expected)}" for e in examples]
        return Document(ask(role, spec.statement, *shown), write_imperfectly(spec, policy, rng, care=1.0))
    previous, feedback = _previous_attempt(spec, policy, examples, rng)
    return Document(
        ask(role, spec.statement, previous, feedback), write_imperfectly(spec, policy, rng, care=REFINEMENT_CARE)
    )


def _draw_task(rng: np.random.Generator) -> tuple[Spec, list[Example]]:
    """A train specification and two examples short enough to show."""
    while True:
        spec = draw_split_spec(rng, "train")
        examples = draw_examples(spec, rng, 2)
        if len(examples) == 2:
            return spec, examples


def write_imperfectly(spec: Spec, policy: LabPolicy, rng: np.random.Generator, *, care: float) -> str:
    """A program for the specification with the policy's mistakes; `care` scales how often they happen."""
    codes: list[str] = []
    for step in spec.steps:
        slipped = rng.random() < care * policy.slip_rates[step.op.family]
        codes.append(step.slips[rng.integers(len(step.slips))] if slipped else step.code)
    if rng.random() >= care * policy.careless_rate:
        return write_program(codes)
    match rng.integers(3):
        case 0:
            return break_syntax(write_program(codes), rng)
        case 1 if len(codes) > 1:
            i = int(rng.integers(len(codes) - 1))
            codes[i], codes[i + 1] = codes[i + 1], codes[i]
            return write_program(codes)
        case _:
            del codes[rng.integers(len(codes))]
            return write_program(codes)


def break_syntax(program: str, rng: np.random.Generator) -> str:
    """The program without one of its brackets or colons, so that it no longer compiles."""
    marks = [i for i, char in enumerate(program) if char in ")]:"]
    for i in rng.permutation(marks):
        broken = program[:i] + program[i + 1 :]
        try:
            compile(broken, "<broken>", "exec", dont_inherit=True)
        except SyntaxError:
            return broken
    raise ValueError(f"no bracket or colon of {program!r} is needed")


def _previous_attempt(
    spec: Spec, policy: LabPolicy, examples: Sequence[Example], rng: np.random.Generator
) -> tuple[str, str]:
    """A program to improve, usually wrong, and what its first failing example says."""
    if rng.random() < 0.15:
        return break_syntax(write_program(spec.codes), rng), f"{_call(examples[0])} not SyntaxError"
    mistakes = single_mistakes(spec)
    codes = mistakes[rng.integers(len(mistakes))] if rng.random() < 0.9 else spec.codes
    for example in examples:
        try:
            actual = run_codes(codes, example.argument)
        except Exception as error:
            return write_program(codes), f"{_call(example)} not {type(error).__name__}"
        if actual != example.expected:
            return write_program(codes), f"{_call(example)} not {show(actual)[:40]}"
    return write_program(codes), "all pass"


def _call(example: Example) -> str:
    return f"{FUNCTION}({show(example.argument)})={show(example.expected)}"
