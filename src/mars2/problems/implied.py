"""What contest benchmarks run in front of every solution, so that an answer may leave it out.

A problem carries it in `metadata["implied_imports"]`, and a prompter adds what a program needs of it.
"""

LIVECODEBENCH_PREAMBLE = """
from string import *
from re import *
from datetime import *
from collections import *
from heapq import *
from bisect import *
from copy import *
from math import *
from random import *
from statistics import *
from itertools import *
from functools import *
from operator import *
from io import *
from sys import *
from json import *
from builtins import *
from typing import *
import string, re, datetime, collections, heapq, bisect, copy, math, random, statistics, itertools, functools
import operator, io, sys, json
sys.setrecursionlimit(50000)
""".strip()
"""LiveCodeBench, lcb_runner/evaluation/testing_util.py, import_string."""

APPS_PREAMBLE = """
import bisect, collections, copy, datetime, fractions, functools, heapq, io, itertools, json, math, operator, random, re
import statistics, string, sys, time
import numpy as np
from bisect import bisect_left, bisect_right, insort, insort_left, insort_right
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque, namedtuple
from copy import deepcopy
from datetime import date, timedelta
from functools import cache, cached_property, cmp_to_key, lru_cache, partial, reduce, total_ordering, wraps
from heapq import heapify, heappop, heappush, heappushpop, heapreplace, merge, nlargest, nsmallest
from io import BytesIO, StringIO
from itertools import accumulate, chain, combinations, combinations_with_replacement, compress, count, cycle, dropwhile
from itertools import filterfalse, groupby, islice, pairwise, permutations, product, repeat, starmap, takewhile, tee
from itertools import zip_longest
from math import acos, asin, atan, atan2, ceil, comb, cos, dist, e, exp, fabs, factorial, floor, gcd, hypot, inf
from math import isclose, isinf, isnan, isqrt, lcm, log, log10, log2, nan, perm, pi, prod, sin, sqrt, tan, trunc
from operator import add, and_, itemgetter, attrgetter, mul, or_, sub, truediv, xor
from random import choice, randint, randrange, shuffle
from statistics import mean, median, mode
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits, punctuation
from sys import stdin, stdout
from typing import Any, Callable, DefaultDict, Deque, Dict, FrozenSet, Generic, Iterable, Iterator, List, NamedTuple
from typing import Optional, Sequence, Set, Tuple, Type, TypeVar, Union
""".strip()
"""APPS, eval/testing_util.py, and the harnesses of TACO and DeepCoder that come from it: all that any of them brings,
and what LeetCode, where many of the problems are from, brings too.
"""
