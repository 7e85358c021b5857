"""Statements as people paste them, of many sites and in several languages, and what is to be read from each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mars2.core.problem import AssertTest, CallTest, StdioTest, Test


@dataclass(frozen=True, slots=True)
class Case:
    """A statement and what is to be read from it."""

    text: str
    tests: tuple[Test, ...] = ()
    entry_point: str | None = None
    kind: str = "stdin"
    comparison: str = "exact"  # "checker" for one of its own
    why: str = ""  # words of a reason for which something is left out


def io(*pairs: str) -> tuple[Test, ...]:
    """Tests of programs: input, output, input, output, …, without their last line end."""
    return tuple(StdioTest(f"{a}\n", f"{b}\n") for a, b in zip(pairs[::2], pairs[1::2], strict=True))


def call(function: str, *args: Any, gives: Any, types: tuple[str, ...] = ()) -> Test:
    return CallTest(function, args, gives, types)


def solution(method: str, *tests: Test, **given: Any) -> dict[str, Any]:
    return {"tests": tests, "entry_point": f"Solution.{method}", "kind": "function", **given}


def function(name: str, *tests: Test, **given: Any) -> dict[str, Any]:
    return {"tests": tests, "entry_point": name, "kind": "function", **given}


TWO_SUM = "class Solution:\n    def twoSum(self, nums: List[int], target: int) -> List[int]:\n        "
LIST_HEAD = """# Definition for singly-linked list.
# class ListNode:
#     def __init__(self, val=0, next=None):
#         self.val = val
#         self.next = next
"""
TREE_HEAD = """# Definition for a binary tree node.
# class TreeNode:
#     def __init__(self, val=0, left=None, right=None):
#         self.val = val
#         self.left = left
#         self.right = right
"""
LRU = """class LRUCache:

    def __init__(self, capacity: int):
        

    def get(self, key: int) -> int:
        

    def put(self, key: int, value: int) -> None:
        


# Your LRUCache object will be instantiated and called as such:
# obj = LRUCache(capacity)
# param_1 = obj.get(key)
# obj.put(key,value)
"""  # noqa: W293
LRU_EXAMPLE = """Example 1:

Input
["LRUCache", "put", "get", "get"]
[[2], [1, 1], [1], [2]]
Output
[null, null, 1, -1]

Explanation
LRUCache lRUCache = new LRUCache(2);
"""
LRU_TEST = call(
    "LRUCache",
    ["LRUCache", "put", "get", "get"],
    [[2], [1, 1], [1], [2]],
    gives=[None, None, 1, -1],
    types=("operations",),
)

CASES: dict[str, Case] = {
    "AtCoder, pasted with its buttons": Case(
        """A - Sum

Time Limit: 2 sec / Memory Limit: 1024 MB

Problem Statement
Print A+B.

Constraints
1 \u2264 A, B \u2264 100

Input
Input is given from Standard Input in the following format:

A B

Output
Print the answer.

Sample Input 1\u00a0
Copy
1 2
Sample Output 1\u00a0
Copy
3
1+2=3, so print 3.

Sample Input 2
Copy
10 20

Sample Output 2
Copy
30
""".replace("3\n1+2=3, so print 3.", "3\n\nThe sum of 1 and 2 is 3, so print it."),
        io("1 2", "3", "10 20", "30"),
    ),
    "AtCoder in Japanese": Case(
        "問題文\nA+B を出力してください。\n\n入力\n入力は以下の形式で標準入力から与えられる。\nA B\n\n"
        "出力\n答えを出力せよ。\n\n"
        "入力例 1\nCopy\n1 2\n出力例 1\nCopy\n3\n\n1+2=3 です。\n\n入力例 2\n5 5\n\n出力例 2\n10\n",
        io("1 2", "3", "5 5", "10"),
    ),
    "Codeforces, pasted": Case(
        "A. Double\ntime limit per test1 second\nmemory limit per test256 megabytes\n"
        "inputstandard input\noutputstandard output\n"
        "Double it.\n\nInput\nThe only line has an integer n.\n\nOutput\nPrint 2n.\n\nExamples\n"
        "inputCopy\n3\noutputCopy\n6\n"
        "inputCopy\n5\noutputCopy\n10\nNote\nIn the first test, 3 + 3 = 6.\n",
        io("3", "6", "5", "10"),
    ),
    "Codeforces, several cases in a test": Case(
        "Input\nThe first line contains t.\n\nOutput\nFor each case print the sum.\n\nExample\n"
        "InputCopy\n2\n1 2\n3 4\nOutputCopy\n3\n7\n",
        io("2\n1 2\n3 4", "3\n7"),
    ),
    "Codeforces as HTML": Case(
        '<div class="sample-tests"><div class="section-title">Example</div><div class="sample-test"><div '
        'class="input">'
        '<div class="title">Input</div><pre><div class="test-example-line">2</div><div '
        'class="test-example-line">1 &lt; 2</div>'
        '</pre></div><div class="output"><div class="title">Output</div><pre>\n3\n</pre></div></div></div>',
        io("2\n1 < 2", "3"),
    ),
    "AtCoder as HTML": Case(
        "<h3>Input</h3><p>Given as <var>N</var>.</p><h3>Output</h3><p>Print <var>N</var> doubled.</p>"
        "<h3>Sample Input 1</h3><pre>4\r\n</pre><h3>Sample Output 1</h3><pre>8\r\n</pre><p>It is twice four.</p>",
        io("4", "8"),
    ),
    "HackerRank": Case(
        "**Input Format**\n\nThe first line has n.\n\n**Output Format**\n\nPrint the sum.\n\n"
        "**Sample Input 0**\n\n    3\n    1 2 3\n\n"
        "**Sample Output 0**\n\n    6\n\n**Explanation 0**\n\n1 + 2 + 3 = 6.\n",
        io("3\n1 2 3", "6"),
    ),
    "HackerRank with a table of stdin": Case(
        "Sample Input 0\n\nSTDIN       Function\n-----       --------\n3           n = 3\n"
        "5           k = 5\n\nSample Output 0\n\n8\n\nExplanation 0\n\nSum.\n",
        io("3\n5", "8"),
    ),
    "Kattis, cells below each other": Case(
        "Add numbers.\n\nSample Input 1 \tSample Output 1\n\n2\n1 2\n\n\t\n\n3\n\n"
        "Sample Input 2 \tSample Output 2\n\n1\n7\n\n\t\n\n7\n",
        io("2\n1 2", "3", "1\n7", "7"),
    ),
    "CodeChef, headings side by side": Case(
        "Sample 1:\nInput\nOutput\n2\n5 10\nYes\nNo\nExplanation:\nTest case 1: fine.\n", why="beside its output"
    ),
    "CodeChef, older": Case(
        "### Example Input\n```\n2\n1 2\n3 4\n```\n### Example Output\n```\n3\n7\n```\n### Explanation\nSums.\n",
        io("2\n1 2\n3 4", "3\n7"),
    ),
    "SPOJ": Case(
        "Your program is to use the brute-force approach.\n\nExample\n\nInput:\n1\n2\n88\n42\n99\n\n"
        "Output:\n1\n2\n88\n",
        io("1\n2\n88\n42\n99", "1\n2\n88"),
    ),
    "LibreOJ": Case(
        "## 题目描述\n\n求和。\n\n## 输入格式\n\n一行两个整数。\n\n## 输出格式\n\n"
        "一个整数。\n\n## 样例\n\n### 样例输入 1\n\n```plain\n1 2\n```\n\n"
        "### 样例输出 1\n\n```plain\n3\n```\n\n## 数据范围与提示\n\n很小。\n",
        io("1 2", "3"),
    ),
    "Luogu": Case(
        "## 样例 #1\n\n### 样例输入 #1\n\n```\n20 30\n```\n\n### 样例输出 #1\n\n```\n50\n```\n\n## 样例 #2\n\n"
        "### 样例输入 #2\n\n```\n1 1\n```\n\n"
        "### 样例输出 #2\n\n```\n2\n```\n",
        io("20 30", "50", "1 1", "2"),
    ),
    "acm.timus in Russian": Case(
        "Ограничение по времени: 1 секунда\n\nДаны два числа. Выведите их сумму.\n\nВходные данные\n"
        "Два целых числа a и b.\n\n"
        "Выходные данные\nОдно целое число.\n\nПример\nВходные данные\n1 5\nВыходные данные\n6\n\nПримечание\nНет.\n",
        io("1 5", "6"),
    ),
    "Portuguese": Case(
        "Leia um número.\n\nEntrada\nUm inteiro em uma única linha.\n\nSaída\nO dobro do número dado.\n\n"
        "Exemplo de Entrada\n4\n\nExemplo de Saída\n8\n",
        io("4", "8"),
    ),
    "Spanish, inline": Case(
        "Lee dos números y escribe la suma.\n\nEjemplo:\nEntrada: 1 2\nSalida: 3\n", io("1 2", "3")
    ),
    "French": Case("Exemple d'entrée 1\n```\n5\n```\nExemple de sortie 1\n```\n120\n```\n", io("5", "120")),
    "German": Case("Lies eine Zahl.\n\nBeispieleingabe:\n7\n\nBeispielausgabe:\n49\n", io("7", "49")),
    "Korean": Case("두 수를 더하라.\n\n예제 입력 1\n1 2\n\n예제 출력 1\n3\n", io("1 2", "3")),
    "Windows line ends": Case(
        "Sum.\r\n\r\nSample Input 1\r\n1 2\r\n3\r\n\r\nSample Output 1\r\n6\r\n\r\nSample Input 2\r\n"
        "4\r\n\r\nSample Output 2\r\n4\r\n",
        io("1 2\n3", "6", "4", "4"),
    ),
    "Markdown table": Case(
        "Print the square.\n\n| Input | Output |\n|-------|--------|\n| `3` | `9` |\n| 4 | 16 |\n\nGood luck!\n",
        io("3", "9", "4", "16"),
    ),
    "Table with several lines in a cell": Case(
        "| Sample Input | Sample Output |\n|---|---|\n| 2<br>1 2 | 3 |\n", io("2\n1 2", "3")
    ),
    "one line for both": Case("Read a number and print its double. Input: 4, Output: 8", io()),
    "one line for both, alone": Case(
        "Read a number, print its double.\n\nInput: 4, Output: 8\nInput: 5 → Output: 10\n", io("4", "8", "5", "10")
    ),
    "backticks": Case("Reverse the words.\n\n- Input: `a b c`\n- Output: `c b a`\n", io("a b c", "c b a")),
    "a quotation": Case("> Print n + 1.\n>\n> Sample Input\n> 1\n>\n> Sample Output\n> 2\n", io("1", "2")),
    "a grid with number signs": Case(
        "Count the trees.\n\nSample Input 1\n3 3\n# .\n# # #\n.#.\n\nSample Output 1\n5\n",
        io("3 3\n# .\n# # #\n.#.", "5"),
    ),
    "text as data": Case(
        "Count the words.\n\nSample Input\nthe cat and the dog\n\nSample Output\n5\n", io("the cat and the dog", "5")
    ),
    "no input": Case(
        "There is no input. Print a greeting.\n\nSample Input 1\n\nSample Output 1\nHello World!\n",
        io("", "Hello World!"),
    ),
    "an output of several paragraphs": Case(
        "Print blocks.\n\nSample Input\n2\n\nSample Output\n1\n\n2\n", why="not clear where the output ends"
    ),
    "shortened output": Case("Sample Input\n1000\nSample Output\n1\n2\n3\n...\n", why="shortened"),
    "descriptions only": Case("Input: one line with two integers a and b.\nOutput: their sum on a line.\n"),
    "sections only": Case(
        "Input\nTwo integers a and b are given on one line.\n\nOutput\nPrint the sum of both of them.\n"
    ),
    "interactive": Case(
        "This is an interactive problem. Guess the number.\n\nExample\nInput\n<\n>=\nOutput\n16\n8\n! 10\n",
        why="interactive",
    ),
    "interaction section": Case(
        'Guess x.\n\nInteraction\n\nTo ask, print "? x" and flush the output.\n\nSample Input 1\n1\n'
        "Sample Output 1\n? 3\n",
        why="interactive",
    ),
    "interactive in Chinese": Case("这是一道交互题。\n\n样例输入\n1\n\n样例输出\n? 2\n", why="interactive"),
    "several answers": Case(
        "Find such a permutation. If there are multiple answers, print any of them.\n\nSample Input 1\n"
        "3\nSample Output 1\n2 3 1\n",
        why="several answers",
    ),
    "several answers in Russian": Case(
        "Если ответов несколько, выведите любой из них.\n\nПример\nВвод\n3\nВывод\n2 1 3\n", why="several answers"
    ),
    "any order, one a line": Case(
        "Print the divisors in any order, one on each line.\n\nSample Input\n4\n\nSample Output\n1\n2\n4\n",
        io("4", "1\n2\n4"),
        comparison="unordered",
    ),
    "any order, in a line": Case(
        "Print the divisors in any order.\n\nSample Input\n4\n\nSample Output\n1 2 4\n", why="order"
    ),
    "letters in any case": Case(
        "Print YES or NO. You can print each letter in any case (upper or lower).\n\nExample\nInput\n2\nOutput\nYES\n",
        io("2", "YES"),
        comparison="checker",
    ),
    "an error is allowed": Case(
        "Your answer is accepted if its absolute or relative error does not exceed 10^{-6}.\n\n"
        "Sample Input 1\n2\n\nSample Output 1\n1.414213562373\n\nSample Input 2\n3\n\nSample Output 2\n1.7321\n",
        io("2", "1.414213562373"),
        comparison="tolerant",
        why="rounded",
    ),
    "an error is allowed, exact output": Case(
        "Your answer is accepted if its absolute or relative error does not exceed 1e-6.\n\n"
        "Sample Input\n1 2\n\nSample Output\n1.5\n",
        io("1 2", "1.5"),
        comparison="tolerant",
    ),
    "own program that reads": Case(
        "Why is this slow? It must read n and n numbers and print the sum.\n```python\ndef solve():\n"
        "    n = int(input())\n"
        "    print(sum(int(input()) for _ in range(n)))\n\nsolve()\n```\nSample Input\n2\n1\n2\nSample Output\n3\n",
        io("2\n1\n2", "3"),
    ),
    "own program without a fence": Case(
        "My code gets TLE:\n\nimport sys\ndef main():\n    data = sys.stdin.read().split()\n"
        "    print(len(data))\n\nmain()\n\n"
        "Example input:\na b\nExample output:\n2\n",
        io("a b", "2"),
    ),
    "a class that is given": Case(
        "Use this class.\n\nclass Node:\n    def __init__(self, v):\n        self.v = v\n\nRead n and print it.\n"
    ),
    "LeetCode": Case(
        "1. Two Sum\nEasy\nGiven nums and target.\n\nExample 1:\n\n"
        "Input: nums = [2,7,11,15], target = 9\nOutput: [0,1]\n"
        "Explanation: Because nums[0] + nums[1] == 9, we return [0, 1].\n\nExample 2:\n\n"
        "Input: nums = [3,2,4], target = 6\nOutput: [1,2]\n\n"
        f"Constraints:\n\n2 <= nums.length <= 104\n\n{TWO_SUM}",
        **solution(
            "twoSum", call("twoSum", [2, 7, 11, 15], 9, gives=[0, 1]), call("twoSum", [3, 2, 4], 6, gives=[1, 2])
        ),
    ),
    "LeetCode, bold labels": Case(
        f"**Example 1:**\n\n**Input:** nums = [2,7], target = 9\n**Output:** [0,1]\n"
        f"**Explanation:** Sum.\n\n```python\n{TWO_SUM}\n```\n",
        **solution("twoSum", call("twoSum", [2, 7], 9, gives=[0, 1])),
    ),
    "LeetCode as HTML": Case(
        '<p>Given a string <code>s</code>.</p>\n<p><strong class="example">Example 1:</strong></p>\n\n'
        "<pre>\n<strong>Input:</strong> s = "
        "&quot;abc&quot;, k = 2\n<strong>Output:</strong> &quot;cab&quot;\n"
        "<strong>Explanation:</strong> Rotated.\n</pre>\n<ul>\n"
        "<li><code>1 &lt;= s.length &lt;= 10<sup>4</sup></code></li>\n</ul>\n\n"
        "class Solution:\n    def rotate(self, s: str, k: int) -> str:\n        ",
        **solution("rotate", call("rotate", "abc", 2, gives="cab")),
    ),
    "LeetCode, free order": Case(
        f"You can return the answer in any order.\n\nExample 1:\nInput: nums = [2,7], target = 9\n"
        f"Output: [0,1]\n\n{TWO_SUM}",
        **solution("twoSum", call("twoSum", [2, 7], 9, gives=[0, 1]), comparison="unordered"),
    ),
    "LeetCode, free order of groups": Case(
        'Group them. You can return the answer in any order.\n\nInput: strs = ["ab","ba","c"]\n'
        'Output: [["c"],["ab","ba"]]\n\n'
        "class Solution:\n    def group(self, strs: List[str]) -> List[List[str]]:\n",
        **solution("group", why="order"),
    ),
    "LeetCode, another answer": Case(
        'Example 1:\nInput: s = "babad"\nOutput: "bab"\nExplanation: "aba" is also a valid answer.\n\n'
        "class Solution:\n    def longest(self, s: str) -> str:\n",
        **solution("longest", why="several answers"),
    ),
    "LeetCode, in place": Case(
        '```python\nclass Solution:\n    def moveZeroes(self, nums: List[int]) -> None:\n        """\n'
        '        Do not return anything, modify nums in-place instead.\n        """\n```\nExample 1:\n'
        "Input: nums = [0,1,0]\nOutput: [1,0,0]\n",
        **solution("moveZeroes", call("moveZeroes", [0, 1, 0], gives=[1, 0, 0], types=("", "0"))),
    ),
    "LeetCode, in place with a count": Case(
        "class Solution:\n    def removeDuplicates(self, nums: List[int]) -> int:\n        \n\n"
        "Example 1:\n\nInput: nums = [1,1,2]\n"
        "Output: 2, nums = [1,2,_]\nExplanation: Two are left.\n",
        **solution("removeDuplicates", why="more than a value"),
    ),
    "LeetCode, linked list": Case(
        f"{LIST_HEAD}class Solution:\n"
        f"    def reverseList(self, head: Optional[ListNode]) -> Optional[ListNode]:\n        \n\n"
        "Example 1:\n\nInput: head = [1,2,3]\nOutput: [3,2,1]\n\nExample 2:\n\nInput: head = []\nOutput: []\n",
        **solution(
            "reverseList",
            call("reverseList", [1, 2, 3], gives=[3, 2, 1], types=("ListNode", "ListNode")),
            call("reverseList", [], gives=[], types=("ListNode", "ListNode")),
        ),
    ),
    "LeetCode, lists of lists": Case(
        "Input: lists = [[1,4],[2]]\nOutput: [1,2,4]\n\n```python3\n" + LIST_HEAD + "class Solution:\n"
        "    def mergeKLists(self, lists: List[Optional[ListNode]]) -> Optional[ListNode]:\n```\n",
        **solution(
            "mergeKLists", call("mergeKLists", [[1, 4], [2]], gives=[1, 2, 4], types=("[ListNode]", "ListNode"))
        ),
    ),
    "LeetCode, tree": Case(
        f"```python\n{TREE_HEAD}class Solution:\n"
        f"    def inorderTraversal(self, root: Optional[TreeNode]) -> List[int]:\n```\n"
        "Input: root = [1,null,2,3]\nOutput: [1,3,2]\n",
        **solution(
            "inorderTraversal", call("inorderTraversal", [1, None, 2, 3], gives=[1, 3, 2], types=("TreeNode", ""))
        ),
    ),
    "LeetCode, Python 2 with a docstring": Case(
        'class Solution(object):\n    def invertTree(self, root):\n        """\n'
        "        :type root: TreeNode\n        :rtype: TreeNode\n"
        '        """\n        \n\nExample:\nInput: root = [2,1,3]\nOutput: [2,3,1]\n',
        **solution("invertTree", call("invertTree", [2, 1, 3], gives=[2, 3, 1], types=("TreeNode", "TreeNode"))),
    ),
    "LeetCode, cyclic list": Case(
        f"{LIST_HEAD}class Solution:\n    def hasCycle(self, head: Optional[ListNode]) -> bool:\n        \n\n"
        "Input: head = [3,2,0,-4], pos = 1\nOutput: true\n",
        **solution("hasCycle", why="pos"),
    ),
    "LeetCode, random pointers": Case(
        "class Solution:\n    def copyRandomList(self, head: 'Optional[Node]') -> 'Optional[Node]':\n        \n\n"
        "Input: head = [[7,null],[13,0]]\nOutput: [[7,null],[13,0]]\n",
        **solution("copyRandomList", why="Node objects"),
    ),
    "LeetCode, tree of any width": Case(
        "class Solution:\n    def maxDepth(self, root: 'Node') -> int:\n\n"
        "Input: root = [1,null,3,2,4,null,5,6]\nOutput: 3\n",
        **solution("maxDepth", why="Node objects"),
    ),
    "LeetCode, nodes of one tree": Case(
        "class Solution:\n"
        "    def lowestCommonAncestor(self, root: 'TreeNode', p: 'TreeNode', q: 'TreeNode') -> "
        "'TreeNode':\n        \n\n"
        "Input: root = [6,2,8], p = 2, q = 8\nOutput: 6\n",
        **solution("lowestCommonAncestor", why="2"),
    ),
    "LeetCode, booleans and null": Case(
        "class Solution:\n    def f(self, flags: List[bool], x: Optional[int]) -> bool:\n        \n\n"
        "Input: flags = [true,false], x = null\nOutput: false\n",
        **solution("f", call("f", [True, False], None, gives=False)),
    ),
    "LeetCode, rounded": Case(
        "Answers within 10^-5 of the actual answer will be accepted.\n\nclass Solution:\n"
        "    def mean(self, nums: List[int]) -> float:\n        \n\n"
        "Example 1:\nInput: nums = [1,1]\nOutput: 1.00000\nExample 2:\nInput: nums = [1,1,0]\nOutput: 0.66667\n",
        **solution("mean", call("mean", [1, 1], gives=1.0), comparison="tolerant", why="rounded"),
    ),
    "LeetCode, text with signs": Case(
        "class Solution:\n    def f(self, s: str, t: str) -> str:\n        \n\n"
        'Input: s = "a = 1, t = [2", t = "x;y"\nOutput: "Output: 3"\n',
        **solution("f", call("f", "a = 1, t = [2", "x;y", gives="Output: 3")),
    ),
    "LeetCode, arguments in another order": Case(
        "class Solution:\n    def f(self, nums: List[int], k: int) -> int:\n        \n\n"
        "Input: k = 2, nums = [1,2,3]\nOutput: 3\n",
        **solution("f", call("f", [1, 2, 3], 2, gives=3)),
    ),
    "LeetCode without code": Case(
        "Given an array of integers, return indices.\n\nExample 1:\n\n"
        "Input: nums = [2,7,11,15], target = 9\nOutput: [0,1]\n",
        why="values for a function",
    ),
    "a design": Case(f"Design a cache.\n\n{LRU_EXAMPLE}\n```python\n{LRU}```\n", (LRU_TEST,), "LRUCache", "class"),
    "a design without a fence": Case(f"Design a cache.\n\n{LRU_EXAMPLE}\n{LRU}", (LRU_TEST,), "LRUCache", "class"),
    "a design without code": Case(f"Implement the LRUCache class.\n\n{LRU_EXAMPLE}", (LRU_TEST,), "LRUCache", "class"),
    "a design with random results": Case(
        'Input\n["Bag", "add", "getRandom"]\n[[], [1], []]\nOutput\n[null, null, 1]\n', (), "Bag", "class", why="random"
    ),
    "a design on a tree": Case(
        "class BSTIterator:\n\n    def __init__(self, root: Optional[TreeNode]):\n        \n\n"
        "    def next(self) -> int:\n        \n\n"
        'Example 1:\n\nInput\n["BSTIterator", "next", "next"]\n[[[7, 3, 15]], [], []]\nOutput\n[null, 3, 7]\n',
        (
            call(
                "BSTIterator",
                ["BSTIterator", "next", "next"],
                [[[7, 3, 15]], [], []],
                gives=[None, 3, 7],
                types=("operations", "TreeNode"),
            ),
        ),
        "BSTIterator",
        "class",
    ),
    "a class in own words": Case(
        "Complete this class.\n```python\nclass Stack:\n    def push(self, x):\n        pass\n"
        "    def pop(self):\n        pass\n```\n",
        (),
        "Stack",
        "class",
    ),
    "HumanEval": Case(
        'def add(a: int, b: int) -> int:\n    """Add two numbers.\n    >>> add(2, 3)\n    5\n'
        '    >>> add(5, 7)\n    12\n    """\n',
        **function("add", call("add", 2, 3, gives=5), call("add", 5, 7, gives=12)),
    ),
    "two functions": Case(
        "Write both:\n```python\ndef add(a, b):\n    pass\n\ndef mul(a, b):\n    pass\n```\n"
        "add(1, 2) == 3\nmul(2, 3) == 6\n",
        **function("mul", call("mul", 2, 3, gives=6), call("add", 1, 2, gives=3)),
    ),
    "a helper and a function to write": Case(
        "def helper(x):\n    return x * 2\n\ndef twice(xs):\n    # TODO\n\nExamples:\ntwice([1, 2]) -> [2, 4]\n",
        **function("twice", call("twice", [1, 2], gives=[2, 4])),
    ),
    "a function in words": Case(
        "Write a function `is_even(n)` that tells whether n is even.\n\n"
        "`is_even(4)` should return `True`; `is_even(3)` → `False`.\n",
        **function("is_even", call("is_even", 4, gives=True), call("is_even", 3, gives=False)),
    ),
    "a function in words with labels": Case(
        'Implement a function called count_vowels(text).\n\nExample:\nInput: text = "hello"\nOutput: 2\n',
        **function("count_vowels", call("count_vowels", "hello", gives=2)),
    ),
    "a function in Spanish": Case(
        "Escribe una función `suma(a, b)` que devuelva la suma.\n\nEjemplo: suma(1, 2) devuelve 3\n",
        **function("suma", call("suma", 1, 2, gives=3)),
    ),
    "a function in Russian": Case(
        "Напишите функцию `double(x)`, которая удваивает число.\n\ndouble(4) == 8\n",
        **function("double", call("double", 4, gives=8)),
    ),
    "a wrong function of one's own": Case(
        "My function is wrong:\n```python\ndef half(n):\n    return n / 2\n```\n"
        "half(5) returns 2.5 instead of 2. half(4) should return 2\n"
        "half(7) should be 3\n",
        **function("half", call("half", 7, gives=3)),
    ),
    "GeeksforGeeks": Case(
        "class Solution:\n    def largest(self, arr, n):\n        # code here\n\n"
        "Input: arr[] = {10, 20, 4}, n = 3\nOutput: 20\nExplanation: 20 is the largest.\n",
        **solution("largest", call("largest", [10, 20, 4], 3, gives=20)),
    ),
    "a value that is none": Case(
        "class Solution:\n    def f(self, n: int) -> int:\n        \n\nInput: n = 2^31\nOutput: 7\n",
        **solution("f", why="cannot be read"),
    ),
    "two results of one call": Case(
        "def f(n):\n    pass\n\nf(1) == 2\nf(1) == 3\nf(2) == 4\n",
        **function("f", call("f", 2, gives=4), why="different result"),
    ),
    "USACO, a sentence below the output": Case(
        "SAMPLE INPUT:\n2\n1 2\nSAMPLE OUTPUT:\n3\nThe sum of 1 and 2 is 3.\n", why="not clear where the output ends"
    ),
    "CodeChef, paragraphs side by side": Case(
        "### Sample 1:\nInput\n\nOutput\n\n2\n1 2\n3 4\n\n3\n7\n", io("2\n1 2\n3 4", "3\n7")
    ),
    "Kattis as HTML": Case(
        '<table class="sample"><tr><th>Sample Input 1</th><th>Sample Output 1</th></tr>'
        "<tr><td><pre>2\n1 2\n</pre></td><td><pre>3\n</pre></td></tr></table>",
        io("2\n1 2", "3"),
    ),
    "AOJ": Case("Sample Input\n\n3\n\nOutput for the Sample Input\n\n6\n", io("3", "6")),
    "AtCoder, interactive": Case(
        "Your program interacts with the judge via Standard Input and Output.\n\nSample Input 1\n3\n"
        "Sample Output 1\n? 1\n",
        why="interactive",
    ),
    "a chat": Case(
        "hi! write a script that prints the lines backwards\n\ninput:\nabc\ndef\n\noutput:\ndef\nabc\n\nthanks!!\n",
        io("abc\ndef", "def\nabc"),
    ),
    "samples whose inputs come first": Case(
        "Sample Input 1\n1\nSample Input 2\n2\nSample Output 1\n10\nSample Output 2\n20\n", io("1", "10", "2", "20")
    ),
    "output of another program": Case(
        "Input (stdin)\n3\n\nYour Output (stdout)\n5\n\nExpected Output\n6\n", io("3", "6")
    ),
    "a function that changes its argument": Case(
        'def sort_it(items):\n    """Sort the items in place. Returns None."""\n\n'
        "Input: items = [3,1,2]\nOutput: [1,2,3]\n",
        **function("sort_it", call("sort_it", [3, 1, 2], gives=[1, 2, 3], types=("", "0"))),
    ),
    "in place, and what is returned is not said": Case(
        "def sort_it(items):\n    pass\n\nSort the items in place.\nInput: items = [3,1,2]\nOutput: [1,2,3]\n",
        **function("sort_it", why="not said whether"),
    ),
    "a function that only doctests name": Case(
        "Write the median.\n\n>>> median([1, 3, 2])\n2\n", **function("median", call("median", [1, 3, 2], gives=2))
    ),
    "Codewars": Case(
        "Reverse the string passed into it.\n\n```\n'world'  =>  'dlrow'\n```\ndef solution(string):\n    pass\n",
        **function("solution", call("solution", "world", gives="dlrow")),
    ),
    "CodeSignal": Case(
        "For sequence = [1, 3, 2, 1], the output should be\nsolution(sequence) = false.\n\n"
        "def solution(sequence):\n    pass\n",
        **function("solution", call("solution", [1, 3, 2, 1], gives=False)),
    ),
    "LeetCode, lists that meet": Case(
        "Input: intersectVal = 8, listA = [4,1,8], listB = [5,8], skipA = 2, skipB = 1\nOutput: Intersected at '8'\n"
        "class Solution:\n"
        "    def getIntersectionNode(self, headA: ListNode, headB: ListNode) -> Optional[ListNode]:\n",
        **solution("getIntersectionNode", why="intersectVal"),
    ),
    "LeetCode, arrows": Case(
        "Input: head = 1->2->NULL\nOutput: 2->1->NULL\nclass Solution:\n"
        "    def rev(self, head: ListNode) -> ListNode:\n",
        **solution("rev", why="cannot be read"),
    ),
    "LeetCode, Python 2 in place": Case(
        'class Solution(object):\n    def rotate(self, nums, k):\n        """\n'
        "        :type nums: List[int]\n        :type k: int\n"
        '        :rtype: None Do not return anything, modify nums in-place instead.\n        """\n\n'
        "Input: nums = [1,2,3], k = 1\nOutput: [3,1,2]\n",
        **solution("rotate", call("rotate", [1, 2, 3], 1, gives=[3, 1, 2], types=("", "", "0"))),
    ),
    "a function of mathematics": Case(
        "Let's define a function f(x) as the sum of the digits of x.\n\nInput\nA single integer n.\n\n"
        "Output\nPrint f(n).\n\n"
        "Example\nInput\n123\nOutput\n6\n",
        io("123", "6"),
    ),
    "any of several results": Case(
        "If the array has multiple peaks, return the index to any of the peaks.\nInput: nums = [1,2,1]\nOutput: 1\n"
        "class Solution:\n    def findPeak(self, nums: List[int]) -> int:\n",
        **solution("findPeak", why="several answers"),
    ),
    "one possible answer": Case(
        "Input: head = [-3,0,5]\nOutput: [0,-3,5]\nExplanation: One possible answer is [0,-3,5].\nclass Solution:\n"
        "    def toBST(self, head: Optional[ListNode]) -> Optional[TreeNode]:\n",
        **solution("toBST", why="several answers"),
    ),
    "MBPP": Case(
        "Write a function to find the shared elements.\nassert shared((3, 4), (4, 5)) == (4,)\n"
        "assert set(shared((1, 2), (2, 1))) == {1, 2}\n",
        **function(
            "shared",
            call("shared", (3, 4), (4, 5), gives=(4,)),
            AssertTest("assert set(shared((1, 2), (2, 1))) == {1, 2}"),
        ),
    ),
    "a coroutine": Case(
        'async def fetch(n: int) -> int:\n    """\n    >>> fetch(1)\n    2\n    """\n',
        **function("fetch", why="coroutine"),
    ),
    "a function that prints": Case(
        "Write a function `show(n)` that prints n twice.\n\nshow(4) -> 44\n", **function("show", why="prints")
    ),
    "a class in words": Case("Implement a class Counter with the methods inc() and value().\n", (), "Counter", "class"),
    "calls of the solution": Case(
        "class Solution:\n    def double(self, n: int) -> int:\n        pass\n\n>>> Solution().double(2)\n4\n"
        "assert Solution().double(3) == 6\n",
        **solution("double", call("double", 2, gives=4), call("double", 3, gives=6)),
    ),
    "printed results": Case(
        "def double(n):\n    pass\n\nprint(double(2))  # Output: 4\nprint(double(3))  # 6\n",
        **function("double", call("double", 2, gives=4), call("double", 3, gives=6)),
    ),
    "labels behind the heading": Case(
        "Square it.\nExample 1: Input: 2, Output: 4\nExample 2: Input: 3; Output: 9\n", io("2", "4", "3", "9")
    ),
    "LeetCode's panel of results": Case(
        TWO_SUM + "pass\n\nInput\nnums =\n[2,7]\ntarget =\n9\nStdout\nhello\nOutput\n[1,0]\nExpected\n[0,1]\n",
        **solution("twoSum", call("twoSum", [2, 7], 9, gives=[0, 1])),
    ),
    "LeetCode, its old words": Case(
        TWO_SUM + "pass\n\nGiven nums = [2, 7], target = 9,\n\nBecause nums[0] + nums[1] = 2 + 7 = 9,\n"
        "return [0, 1].\n",
        **solution("twoSum"),
    ),
    "a value in several lines": Case(
        "class Solution:\n    def f(self, a: List[List[int]]) -> int:\n\nInput: a =\n[[1,2],\n [3,4]]\nOutput: 4.\n",
        **solution("f", call("f", [[1, 2], [3, 4]], gives=4)),
    ),
}
