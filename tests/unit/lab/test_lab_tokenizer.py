"""The tokenizer is lossless on any text, short on the family's, and ends an assistant's answer with its eos."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from mars2.core.completion import Message
from mars2.lab.prompting import LabPrompter
from mars2.lab.specs import write_program
from mars2.lab.tasks import LabProblems, draw_split_spec
from mars2.lab.tokenizer import ASSISTANT, END, USER, build_tokenizer, chat_text

TOKENIZER = build_tokenizer()


def ids_of(text: str) -> list[int]:
    return TOKENIZER.encode(text, add_special_tokens=False)


@given(st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_text_comes_back(text):
    assert TOKENIZER.decode(ids_of(text)) == text


@given(st.text(alphabet=st.characters(max_codepoint=126, min_codepoint=32), max_size=80))
@settings(max_examples=200, deadline=None)
def test_ascii_needs_no_bytes(text):
    assert not any(token.startswith("<0x") for token in TOKENIZER.convert_ids_to_tokens(ids_of(text)))


def test_programs_and_prompts_are_short():
    rng = np.random.default_rng(0)
    programs = [write_program(draw_split_spec(rng, "test").codes) for _ in range(200)]
    assert all(TOKENIZER.decode(ids_of(program)) == program for program in programs)
    assert np.mean([len(ids_of(program)) for program in programs]) < 24
    prompter = LabPrompter()
    problems = LabProblems(num_train=0, num_test=100, seed=0).load("test")
    lengths = [len(ids_of(chat_text(prompter.first_attempt(problem, "")))) for problem in problems]
    assert np.mean(lengths) < 35
    assert max(lengths) <= 80


def test_chat_template_and_the_plain_function_agree():
    prompt = (Message("user", "ints: sort"), Message("assistant", "def f(x):"), Message("user", "again"))
    messages = [{"role": m.role, "content": m.content} for m in prompt]
    text = TOKENIZER.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert text == chat_text(prompt) == f"{USER}ints: sort{END}{ASSISTANT}def f(x):{END}{USER}again{END}{ASSISTANT}"
    assert TOKENIZER.apply_chat_template(messages, add_generation_prompt=True, return_dict=False) == ids_of(text)
    assert TOKENIZER.eos_token == END


def test_folder_loads_as_the_same_tokenizer(tmp_path):
    TOKENIZER.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "def f(x):\n    x = [a + 3 for a in x]\n    return sum(x)"
    assert loaded.encode(text, add_special_tokens=False) == ids_of(text)
    assert loaded.decode(ids_of(text)) == text
    assert loaded.chat_template == TOKENIZER.chat_template
    assert loaded.eos_token_id == TOKENIZER.eos_token_id == loaded.pad_token_id
