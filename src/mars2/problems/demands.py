"""What a statement says of right answers as a whole: several are accepted, the order is free, a judge talks back."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from mars2.core.problem import Limits


def _one_of(*phrases: str) -> re.Pattern[str]:
    """A pattern that finds any of the phrases; a space in one stands for any white space."""
    return re.compile("|".join(phrases).replace(" ", r"\s+"), re.IGNORECASE | re.MULTILINE)


_ANSWERS = r"(?:answers?|solutions?|outputs?|results?|ways?|options?|sequences?|arrangements?|strings?|arrays?)"
_RESULTS = r"(?:answers?|solutions?|outputs?|results?|ways?|options?|arrangements?|possibilities)"
_VALID = r"(?:valid|correct|such|possible|optimal|feasible|acceptable|suitable)"
_NO_QUESTION = r"(?<!whether\x20)(?<!if\x20)(?<!does\x20)(?<!there\x20)"
_ANY = _one_of(
    r"\b(?:print|output|return|find|report|choose|display|give|show) any(?: one)?"
    rf"\s*(?:(?:of|one|{_VALID})\b|[.,;)\n]|$)",
    rf"\b(?:multiple|several|more than one|many|different|various) (?:\w+ ){{0,3}}{_RESULTS}\b[^\n]{{0,80}}"
    r"\b(?:any|either|accepted|allowed|one of them|all correct)\b",
    rf"{_NO_QUESTION}\bany (?:one )?of (?:them|these|the) (?:\w+ ){{0,3}}(?:is|are|will)\b",
    rf"\b(?:return|print|output|find|report|give)\b[^.\n]{{0,60}}{_NO_QUESTION}"
    r"\bany (?:one )?of (?:them|those|these|the)\b",
    rf"\b(?:one|another) {_VALID} (?:answer|output)\b",
    rf"{_NO_QUESTION}\bany (?:one )?{_VALID} (?:\w+ ){{0,2}}(?:{_ANSWERS}|one)\b",
    rf"\bany (?:one )?{_ANSWERS} (?:is|are|will be|that)\b",
    r"\b(?:not|n't) (?:necessarily )?unique\b[^.\n]{0,60}\bany\b",
    r"(?:\b(?:is|are|would be|be)|['’]s) also (?:accepted|acceptable|an? \w+ (?:answer|solution|output|result|option))",
    r"[\"'`\])\d] (?:is|are|would be) also (?:valid|correct|right|possible|fine)\b",
    rf"\b(?:may|can|could) be (?:multiple|several|many|more than one) (?:\w+ ){{0,2}}{_RESULTS}",
    r"\bspecial judge\b|\bspj\b",
    r"任意(?:一个|一种|一组|合法|一条|可行|解|的?答案)|任何一[个种组]",
    r"多[种个组](?:答案|方案|解|可能)[^。\n]{0,20}(?:任|均可|都可|其中)",
    r"(?:どれ|いずれ)(?:を|か)?(?:一つ|1\s*つ|ひとつ)?(?:を)?(?:出力|でも)|複数[^。\n]{0,25}(?:どれ|いずれ)",
    r"любо[йем]\w* из (?:них|возможных)|выведите люб\w+|(?:ответов|решений|вариантов) несколько",
    r"несколько (?:\w+ ){0,2}(?:ответов|решений|вариантов)[^.\n]{0,40}люб",
    r"cualquiera de ell[ao]s|cualquier (?:soluci[oó]n|respuesta)|qualquer uma|qualquer (?:solução|resposta)",
    r"n['’]importe (?:laquelle|lequel|quelle (?:solution|réponse))|beliebige (?:davon|lösung|antwort)",
    r"아무(?:거나|\s*것)",
)
_ORDER = _one_of(
    r"\b(?:print(?:s|ed|ing)?|outputs?|return(?:s|ed|ing)?|answers?|results?|report"
    r"|list(?:ed)?)\b[^.\n]{0,120}\b(?:in|with)"
    r" (?:any|arbitrary) order",
    r"\b(?:in|with) (?:any|arbitrary) order\b[^.\n]{0,30}\b(?:print|output|return)",
    r"\border (?:of (?:the )?(?:outputs?|answers?|results?|returned|elements|output lines) (?:\w+ ){0,4})?"
    r"(?:does not|doesn['’]t|is not|isn['’]t|not) (?:matter|important|relevant)",
    r"\bregardless of (?:the )?order\b|\border is (?:irrelevant|unimportant)",
    r"任意顺序|顺序(?:任意|不限|不重要|无关)|不考虑(?:输出)?(?:结果的)?顺序|順序は問|順不同|순서(?:는|에)\s*(?:상관|관계)",
    r"в (?:любом|произвольном) порядке|en cualquier orden|em qualquer ordem",
    r"dans n['’]importe quel ordre|in beliebiger reihenfolge",
)
_CASE = _one_of(
    r"\b(?:in|of) any (?:case|register)\b|\bcase[- ]insensitive\b|в любом регистре",
    r"(?:upper|lower)(?:case)? or (?:upper|lower)(?:case)?\)?[^.\n]{0,40}(?:accepted|allowed|fine)",
)
_INTERACTIVE = _one_of(
    r"\binteractive (?:problem|task|version|judge|grader|communication)|\bis interactive\b|\binteractor\b",
    r"^[\s>*#_=-]*interaction(?: protocol)?[\s*:_#=-]*$",
    r"\binteract(?:s|ing)? with the (?:judge|grader|checker|jury|system)|\breactive problem|\bstdout\.flush",
    r"\b(?:flush|flushing) (?:the )?(?:output|stdout|standard output|buffer)",
    r"交互(?:题|式|库)|インタラクティブ|대화형|인터랙티브|интерактивн(?:ая|ой) (?:задач|верси)",
    r"problema interactivo|problema interativo|probl[èe]me interactif|interaktive (?:aufgabe|problem)",
)
_TOLERANCE = _one_of(
    r"\b(?:absolute|relative)\b[^.\n]{0,80}\berror",
    r"\berror\b[^.\n]{0,60}\b(?:absolute|relative|exceed|at most|less than)",
    r"\bwithin (?:an? )?(?:\w+ ){0,4}10\s*(?:\^|\*\*)?\s*\{?\s*[-−–]",
    r"\b(?:tolerance|precision) of (?:10|1e|0\.0)|\baccurate to within\b",
    r"误差[^。\n]{0,20}(?:不超过|小于|10)|誤差|погрешност",
)
_NO_INPUT = _one_of(r"\b(?:no|without(?: any)?|(?:not|n['’]t) (?:take|have|read)(?: any)?|empty) input\b")
_IN_PLACE = _one_of(r"\bin[- ]?place\b", r"原地|就地|на месте|inplace|en el lugar|sur place")
_NOTHING = _one_of(
    r"\breturns? (?:None|nothing|no value)\b|\b(?:do(?:es)? not|don['’]t|doesn['’]t|without|never"
    r"|not) return(?:ing|s)?\b",
    r"\bno return value\b|不返回|不要返回|ничего не возвращ|no devuelv|ne (?:retourne|renvoie) rien|nichts zurück",
)
_NUMBER = r"[\t\x20*_]*[:：=]?[\s*_]{0,6}(\d{1,8}(?:[.,]\d{1,3})?)[\t\x20]*"
_TIME = _one_of(
    r"(?:time ?limit(?: ?per ?test(?:case)?)?|时间限制|時間制限|実行時間制限|ограничение по времени(?: на тест)?"
    r"|límite de tiempo|limite de tempo|limite de temps|zeitlimit|시간 제한)"
    rf"{_NUMBER}(ms|milli\w*|миллисекунд\w*|毫秒|s\b|secs?\b|seconds?|сек\w*|секунд\w*|秒|segundos?|secondes?"
    r"|sekunden?|초)?"
)
_MEMORY = _one_of(
    r"(?:memory ?limit(?: ?per ?test(?:case)?)?|内存限制|空间限制|メモリ制限|ограничение по памяти(?: на тест)?"
    r"|límite de memoria|limite de memória|limite de mémoire|speicherlimit|메모리 제한)"
    rf"{_NUMBER}(kib|kb|k\b|mib|mb|m\b|megabytes?|мегабайт\w*|мб|gib|gb|g\b|gigabytes?|гб|megas?|메가)"
)
_MOST_MEMORY_MIB = 4096
_MOST_CHARS, _AROUND = 20_000, 150
_TELLING = re.findall(
    r"\S+",
    "any multiple several more unique also special spj order flush interact reactive place return 原地 就地 返回 error"
    " within tolerance precision accurate"
    " insensitive case limit 限制 制限 任 多 どれ いずれ люб несколько регистр огранич порядк cualq importe"
    " beliebig qualquer 아무 顺序 順 순서 误差 誤差 погрешн 交互 インタラ интеракт 대화형 제한 límite",
)  # one of which is in every phrase, in lower case


@dataclass(frozen=True, slots=True)
class Demands:
    """What the text says of right answers."""

    many_answers: bool = False
    any_order: bool = False
    any_case: bool = False
    interactive: bool = False
    no_input: bool = False
    in_place: bool = False  # an argument is changed
    returns_nothing: bool = False
    tolerant: bool = False
    time_s: float | None = None
    memory_mib: int | None = None

    @property
    def limits(self) -> Limits:
        """The limits that are said where they are wider than the default, because they are set for faster languages."""
        default = Limits()
        return replace(
            default,
            cpu_s=max(default.cpu_s, min(self.time_s or 0.0, 60.0)),
            memory_mib=max(default.memory_mib, min(self.memory_mib or 0, _MOST_MEMORY_MIB)),
        )


def demands_of(statement: str) -> Demands:
    """What a statement demands. Of a long one only the surroundings of some words are read."""
    text = statement if len(statement) <= _MOST_CHARS else _surroundings(statement)
    return Demands(
        many_answers=_ANY.search(text) is not None,
        any_order=_ORDER.search(text) is not None,
        any_case=_CASE.search(text) is not None,
        interactive=_INTERACTIVE.search(text) is not None,
        in_place=_IN_PLACE.search(text) is not None,
        no_input=_NO_INPUT.search(statement[:_MOST_CHARS]) is not None,
        returns_nothing=_NOTHING.search(text) is not None,
        tolerant=_TOLERANCE.search(text) is not None,
        time_s=_seconds(text),
        memory_mib=_mebibytes(text),
    )


def _surroundings(text: str) -> str:
    """The text around the words that the patterns look for, `_MOST_CHARS` characters of it."""
    lower = text.lower()
    hits: list[int] = []
    for word in _TELLING:
        at = lower.find(word)
        while at >= 0 and len(hits) < _MOST_CHARS:
            hits.append(at)
            at = lower.find(word, at + _AROUND)
    parts: list[str] = []
    end = room = 0
    for at in sorted(hits):
        start = max(end, at - _AROUND)
        end = max(end, at + _AROUND)
        parts.append(("\n" if start > 0 else "") + text[start:end])
        room += end - start
        if room >= _MOST_CHARS:
            break
    return "".join(parts)


def _seconds(text: str) -> float | None:
    match = _TIME.search(text)
    if match is None:
        return None
    number = float(match[1].replace(",", "."))
    unit = (match[2] or "").lower()
    if unit.startswith(("ms", "milli", "милли", "毫")) or (not unit and number >= 100):
        number /= 1000
    return number or None


def _mebibytes(text: str) -> int | None:
    match = _MEMORY.search(text)
    if match is None:
        return None
    number, unit = float(match[1].replace(",", ".")), match[2].lower()
    scale = 1 / 1024 if unit.startswith("k") else 1024 if unit.startswith(("g", "гб")) else 1
    return max(1, round(number * scale)) if number else None
