"""Finds code that stands in an answer without a fence: between sentences, indented, or between tags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

MAX_RUNS = 32
_CODE_SIGN = re.compile(r"[=(:#@'\"]|^(?:import|from|pass|return|del|raise)\b")
_SEEN = 400  # characters of a line that are looked at

_TAG = (
    r"(?:</?[A-Za-z_][\w:.=-]{0,40}(?: [^<>\n]{0,100})?>|<\|[\w/ ]{1,30}\|>|</?s>|\[/?(?:code|python|py|answer)\]"
    r"|\[/?[A-Z_]{2,20}\])"
)
_TAGS_BEFORE = re.compile(rf"[ \t]*{_TAG}+[ ]?", re.IGNORECASE)
_TAGS_BEHIND = re.compile(rf"{_TAG}+[ \t]*$", re.IGNORECASE)
_MARKS = re.compile(
    r"^[ \t]*(?:'''(?:python|py)?|\\(?:begin|end)\{(?:lstlisting|minted|verbatim|python|code)\}.*"
    r"|\[source.*\]|-{4,}|`{1,2})[ \t]*$",
    re.MULTILINE,
)
_LABEL = re.compile(
    r"\**(?:here is |here's )?(?:the |my )?(?:full |final |complete )?(?:python )?(?:code|solution|answer|program)"
    r"\**[:：]\**\s+(?=\S)",
    re.IGNORECASE,
)
_HTML_CODE = re.compile(r"<code[^<>\n]{0,200}>", re.IGNORECASE)
_INDENTED = re.compile(r"(?:^(?:  |\t).*(?:\n|\Z)(?:[ \t]*\n)*)+", re.MULTILINE)

_NAME = r"[^\W\d](?:[\w.]|\\_)*(?:\[[^\]]*\])*"
_TARGETS = rf"\(?\*?{_NAME}(?:\s*,\s*\*?{_NAME})*\s*,?\)?"
_START = re.compile(
    rf"""(?:
    (?:async[ ])?def[ ]+[\w\\]+[ ]*[(\[] | class[ ]+\w+[ ]*[:(] | @[\w.]+
    | import[ ]+[\w.]+(?:[ ]+as[ ]+\w+)?(?:[ ]*,[ ]*[\w.]+(?:[ ]+as[ ]+\w+)?)*\s*(?:[#;].*)?$
    | from[ ]+[\w.]+[ ]+import\b
    | (?:if|elif|while|for|with|match|case|except|async[ ]for|async[ ]with)\b.*[:：]\s*(?:\#.*)?$
    | (?:if|while|for)\b.*:[ ]*(?:\w+[ (=+].*|\w+)$
    | (?:else|try|finally|except)[ ]*[:：]
    | (?:return|yield|raise|assert|del|global|nonlocal)\b(?!.*[.]$)
    | (?:pass|break|continue)\s*$
    | {_TARGETS}\s*(?::\s*[\w\[\], .|]+)?\s*(?:\*\*|//|>>|<<|[-+*/%&|^@])?=(?![=])
    | (?:await[ ]+)?{_NAME}\(.*(?:[)(\[{{,]|\)\s*[\#;].*|\)[\w.()\[\]'", ]*)$
    | [\])}}] | \#(?!\#|[ ]?\*\*) | [rf]?(?:\"\"\"|''') | ["'\w].*,$(?<=[\])'"\d],)
    | \*?\w+\s*:\s*\w+\s*=
    )""",
    re.VERBOSE,
)


def unfenced_parts(text: str) -> Iterator[str]:
    """Code marked in HTML; the whole text; its runs of lines that look like code; its indented parts. Linear."""
    for marked in _HTML_CODE.split(text)[1:][-MAX_RUNS:]:
        code, end, _ = marked.partition("</code>")
        if end and "\n" in code.strip():
            yield code
    text = _MARKS.sub("", "\n".join(map(_without_tags, text.split("\n"))))
    runs = _runs(text.split("\n"))
    if _START.match(text.lstrip()[:_SEEN]) or text.lstrip()[:4] in (">>> ", "[sou") or not runs:
        yield text
    yield from runs
    yield from _INDENTED.findall(text)[-MAX_RUNS:]


def _without_tags(line: str) -> str:
    """The line with a line break in place of the tags at its beginning and its end; without a label such as "Code:"."""
    if label := _LABEL.match(line[:_SEEN]):
        line = line[label.end() :]
    if line.lstrip()[:1] in ("<", "["):
        line = _TAGS_BEFORE.sub("\n", line, count=1) if _TAGS_BEFORE.match(line) else line
    if line.rstrip()[-1:] in (">", "]"):
        line = line[:-_SEEN] + _TAGS_BEHIND.sub("\n", line[-_SEEN:])
    return line


def _runs(lines: Iterable[str]) -> list[str]:
    """Runs of lines that look like code; inside brackets and long strings every line belongs to its run."""
    runs: list[list[str]] = []
    run: list[str] = []
    depth = 0
    quotes = ""
    for line in lines:
        seen = line[:_SEEN]
        if not run and (not seen or seen[0] in " \t" or not _CODE_SIGN.search(seen)):
            continue
        if not run:
            is_code = not seen[:1].isspace() and _START.match(seen) is not None and not seen.startswith((")", "]", "}"))
        else:
            is_code = bool(quotes) or depth > 0 or not seen.strip() or seen[0].isspace() or bool(_START.match(seen))
        if not is_code:
            if run:
                runs.append(run)
            run, depth, quotes = [], 0, ""
            if not _START.match(seen) or seen[:1].isspace():
                continue
        run.append(line)
        if quotes:
            quotes = "" if seen.count(quotes) % 2 else quotes
        else:
            quotes = next((mark for mark in ('"""', "'''") if seen.count(mark) % 2), "")
            depth = max(0, depth + sum(map(seen.count, "([{")) - sum(map(seen.count, ")]}")))
        if not quotes and depth and not seen.strip():
            depth = 0  # a bracket that was never closed
    if run:
        runs.append(run)
    return ["\n".join(run) for run in runs[-MAX_RUNS:]]
