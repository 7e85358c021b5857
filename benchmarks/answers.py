"""How long it takes to find the program in an answer: an ordinary one, and ones of 150 kB of every awkward shape.

Printed: CPU milliseconds, the best of several. The bars: 1 ms for an ordinary answer, 50 ms for one of 150 kB.

    python benchmarks/answers.py
"""

from __future__ import annotations

import time

from mars2.prompting.parsing import read_answer

SIZE = 150_000
PROGRAM = """import sys
from collections import deque

def bfs(grid, start, goal):
    n, m = len(grid), len(grid[0])
    dist = [[-1] * m for _ in range(n)]
    dist[start[0]][start[1]] = 0
    queue = deque([start])
    while queue:
        x, y = queue.popleft()
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            a, b = x + dx, y + dy
            if 0 <= a < n and 0 <= b < m and grid[a][b] != "#" and dist[a][b] < 0:
                dist[a][b] = dist[x][y] + 1
                queue.append((a, b))
    return dist[goal[0]][goal[1]]

data = sys.stdin.read().split()
n, m = int(data[0]), int(data[1])
print(bfs(data[2 : 2 + n], (0, 0), (n - 1, m - 1)))
"""
ONE = f"We search in breadth.\n\n```python\n{PROGRAM}```\n\nThe time is O(nm).\n"
TWO = f'{ONE}\nExample:\n```python\nprint(bfs(["..", ".."], (0, 0), (1, 1)))\n```\n'
THOUGHT = "Maybe x = 5? ```python\nprint(1)\n```\n" + "words and words " * 20 + "\n"
LONG = {
    "a long thought, then the answer": f"<think>\n{THOUGHT * (SIZE // len(THOUGHT))}</think>\n{ONE}",
    "the same block again and again": ONE * (SIZE // len(ONE)),
    "blocks that all differ": "".join(ONE.replace("bfs", f"b{i}") for i in range(SIZE // len(ONE))),
    "functions in one block": "```python\n" + "".join(f"def f{i}(x):\n    return x\n" for i in range(5000)) + "```",
    "functions without a fence": "".join(f"def f{i}(x):\n    return x + {i}\n" for i in range(5000)),
    "a table": f"```python\nT = {list(range(22_000))}\nprint(T[int(input())])\n```",
    "prose in one line": "plain prose, and no code. We say that x is y. " * 3300,
    "prose in lines": "plain prose, and no code. We say that x is y.\n" * 3300,
    "fences": "```\n" * 37_500,
    "tagged fences": "```python\n" * 15_000,
    "quotes": '"""\n' * 37_500,
    "nested braces": '{"a":' * 30_000,
    "nested lists": "[{" * 75_000,
    "JSON cut in its code": '{"code": "' + "x = 1\\n" * 21_000,
    "one long line of names": "a, " * 50_000 + "= 1",
    "one long line of calls": "f(" * 75_000,
    "numbered lines": "".join(f"{i}: x = {i}\n" for i in range(10_000)),
    "a diff": "```diff\n" + "+x = 1\n" * 21_000,
    "minus signs": "```python\n" + "x = 1 − 2\n" * 15_000 + "```",
    "short conditions": "if x: y\n" * 18_750,
    "escaped line breaks": "\\n" * 75_000,
    "HTML": "<br>" * 37_500,
    "open thoughts": "<think>" * 21_000,
    "brackets in a block": "```python\n" + "(" * SIZE,
    "a sum in a block": "```python\nx = 1" + "+1" * 75_000 + "\n```",
    "an error at the end": "import x\n" + "x = 1\n" * 25_000 + "def f(:",
}


def milliseconds(answer: str, entry_point: str | None, repeats: int) -> float:
    best = float("inf")
    for _ in range(repeats):
        read_answer("```python\nx\n```")  # so that nothing of the time before is remembered
        started = time.process_time()
        read_answer(answer, entry_point)
        best = min(best, time.process_time() - started)
    return best * 1000


if __name__ == "__main__":
    for name, answer in {"one block": ONE, "two blocks": TWO}.items():
        found = milliseconds(answer, None, 50), milliseconds(answer, "bfs", 50)
        print(f"{name:34}{found[0]:8.2f} ms, a function: {found[1]:.2f} ms")
    for name, answer in LONG.items():
        found = milliseconds(answer[:SIZE], None, 3), milliseconds(answer[:SIZE], "f", 3)
        print(f"{name:34}{found[0]:8.1f} ms, a function: {found[1]:.1f} ms")
