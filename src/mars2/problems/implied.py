"""The imports that contest benchmarks run in front of every solution, so that an answer may leave them out.

LiveCodeBench's harness, and the harnesses of DeepCoder, TACO and APPS that are derived from it, prepend star imports of
some twenty standard modules. LeetCode itself does the same. This file lists the names that solutions use. A problem
carries them in `metadata["implied_imports"]`, and a prompter adds those that a program reads but does not define.
"""

IMPLIED_IMPORTS = """
import bisect, collections, copy, datetime, functools, heapq, io, itertools, json, math, operator, random, re
import statistics, string, sys, time
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
from typing import Any, Callable, DefaultDict, Deque, Dict, FrozenSet, Generic, Iterable, Iterator, List, NamedTuple
from typing import Optional, Sequence, Set, Tuple, Type, TypeVar, Union
""".strip()
