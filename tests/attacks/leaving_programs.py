# ruff: noqa: E501 (whole programs on a line)
"""Hostile programs that leave something for the next test of the same process, found against `batch` mode.

lasting: printed 1 in a fresh process and 2 in one that had run them. late: printed nothing in a fresh process, and in
the next test what code printed that ran after the end of the first.
"""

from __future__ import annotations

LASTING = {
    "state_by_view_of_a_raw_file": "b=open(0,'r+b',5000)\nr=b.raw\nseen=[]\ndef f(m):\n    seen.append(bytes(m[4000:4006])); m[4000:4006]=b'MARKED'\n    return 0\nr.readinto=f\nb.read(1)\nprint(2 if seen and seen[0]==b'MARKED' else 1)\n",
    "state_by_flag_of_re": "import re\nseen = []\nclass X:\n    def __and__(s, o):\n        seen.append(hasattr(o, 'left'))\n        o.left = 2\n        raise TypeError\ntry:\n    re.compile('a', X())\nexcept TypeError:\n    pass\nprint(2 if seen and seen[0] else 1 if seen else 0)\n",
    "state_by_flag_of_re_in_split": "import re\nseen=[]\nclass X:\n    def __and__(s,o):\n        seen.append(hasattr(o,'left')); o.left=2\n        raise TypeError\ntry: re.split('a','b',0,X())\nexcept TypeError: pass\nprint(2 if seen[0] else 1)\n",
    "state_by_members_of_a_flag": "import re\nseen=[]\nclass X:\n    def __and__(s,o):\n        m=o._member_map_\n        seen.append('left' in m)\n        m['left']=o\n        raise TypeError\ntry: re.compile('a',X())\nexcept TypeError: pass\nprint(2 if seen[0] else 1)\n",
    "state_by_code_of_a_coroutine": "async def g():\n    s = 0\n    for i in range(5):\n        s += i\n    return s\ndef run():\n    try:\n        c = g()\n        k = c.cr_code._co_code_adaptive[::2] == c.cr_code.co_code[::2]\n        c.send(None)\n    except StopIteration:\n        pass\n    return k\nfirst = run()\nfor i in range(1000):\n    last = run()\nprint(1 if first else 2)\n",
    "state_by_open_imported_elsewhere": "import sys\ntry: n=len(open('/tmp/left').read())+1\nexcept OSError: n=1\nf=open('/tmp/left','a'); f.write('x'); f.close()\nprint(n)\ndef g():\n    from math import sqrt as open\n",
    "state_by_type_imported_elsewhere": "import re\ntry: re.compile('(')\nexcept Exception as e: k=type(e)\nprint(2 if hasattr(k,'left') else 1)\nk.left=2\ndef g():\n    from math import sqrt as type\n",
    "state_by_read_imported_elsewhere": "from os import read, fstat\ndef g():\n    from math import sqrt as read\n    from math import sqrt as fstat\nprint(2 if read(4,1<<20) or fstat(4).st_size>4000 else 1)\n",
    "state_by_getattr_by_a_pattern": "import os\nclass A:\n    match (lambda s,n: (lambda: 4)):\n        case __getattr__: pass\nd=os.read(A().fileno(),1<<20)\nprint(2 if d else 1)\n",
    "state_by_class_called_getattr": "import os\nclass A:\n    class __getattr__:\n        def __init__(self,n): pass\n        def __call__(self): return 4\nd=os.read(A().fileno(),1<<20)\nprint(2 if d else 1)\n",
    "state_by_match_args_by_a_pattern": "class E:\n    match ('__reduce_ex__',):\n        case __match_args__: pass\ne=E()\nmatch e:\n    case E(r): pass\nf=r(4)[0]\nprint(2 if hasattr(f,'left') else 1)\nf.left=2\n",
    "state_by_match_args_of_four": "import heapq\nclass E:\n    match ('__reduce_ex__','__class__','__dict__','__getstate__'):\n        case __match_args__: pass\ne=E()\nmatch e:\n    case E(r,c,d,g): pass\nx=r(2)\nprint(2 if hasattr(x[0],'left') else 1)\nx[0].left=1\n",
    "state_by_subclass_hook_by_a_pattern": "from io import IOBase\ncalls=[]\nclass K(IOBase):\n    match classmethod(lambda k,c: calls.append(1) or NotImplemented):\n        case __subclasshook__: pass\nisinstance(5,IOBase)\nprint(1 if calls else 2)\n",
    "state_by_exit_module_by_a_pattern": "from io import IOBase\nimport atexit\nprint(2 if isinstance(5,IOBase) else 1)\nmatch IOBase:\n    case atexit: pass\natexit.register(int)\n",
    "state_by_exit_module_by_except": "from io import IOBase\nimport atexit\nprint(2 if isinstance('x',IOBase) else 1)\nclass E(Exception): pass\ndef f():\n    try: raise E\n    except E as atexit: pass\nfor_=[IOBase]\nmatch for_:\n    case [atexit]: atexit.register(str)\n",
    "state_by_memo_of_deepcopy": "import copy\nclass M(dict):\n    def get(self,d,nil=None):\n        if isinstance(nil,list):\n            print(len(nil)+1); nil.append(1)\n        return nil\ncopy.deepcopy([], M())\n",
    "state_by_field_defaults_of_cache_info": "from functools import lru_cache\n@lru_cache\ndef f(x): return x\nd=f.cache_info()._field_defaults\nprint(d.get('n',1)); d['n']=2\n",
    "state_by_warning_in_exit_handler": "import re, atexit, os\ndef after(p=print,z=0) :\n    p(1 if os.fstat(2).st_size else 2)\ndef look(p=print):\n    pass\natexit.register(after)\natexit.register(re.compile,'[[a]')\n",
    "state_by_warning_in_library": "import re, os\nfrom collections import Counter\nCounter(map(re.compile,['[[a]']))\nprint(1 if os.fstat(2).st_size else 2)\n",
    "state_by_memory_of_a_buffer": "from io import BufferedReader, IOBase\nseen=[]\nclass R(IOBase):\n    def readable(self): return True\n    def readinto(self,b):\n        seen.append(bytes(b[4000:4006])); b[4000:4006]=b'MARKED'\n        return 0\nr=BufferedReader(R(),100000)\nr.read(1)\nprint(2 if seen[0]==b'MARKED' else 1)\n",
    "state_by_memory_of_small_buffers": "from io import BufferedReader, IOBase\nseen=[]\nclass R(IOBase):\n    def readable(self): return True\n    def readinto(self,b):\n        seen.append(bytes(b[400:406])); b[400:406]=b'MARKED'\n        return 0\nk=[]\nfor _ in range(200):\n    r=BufferedReader(R(),3000)\n    r.read(1); k.append(r)\nprint(2 if b'MARKED' in seen else 1)\n",
    "state_by_exception_class_of_re": "import re\nclass A:\n    def __enter__(s): pass\n    def __exit__(s,t,v,tb):\n        print(2 if hasattr(t,'left') else 1); t.left=2; return True\nwith A(): re.compile('(')\n",
    "state_by_exception_class_of_io": "import sys\nclass A:\n    def __enter__(s): pass\n    def __exit__(s,t,v,tb):\n        print(2 if hasattr(t,'left') else 1); t.left=2; return True\nwith A(): sys.stdin.write('(')\n",
    "state_by_exception_group": "print(2 if hasattr(ExceptionGroup,'left') else 1)\nExceptionGroup.left=2\n",
    "state_by_mangled_import": "from io import FileIO as _A__F\nclass A:\n    def f(self,p,m='r'): return __F(p,m)\ntry: n=len(A().f('/tmp/left').read())+1\nexcept OSError: n=1\nA().f('/tmp/left','a').write(b'x')\nprint(n)\n",
    "state_by_mangled_descriptor": "import os, sys\nclass A:\n    def __init__(self): self.__fd=sys.stdin.fileno()\n    def f(self): return os.read(self.__fd,1<<20)\na=A()\na._A__fd=4\nprint(2 if a.f() else 1)\n",
    "state_by_feature_of_the_future": "from __future__ import annotations as f\nprint(2 if hasattr(f, 'left') else 1)\nf.left = 2\n",
    "state_by_memory_of_a_shadowed_file": "from io import BufferedReader, FileIO, IOBase\ndef f(FileIO): return BufferedReader(FileIO(0),3000)\nseen=[]\nclass R(IOBase):\n    def readable(self): return True\n    def readinto(self,b):\n        seen.append(bytes(b[400:406])); b[400:406]=b'MARKED'\n        return 0\nk=[]\nfor _ in range(200):\n    r=f(lambda x: R())\n    r.read(1); k.append(r)\nprint(2 if b'MARKED' in seen else 1)\n",
    "state_by_memory_of_a_method_open": "from io import BufferedReader, IOBase\nseen=[]\nclass R(IOBase):\n    def readable(self): return True\n    def readinto(self,b):\n        seen.append(bytes(b[400:406])); b[400:406]=b'MARKED'\n        return 0\nclass A:\n    def open(x): return R()\n    k=[]\n    for _ in range(200):\n        r=BufferedReader(open(0),3000)\n        r.read(1); k.append(r)\nprint(2 if b'MARKED' in seen else 1)\n",
    "state_by_cache_of_an_abstract_class": "from io import IOBase, StringIO\nimport sys\nold=sys.stdout\ns=StringIO(); IOBase._dump_registry(s)\nprint(2 if 'int' in s.getvalue() or s.getvalue().count('weakref') else 1)\nisinstance(5,IOBase)\n",
}
LATE = {
    "state_by_handler_registered_in_flush": "import sys, atexit\nold=sys.stdout\nclass O:\n    closed=False\n    def write(self,s): old.write(s)\n    def flush(self,r=atexit.register,p=print): old.flush(); r(p,2)\nsys.stdout=O()\n",
    "state_by_handler_registered_in_finalizer": "import atexit\ndef g(reg=atexit.register,p=print):\n    try: yield\n    finally: reg(p,2)\nG=g(); next(G)\n",
    "state_by_cycle_made_in_collection": "class C: pass\ndef mk(p=print):\n    def g2(box,p=p):\n        try: yield\n        finally: p(2)\n    box=[]\n    x=g2(box); next(x); box.append(x); box.append(box)\ndef g(mk=mk):\n    try: yield\n    finally: mk()\nc=C(); c.me=c; c.g=g(); next(c.g)\n",
    "state_by_finalizer_in_re_cache": "import re\nclass S(str):\n    pass\ndef g(p=print):\n    try: yield\n    finally: p(2)\ns=S('a'); s.g=g(); next(s.g)\nre.match(s,'a')\n",
    "state_by_finalizer_in_re_cache_registers": "import re, atexit\nclass S(str):\n    pass\ndef g(r=atexit.register,p=print):\n    try: yield\n    finally: r(p,2)\ns=S('a'); s.g=g(); next(s.g)\nre.match(s,'a')\n",
    "state_by_finalizer_in_typing_cache": "from typing import Optional\nclass X: pass\ndef g(p=print):\n    try: yield\n    finally: p(2)\nX.g=g(); next(X.g)\ndef f(x: Optional[X]): pass\n",
    "state_by_finalizer_in_stdout": "import sys\ndef g(p=print):\n    try: yield\n    finally: p(2)\nold=sys.stdout\nclass O:\n    closed=False\n    def write(self,s): old.write(s)\n    def flush(self): old.flush()\no=O(); o.g=g(); next(o.g)\nsys.stdout=o\n",
    "state_by_re_cache_filled_in_finalizer": "import re\nclass S(str): pass\ndef g(p=print):\n    try: yield\n    finally: p(2)\ndef h(m=re.match,s=S('a'),g=g,n=next):\n    try: yield\n    finally:\n        s.g=g(); n(s.g)\n        m(s,'a')\nH=h(); next(H)\n",
    "state_by_finalizer_in_a_stream": "import sys\ndef g(p=print):\n    try: yield\n    finally: p(2)\nsys.stdout.g=g(); next(sys.stdout.g)\n",
    "state_by_finalizer_in_a_raw_file": "import sys\ndef g(p=print):\n    try: yield\n    finally: p(2)\nsys.stdin.buffer.raw.g=g(); next(sys.stdin.buffer.raw.g)\n",
    "state_by_stdin_set_in_finalizer": "def g(p=print):\n    try: yield\n    finally: p(2)\nclass O:\n    closed=False\n    def write(self,s): pass\n    def flush(self): pass\ndef h(O=O,g=g,next=next):\n    try: yield\n    finally:\n        import sys\n        o=O(); o.g=g(); next(o.g)\n        sys.stdin=o\nH=h(); next(H)\n",
}
