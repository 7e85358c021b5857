"""Landlock: the kernel's own rules on which files a process and its children may touch, whatever their user id."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from typing import NamedTuple

from . import libc

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION_FLAG, _RULE_PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
LIST = _READ_DIR
READ = _READ_FILE | _READ_DIR
WRITE_DEVICE = _READ_FILE | _WRITE_FILE
SCRATCH = READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _TRUNCATE


class Rule(NamedTuple):
    """`rights` on `path` and, for a folder, all below it."""

    path: str
    rights: int


def version() -> int:
    """The kernel's Landlock version; 0 if it has none or it is switched off."""
    try:
        return libc.syscall(_CREATE_RULESET, ctypes.c_void_p(None), 0, _VERSION_FLAG)
    except OSError:
        return 0


def make_ruleset(rules: Iterable[Rule]) -> int:
    """A descriptor of rules that deny all this kernel can deny, save `rules`; absent paths are left out.

    Network: no TCP at all (version 4 on); no abstract sockets and no signals to processes outside (version 6 on).
    """
    abi = version()
    handled = (1 << 13) - 1
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV)):
        if abi >= since:
            handled |= right
    attributes = struct.pack("=Q", handled)
    if abi >= 4:
        attributes += struct.pack("=Q", 0b11)
    if abi >= 6:
        attributes += struct.pack("=Q", 0b11)
    descriptor = libc.syscall(_CREATE_RULESET, ctypes.c_char_p(attributes), len(attributes), 0)
    for rule in rules:
        _add(descriptor, rule, handled)
    return libc.out_of_the_way(descriptor)


def _add(ruleset: int, rule: Rule, handled: int) -> None:
    try:
        path = os.open(rule.path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rights = rule.rights & handled
        if not stat.S_ISDIR(os.fstat(path).st_mode):
            rights &= _FILE_RIGHTS
        attribute = struct.pack("=Qi", rights, path)
        libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.c_char_p(attribute), 0)
    finally:
        os.close(path)


class Domain:
    """Enters a new, nested domain: no way back, and no reaching into processes outside of it."""

    def __init__(self, ruleset: int) -> None:
        self._ruleset = ruleset
        self.restrict = libc.prepared("syscall", _RESTRICT_SELF, ruleset, 0)

    def enter(self) -> None:
        """Restrict this process. Raises OSError."""
        libc.syscall(_RESTRICT_SELF, self._ruleset, 0)
