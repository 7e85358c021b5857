"""Finds in a conversation what is asked now, and the message that holds the task."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mars2.problems.statement import read_statement

_LONGEST = 60  # words of a follow-up
_SHORT = 12  # words of one that only points back

_NEW_TASK = re.compile(
    r"\b(write|implement|create|build|code|design)\b[^.\n]*\b(function|program|class|method|script|that|which|to)\b"
    r"|\bgiven\b|\byou are given\b"
    r"|\b(next|new|second|third|another|different|other|last)\s+(problem|task|question|exercise|puzzle|one)\b"
    r"|\b(same|it|this|that)\s+(but\s+)?(for|with)\s+\w+\s+(numbers|integers|strings|lists|arrays|values|inputs|words)\b"
    r"|\bsame\s+(thing\s+)?(for|with|but)\b|\b(what|how)\s+about\b|\binstead\s+of\b"
    r"|\b(now|also|then|next|and)\s*,?\s+(print|read|return|output|find|compute|count|calculate|solve|for)\b"
    r"|^\W*(print|read|return|output|find|compute|count|calculate|determine|solve|reverse|sort|sum|add)\b"
    r"(?!.*\b(bugs?|errors?|comments?|docstrings?|hints?|faster|again)\b)",
    re.IGNORECASE,
)
"""Signs that a message asks for something else than before."""

_SAME_TASK = re.compile(
    r"\b(fast|faster|quick\w*|slow\w*|speed\w*|optimi[sz]\w*|efficien\w*|performan\w*|complexity|tle|mle|time limit|"
    r"time ?out|times out|memory|short\w*|concise\w*|simpl\w*|clean\w*|readab\w*|tidy|refactor\w*|rewrite|comments?|"
    r"docstrings?|documentation|type hints?|annotat\w*|renam\w*|variable names?|fix\w*|bug\w*|wrong\w*|incorrect\w*|"
    r"fail\w*|\w*errors?|crash\w*|exceptions?|traceback|work|works|working|broken|again|retry|recursi\w*|iterativ\w*|"
    r"pythonic|pep ?8|style|better|improve\w*|explain|continue|go on|without|edge cases?|approach|thanks?)\b|\bO\(",
    re.IGNORECASE,
)
"""Signs that a message wants the same task done better."""

_POINTS_BACK = re.compile(
    r"\b(it|this|that|your|you|code|solution|program|answer|why)\b|^\W*(use|try|avoid|no|do ?n[o']t|keep|add|remove)\b",
    re.IGNORECASE,
)
"""What a short message says of the answer before it."""

_BEHAVIOUR = re.compile(
    r"\b(print\w*|return\w*|output\w*|input\w*|reads?|order|descending|ascending|reverse\w*|sum|product|also|"
    r"numbers|integers|strings)\b",
    re.IGNORECASE,
)
"""Words by which a short message may change the task."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked at the end of a conversation."""

    text: str  # every message that counts, the user's last one at the end
    last: str  # the user's last message
    task: str  # the user's message whose examples and function count; `last`, unless that is a follow-up


def asked(turns: Sequence[Turn]) -> Asked | None:
    """None: no message is the user's.

    What an assistant says after the user's last message is the beginning of an answer, and left out: answers are
    written anew.
    """
    places = [place for place, turn in enumerate(turns) if turn.role == "user"]
    if not places:
        return None
    last = places[-1]
    others = [*turns[:last], *(turn for turn in turns[last + 1 :] if turn.role != "assistant")]
    said = [turns[place].text for place in places]
    task = next((text for text in reversed(said) if text.strip() and not is_follow_up(text)), said[0])
    text = "\n\n".join(filter(None, (*(turn.text for turn in others), turns[last].text)))
    return Asked(text, turns[last].text, task)


def is_follow_up(text: str) -> bool:
    """Whether a message asks for the task before it once more, faster, shorter or mended, and changes nothing of it.

    The tests of another task would mislead every search, so what may be a task of its own is none.
    """
    num_words = len(text.split())
    if num_words > _LONGEST or _NEW_TASK.search(text):
        return False
    is_same = _SAME_TASK.search(text) is not None
    found = read_statement(text)
    if found.entry_point is not None or (found.tests and not is_same):
        return False
    if is_same:
        return True
    return num_words <= _SHORT and _POINTS_BACK.search(text) is not None and not _BEHAVIOUR.search(text)
