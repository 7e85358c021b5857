"""Finds the places of a Python file where one small fault can be planted, and says what each would look like."""

from __future__ import annotations

import ast
import copy
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any"}
METHODS = {"minimum": "maximum", "maximum": "minimum", "sum": "mean", "popleft": "pop", "argmax": "argmin"}
NOT_DROPPED = {"strict"}  # keywords that only check what holds anyway
SPEAKING = {"assert_never", "warn", "debug", "info", "warning", "error"}  # calls that only say something


@dataclass(frozen=True, slots=True)
class Fault:
    """One planted fault: the bytes `start` to `end` of a file are replaced by `after`."""

    path: str  # of the file, from the root of the repository
    where: str  # the function or class it is in, such as "Slots._grant"; "" at the top of the file
    operator: str
    line: int
    start: int
    end: int
    before: str
    after: str
    number: int  # among faults of one function that read alike

    @property
    def id(self) -> str:
        """The same for the same fault in whatever folder the file is."""
        text = "\0".join((Path(self.path).stem, self.where, self.operator, self.before, self.after, str(self.number)))
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def plant(self, source: bytes) -> bytes:
        return source[: self.start] + self.after.encode() + source[self.end :]


def faults_of(path: str, source: bytes) -> list[Fault]:
    """Every fault that can be planted in a file."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    seen: Counter[tuple[str, ...]] = Counter()
    faults: list[Fault] = []
    for where, operator, node, after in _Planter().walk(ast.parse(source)):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        before = source[start:end].decode()
        key = (where, operator, before, after)
        faults.append(Fault(path, where, operator, node.lineno, start, end, before, after, seen[key]))
        seen[key] += 1
    return faults


def changes_something(fault: Fault, source: bytes) -> bool:
    """Whether the file with the fault is Python, and not the same program as before."""
    try:
        return ast.dump(ast.parse(fault.plant(source))) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


Found = tuple[str, str, "ast.expr | ast.stmt", str]  # where, operator, the node to replace, its new text


class _Planter:
    """Walks a module, keeping in mind where it is and leaving out what only says something."""

    def walk(self, module: ast.Module) -> Iterator[Found]:
        for statement in module.body:
            yield from self._statement(statement, "")

    def _statement(self, node: ast.stmt, where: str) -> Iterator[Found]:
        match node:
            case ast.Import() | ast.ImportFrom() | ast.Raise() | ast.Assert() | ast.Pass() | ast.Global():
                return
            case ast.Expr(value=ast.Constant()):  # a docstring, or "..."
                return
            case ast.Expr(value=ast.Call() as call) if _name(call.func) in SPEAKING:
                return
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                if node.name == "__repr__" or _is_protocol(node):
                    return
                inside = f"{where}.{node.name}" if where else node.name
                if not isinstance(node, ast.ClassDef):
                    for default in (*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)):
                        yield from self._expression(default, inside)
                for statement in node.body:
                    yield from self._statement(statement, inside)
                return
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                return
            case ast.AnnAssign():
                if node.value is not None:
                    yield from self._expression(node.value, where)
                return
            case ast.Assign() if where == "" and not _holds_number(node.value):
                return  # a type alias, a table of names
        yield from self._whole_statement(node, where)
        for field, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.stmt):
                    yield from self._statement(child, where)
                elif isinstance(child, ast.expr) and field not in ("targets", "target"):
                    yield from self._expression(child, where)
                elif isinstance(child, (ast.ExceptHandler, ast.match_case, ast.withitem)):
                    yield from self._part(child, where)

    def _part(self, part: ast.ExceptHandler | ast.match_case | ast.withitem, where: str) -> Iterator[Found]:
        if isinstance(part, ast.withitem):
            yield from self._expression(part.context_expr, where)
            return
        if isinstance(part, ast.match_case) and part.guard is not None:
            yield from self._expression(part.guard, where)
        for statement in part.body:
            yield from self._statement(statement, where)

    def _whole_statement(self, node: ast.stmt, where: str) -> Iterator[Found]:
        match node:
            case ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign() | ast.Delete():
                yield where, "statement dropped", node, "pass"
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield where, "statement dropped", node, "pass"
            case ast.Break():
                yield where, "break/continue", node, "continue"
            case ast.Continue():
                yield where, "break/continue", node, "break"
            case ast.If() if not isinstance(node.test, ast.Compare):  # a comparison is turned round anyway
                yield where, "branches swapped", node.test, f"not ({ast.unparse(node.test)})"
            case ast.Return(value=ast.BoolOp(values=[first, *_]) | ast.BinOp(left=first)):
                yield where, "first operand returned", node, f"return {ast.unparse(first)}"
            case _:
                pass

    def _expression(self, node: ast.expr, where: str) -> Iterator[Found]:
        if isinstance(node, ast.JoinedStr):  # a text for people
            return
        for operator, new in self._changes(node):
            text = ast.unparse(new) if isinstance(new, ast.expr) else new
            is_atom = isinstance(node, (ast.Constant, ast.Call, ast.Subscript, ast.Name))
            yield where, operator, node, text if is_atom else f"({text})"
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.keyword):
                yield from self._expression(child.value, where)
            elif isinstance(child, ast.comprehension):
                yield from self._expression(child.iter, where)
                for condition in child.ifs:
                    yield from self._expression(condition, where)
            elif isinstance(child, ast.expr):
                yield from self._expression(child, where)

    def _changes(self, node: ast.expr) -> Iterator[tuple[str, ast.expr | str]]:
        match node:
            case ast.Compare():
                for index, op in enumerate(node.ops):
                    for other in COMPARISONS[type(op)]:
                        new = copy.deepcopy(node)
                        new.ops[index] = other()
                        yield "comparison", new
            case ast.BinOp() if type(node.op) in ARITHMETIC and not (_is_text(node.left) or _is_text(node.right)):
                new = copy.deepcopy(node)
                new.op = ARITHMETIC[type(node.op)]()
                yield "arithmetic", new
            case ast.BoolOp():
                new = copy.deepcopy(node)
                new.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
                yield "and/or", new
            case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
                yield ("not dropped" if isinstance(node.op, ast.Not) else "sign dropped"), operand
            case ast.IfExp():
                yield "branches swapped", ast.IfExp(node.test, node.orelse, node.body)
            case ast.Constant(value=bool() as value):
                yield "constant", repr(not value)
            case ast.Constant(value=int() as value):
                yield "constant", repr(value + 1)
            case ast.Constant(value=float() as value):
                yield "constant", repr(2 * value if value else 1.0)
            case ast.Call():
                yield from self._calls(node)
            case ast.Subscript(slice=ast.Slice() as part):
                for bound in ("lower", "upper"):
                    old = getattr(part, bound)
                    if old is not None:
                        new = copy.deepcopy(node)
                        setattr(new.slice, bound, ast.BinOp(old, ast.Add(), ast.Constant(1)))
                        yield "slice off by one", new
            case _:
                pass

    def _calls(self, node: ast.Call) -> Iterator[tuple[str, ast.expr | str]]:
        for index, keyword in enumerate(node.keywords):
            if keyword.arg is not None and keyword.arg not in NOT_DROPPED:
                new = copy.deepcopy(node)
                del new.keywords[index]
                yield "keyword dropped", new
        match node.func:
            case ast.Name(id="sorted"):
                yield "order reversed", f"{ast.unparse(node)}[::-1]"
            case ast.Name(id="reversed"):
                yield "order reversed", f"list({ast.unparse(node.args[0])})"
            case ast.Name(id=name) if name in FUNCTIONS:
                new = copy.deepcopy(node)
                new.func = ast.Name(FUNCTIONS[name])
                yield "function swapped", new
            case ast.Attribute(attr="detach", value=value):
                yield "detach dropped", value
            case ast.Attribute(attr=name, value=value) if name in METHODS:
                new = copy.deepcopy(node)
                new.func = ast.Attribute(value, METHODS[name])
                yield "function swapped", new
            case _:
                pass


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _is_protocol(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef) and any(_name(base) == "Protocol" for base in node.bases)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, (ast.JoinedStr, ast.List, ast.Tuple)) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _holds_number(node: ast.expr) -> bool:
    return any(isinstance(n, ast.Constant) and isinstance(n.value, (int, float)) for n in ast.walk(node))
