"""Finds the headings "Input" and "Output" of a statement's examples, as sites write them in several languages."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mars2.problems.pasted import CELL_BREAK

_INPUT = (
    "(?:standard |std)?in(?:put)?s?|entradas?|entrées?|entrees?|eingaben?|ввод[а]?|входн(?:ые"
    "|ых) данны[ех]|вхідні дані"
    "|输入|輸入|入力|입력|wejści[ea]|girdi|girişi?|đầu vào|dữ liệu vào|vstup|ulaz"
)
_OUTPUT = (
    "(?:standard |std)?out(?:put)?s?|expected(?: results?| values?| answers?)?|results?"
    "|salidas?|saídas?|saidas?|sorties?|ausgaben?|вывод[а]?|выходн(?:ые|ых) данны[ех]"
    "|вихідні дані|输出|輸出|出力|출력|wyjści[ea]|çıktı(?:sı)?|đầu ra|dữ liệu ra|výstup|izlaz"
)
_SAMPLE = (
    "sample|example|test ?case|test|case|ejemplos?|exemplos?|exemples?|beispiele?|пример[ыа]?|приклад|样例|樣例|示例"
    "|範例|例|サンプル|예제|예시|przykład(?:owe|owy|y|owa)?|örnek|esempi[oi]?|ví dụ|primer"
)
_LINK = r"(?:[\s:._/-]|\b(?:de|of|do|da|for|di)\b|d['’])*"
_COPY = r"(?:copy(?: code)?|コピー|复制|複製|copiar|copier|kopieren|kopiuj|копировать)"
_DECORATION = " \t>*#_|=•·-–—:：`"
_HEAD = re.compile(
    rf"(?P<before>(?:{_SAMPLE})s?)?{_LINK}(?P<first>\d*){_LINK}(?:the |given |expected |correct |program )?"
    rf"(?:(?P<input>{_INPUT})|(?P<output>{_OUTPUT})){_LINK}(?:data\b)?{_LINK}"
    rf"(?P<after>\(?(?:{_SAMPLE})s?\)?)?[\s#№:._(-]*(?P<second>\d*)\)?[\s:]*(?:\((?:stdin|stdout)\))?[\s:]*{_COPY}?",
    re.IGNORECASE,
)
_FOR_SAMPLE = re.compile(r"output for (?:the )?sample input", re.IGNORECASE)
_RUN = re.compile(r"[\s:._/-]{2,}")
_BEGINS = re.compile(rf"\W*(?:{_INPUT})\W*?[:：]", re.IGNORECASE)
_WORDS = re.findall(
    r"\S+",
    "input output expected result stdin stdout in: out: in： out： entrada entrée entree salida saída saida sortie"
    " eingabe ausgabe ввод вывод входн выходн вхідні вихідні 输入 輸入 入力 입력 输出 輸出 出力 출력 wejści wyjści"
    " girdi giriş çıktı đầu dữ vstup výstup ulaz izlaz",
)  # one of which is in every heading, in lower case
_SAMPLES = re.findall(
    r"\S+",
    "sample example test case ejemplo exemplo exemple beispiel пример приклад 样例 樣例 示例 範例 例 サンプル"
    " 예제 예시 przykład örnek esempi ví primer",
)
_EXAMPLES = re.compile(
    rf"(?:{_SAMPLE})s?(?:[ \t]+(?:test cases?|tests?|cases?|data|inputs? and outputs?|i/o))?(?:\(s\))?"
    rf"[ \t#№\d:*_=-]*(?:{_COPY})?",
    re.IGNORECASE,
)
_END = re.compile(
    r"[ \t>*#_=-]*(?:(?:explanations?|constraints?|follow[- ]?ups?|your output)\b.*|(?:notes?|remarks?|hints?"
    r"|scoring|subtasks?|limits?"
    r"|source|recommended|your task|clarifications?|input format|output format|approach"
    r"|complexity|difficulty|topics?"
    r"|tags?|time limit|memory limit|warning|说明|解释|提示|样例解释|样例说明|数据范围|约定|注释|説明"
    r"|注意|制約|解説|힌트|설명|출처|примечани[ея]|пояснени[ея]|замечани[ея]|ограничени[ея]|explicaci[oó]n|notas?|restricciones|explication"
    r"|remarques?|contraintes?|erklärung|erläuterung|hinweise?|anmerkung|explicação|explicacao|observaç(?:ão|ões)"
    r"|restrições|wyjaśnienie|uwagi|açıklama|giải thích|spiegazione)(?:[\s*_#\d.)(=-]*|[ \t*_\d#]*[:：].*)"
    r"|#{1,6} +[^\W\d_]{3,}.*|-{3,}[^\W\d_][^-]*-{3,}[ \t]*)",
    re.IGNORECASE,
)
_RULE = re.compile(r"[ \t]*(?:-{3,}|\*{3,}|_{3,}|={3,})[ \t]*")
_COPY_LINE = re.compile(rf"[ \t]*{_COPY}[ \t]*", re.IGNORECASE)
_OPENS = re.compile(r"[ \t>]*(?:```+|~~~+)[ \t]*[\w+-]*[ \t]*$")
_CLOSES = re.compile(r"[ \t>]*(?:```+|~~~+)[ \t]*$")
_PROSE_WORD = re.compile(r"(?<![^\s(])[^\W\d_]{2,}(?=[\s,.;:)?!’']|$)")
_EAST = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]")
_UNCLEAR = "it is not clear where the output ends"
_PROSE_WORDS = 4  # a line with this many words is rather a sentence than data
_MOST_HEAD = 70
_MOST_LABELS = 300
_MOST_LINES = 1_000
_MOST_LINE = 200
_MOST_DATA = 50_000


@dataclass(frozen=True, slots=True)
class Label:
    """A heading of data."""

    kind: Literal["input", "output"]
    marked: bool  # it says itself that it belongs to an example
    number: str
    inline: str  # what follows on its line
    start: int
    end: int  # of its line
    is_expected: bool = False  # it says that it is no program's output, but the right one


@dataclass(frozen=True, slots=True)
class Data:
    """What stands below a heading."""

    text: str
    is_fenced: bool = False
    fault: str = ""  # why its end is not sure


@dataclass(frozen=True, slots=True)
class Pair:
    """An example: what is given, what is wanted."""

    given: Data
    wanted: Data
    marked: bool  # surely an example, and not a description of the input
    number: str = ""
    labelled: bool = False  # its heading says so itself ("Sample Input")
    early: bool = False  # it stands before the examples: the section that describes the input


def pairs_in(text: str) -> list[Pair]:
    """Every input heading and its output heading, in order, with the data below them; then the rows of tables."""
    lines = _lines_with(_WORDS, text)
    return [*_below_headings(text, lines), *_side_by_side(text, lines)]


def _below_headings(text: str, lines: list[tuple[int, str]]) -> list[Pair]:
    labels: list[Label] = []
    for start, line in lines:
        labels += _labels_of(line, start)
        if len(labels) >= _MOST_LABELS:
            break
    examples = [start for start, line in _lines_with(_SAMPLES, text) if _heads_examples(line)]
    first_marked = min((label.start for label in labels if label.marked), default=None)
    found: list[Pair] = []
    for index, given in enumerate(labels):
        if given.kind != "input":
            continue
        at = _partner(labels, index)
        if at is None:
            continue
        wanted = labels[at]
        marked = given.marked or bool(bisect_right(examples, given.start))
        early = not marked and (first_marked is not None or bool(examples))
        ends = [label.start for label in labels[at + 1 : at + 2]]
        given_end = labels[index + 1].start
        wanted_end = ends[0] if ends else len(text)
        side = text[given.end : given_end].strip() + given.inline
        cells = [] if side else _cells(text[wanted.end : wanted_end][:_MOST_DATA].split("\n"))
        if cells and not cells[0].given.fault and not wanted.inline:
            found += cells
            continue
        found.append(
            Pair(
                _data(given, text[given.end : min(given_end, given.end + _MOST_DATA)], is_output=False),
                _data(wanted, text[wanted.end : min(wanted_end, wanted.end + _MOST_DATA)], is_output=True),
                marked,
                given.number or wanted.number,
                given.marked,
                early,
            )
        )
    return found


def _partner(labels: list[Label], index: int) -> int | None:
    """The output label of an input label: the next one, or the one of its number."""
    given = labels[index]
    after = next((i for i, label in enumerate(labels[index + 1 :], index + 1) if label.kind == "input"), len(labels))
    outputs = labels[index + 1 : after]
    if outputs and (not given.number or not outputs[0].number or given.number == outputs[0].number):
        expected = next((i for i, label in enumerate(outputs) if label.is_expected), 0)  # others are a program's
        return index + 1 + expected
    if given.number:
        of_number = [i for i, label in enumerate(labels) if label.number == given.number and label.kind == "output"]
        if len(of_number) == 1 and of_number[0] > index:
            return of_number[0]
    return None


def _lines_with(words: Sequence[str], text: str) -> list[tuple[int, str]]:
    """Where the lines begin that hold one of the words near their start, and the lines: `_MOST_LINES` for each word."""
    lower = text.lower()
    if len(lower) != len(text):  # a letter that becomes two
        lower = text
    starts: dict[int, int] = {}
    for word in words:
        at, count = lower.find(word), 0
        while at >= 0 and count < _MOST_LINES:
            start = text.rfind("\n", 0, at) + 1
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            if at - start <= _MOST_HEAD:
                starts[start] = end
            at, count = lower.find(word, end), count + 1
    return [(start, text[start:end]) for start, end in sorted(starts.items())]


def _heads_examples(line: str) -> bool:
    head, colon, inline = _split(line)
    return _is_examples(line) or (colon != "" and _is_examples(head) and _BEGINS.match(inline) is not None)


def _is_examples(line: str) -> bool:
    return len(line) <= _MOST_HEAD and _EXAMPLES.fullmatch(line.strip(_DECORATION)) is not None


def _ends_data(line: str) -> bool:
    """Whether a line is a heading of something else."""
    return len(line) <= _MOST_LINE and (_END.fullmatch(line) is not None or _heads_examples(line))


def _labels_of(line: str, start: int) -> Iterator[Label]:
    """The label of a line; two of "Input: 3, Output: 6"."""
    head, colon, inline = _split(line)
    if colon and _is_examples(head) and _BEGINS.match(inline):
        yield from _labels_of(inline, start + len(line) - len(inline))
        return
    if len(head) > _MOST_HEAD:
        head, colon, inline = head.rstrip(), "", ""
    shown = _FOR_SAMPLE.sub("Sample Output", _RUN.sub(" ", head.strip(_DECORATION)))
    match = _HEAD.fullmatch(shown) if len(head) <= _MOST_HEAD else None
    if match is None:
        return
    marker = next((m for m in ("**", "__", "*", "`") if head.lstrip(" \t>-•#").startswith(m)), "")
    if marker:
        inline = inline.strip().removeprefix(marker) if not head.rstrip().endswith(marker) else inline
    label = Label(
        "input" if match["input"] else "output",
        bool(match["before"] or match["after"] or match["first"] or match["second"]),
        match["first"] or match["second"] or "",
        inline.strip() if colon else "",
        start,
        start + len(line),
        "expected" in head.lower(),
    )
    if label.kind == "input" and (second := re.search(_SECOND, label.inline)):
        yield replace(label, inline=label.inline[: second.start()].rstrip(" \t,;.|*_-=>→➞"), end=start + len(line) - 1)
        found = [*_labels_of(label.inline[second.start("label") :], 0)]
        for other in found[:1]:
            yield replace(other, start=start + len(line) - 1, end=start + len(line), marked=label.marked)
        return
    yield label


_SECOND = re.compile(
    r"(?:^|[\s,;.|→>])(?P<label>[*_]*(?:expected )?(?:output|expected|result|salida|saída|sortie|ausgabe|вывод|输出"
    r"|出力|출력)[*_]*[ \t]*[:：])",
    re.IGNORECASE,
)


def _split(line: str) -> tuple[str, str, str]:
    """The part before the first colon, the colon, the part behind it."""
    places = [i for i in (line.find(":"), line.find("：")) if i >= 0]
    if not places:
        return line, "", ""
    at = min(places)
    return line[:at], ":", line[at + 1 :]


def _data(label: Label, below: str, *, is_output: bool) -> Data:
    """The data under a heading: the rest of its line, a fenced block, or the lines below up to an explanation.

    An input may contain blank lines and ends where prose begins. An output ends at a blank line if prose follows;
    if something else does, it is not known where it ends.
    """
    lines = below.split("\n")[1:] if below.startswith("\n") else below.split("\n")
    if below and not below.startswith("\n"):
        lines = below.split("\n")
    inline = label.inline.strip()
    if not inline:
        while lines and (not lines[0].strip() or _COPY_LINE.fullmatch(lines[0])):
            lines.pop(0)
        if lines and _OPENS.match(lines[0]):
            return _fenced(lines)
    kept: list[str] = [inline] if inline else []
    for line in lines:
        if _ends_data(line) or _OPENS.match(line):
            break
        if _RULE.fullmatch(line) and (not kept or not kept[-1].strip()):
            break
        if inline and _is_prose(line):
            break
        kept.append(line)
    text = "\n".join(kept).strip("\n")
    paragraphs = [part for part in re.split(r"\n(?:[ \t]*\n)+", text) if part.strip()]
    end = next((i for i, part in enumerate(paragraphs) if i and is_prose(part)), len(paragraphs))
    fault = ""
    if is_output and end > 1:
        if inline or _is_remark(paragraphs[1]):
            end = 1
        else:
            fault = _UNCLEAR
    if is_output and not inline and paragraphs and _ends_in_sentence(paragraphs[0]):
        fault = _UNCLEAR
    return Data(_dedented("\n\n".join(paragraphs[:end])), False, fault)


def _fenced(lines: list[str]) -> Data:
    end = next((i for i, line in enumerate(lines) if i and _CLOSES.match(line)), None)
    if end is None:
        return Data("\n".join(lines[1:]).strip("\n"), True, "its block is not closed")
    return Data(_dedented("\n".join(lines[1:end]).strip("\n")), True)


def _dedented(text: str) -> str:
    """Without what all lines begin with: spaces, or the sign of a quotation."""
    lines = text.split("\n")
    if len(lines) > 1 and all(line.startswith(">") or not line.strip() for line in lines[1:]):
        lines = [re.sub(r"^> ?", "", line) for line in lines]
    filled = [line for line in lines if line.strip()]
    indents = [len(line) - len(line.lstrip()) for line in filled]
    least = min(indents, default=0)
    if least:
        lines = [line[least:] for line in lines]
    if len(lines) == 1 and len(lines[0]) > 2 and lines[0][0] == lines[0][-1] == "`":
        lines = [lines[0].strip("`").strip()]
    return "\n".join(line.rstrip() for line in lines)


def is_prose(text: str) -> bool:
    """Whether a line of the text is rather a sentence than data."""
    return any(map(_is_prose, text.split("\n")))


def _is_prose(line: str) -> bool:
    if len(_PROSE_WORD.findall(line)) >= _PROSE_WORDS:
        return True
    return not line.isascii() and len(_EAST.findall(line)) >= 8


def _ends_in_sentence(paragraph: str) -> bool:
    """Whether data is followed by a sentence in the next line, which may be said of it."""
    lines = paragraph.strip().split("\n")
    last = lines[-1].rstrip()
    return len(lines) > 1 and _is_prose(last) and last[-1:] in ".!:。" and not _is_prose(lines[0])


def _is_remark(paragraph: str) -> bool:
    """Whether a paragraph below an output is no part of it, though it is short."""
    words = _PROSE_WORD.findall(paragraph)
    last = paragraph.rstrip()[-1:]
    if len(words) >= 2 and last in ".!?:":
        return True
    return last in "!。！？：" or "=" in paragraph or "→" in paragraph


def _side_by_side(text: str, lines: list[tuple[int, str]]) -> list[Pair]:
    """The examples of tables: "| Input | Output |" with a row for each, or cells that were pasted one below another."""
    found: list[Pair] = []
    for start, line in lines:
        if _is_side_line(line):
            end = start + len(line) + 1
            below = text[end : end + _MOST_DATA].split("\n")
            found += _rows(below) if "|" in line else _cells(below)
        if len(found) > _MOST_ROWS:
            break
    return found


def _is_side_line(line: str) -> bool:
    return len(line) <= _MOST_HEAD and _SIDE_LINE.fullmatch(_SPACES.sub(r"\1", line)) is not None


_ONE_SIDE = rf"[ \t*#_]*(?:(?:{_SAMPLE})s?)?[ \t]*\d*[ \t]*(?:expected )?"
_SIDE_LINE = re.compile(
    rf"\|?{_ONE_SIDE}(?:{_INPUT})[ \t\d*_]*(?:\||\t|[ \t]+){_ONE_SIDE}(?:{_OUTPUT})[ \t\d*_]*(?:\|.*)?", re.IGNORECASE
)
_SPACES = re.compile(r"([ \t])[ \t]+")
_SIDE_BY_SIDE = "input and output stand side by side, and it is not clear where the one ends"
_MOST_ROWS = 30
_SEPARATOR = re.compile(r"[ \t|:-]+")


def _rows(lines: list[str]) -> list[Pair]:
    found: list[Pair] = []
    for line in lines:
        if "|" not in line:
            break
        if _SEPARATOR.fullmatch(line):
            continue
        cells = [_cell(cell) for cell in line.strip().strip("|").split("|")]
        if len(cells) >= 2:
            found.append(Pair(Data(cells[0], True), Data(cells[1], True), True, labelled=True))
    return found


def _cell(text: str) -> str:
    lines = text.strip().split(CELL_BREAK)
    return "\n".join(line.strip().strip("`").strip() for line in lines)


def _cells(lines: list[str]) -> list[Pair]:
    """Two cells below their headings: a line with a tab, two fenced blocks, or two paragraphs."""
    while lines and not lines[0].strip():
        lines = lines[1:]
    if lines and _OPENS.match(lines[0]):
        return _fenced_cells(lines)
    kept: list[str] = []
    for line in lines:
        if _ends_data(line) or _is_side_line(line) or _OPENS.match(line):
            break
        kept.append(line)
    filled = [line for line in kept if line.strip()]
    if len(filled) == 1 and filled[0].strip().count("\t") == 1:
        given, _, wanted = filled[0].strip().partition("\t")
        return [Pair(Data(given.strip(), True), Data(wanted.strip(), True), True, labelled=True)]
    paragraphs = [part.strip("\n") for part in re.split(r"\n(?:[ \t]*\n)+", "\n".join(kept).strip())]
    while len(paragraphs) > 2 and is_prose(paragraphs[-1]):
        paragraphs.pop()
    if len(paragraphs) == 2 and not is_prose(paragraphs[1]):
        return [Pair(Data(paragraphs[0], True), Data(paragraphs[1], True), True, labelled=True)]
    return [Pair(Data("", fault=_SIDE_BY_SIDE), Data("\n".join(filled[:5])), True, labelled=True)]


def _fenced_cells(lines: list[str]) -> list[Pair]:
    blocks: list[Data] = []
    while lines and _OPENS.match(lines[0]) and len(blocks) < 2:
        blocks.append(_fenced(lines))
        end = next((i for i, line in enumerate(lines) if i and _CLOSES.match(line)), len(lines))
        lines = lines[end + 1 :]
        while lines and not lines[0].strip():
            lines = lines[1:]
    if len(blocks) == 2:
        return [Pair(blocks[0], blocks[1], True, labelled=True)]
    return [Pair(Data("", fault=_SIDE_BY_SIDE), Data(""), True, labelled=True)]
