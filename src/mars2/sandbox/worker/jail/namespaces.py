"""Builds the zygote a root of its own: the standard library read-only, a private /tmp, /dev and /proc, nothing else."""

from __future__ import annotations

import ctypes
import glob
import os
import struct
import sys
from collections.abc import Iterable

from . import libc

SCRATCH = "/tmp"
SCRATCH_MIB = 16
_SCRATCH_FILES = 1024
_AT_FDCWD = -100
_STATFS_BYTES = 256  # struct statfs has 120
_FROM_SCRATCH = "/from"  # where is shown what lies in SCRATCH outside, such as a virtual environment
_DEVICES = ("/dev/null", "/dev/full", "/dev/random", "/dev/urandom")  # not zero: mapped, it is memory without a limit
_HIDDEN = ("site-packages", "dist-packages")  # data sets with answers live there
_PLACES = ("", "python*/", "pypy*/")  # of another interpreter too
_ALL = (
    libc.CLONE_NEWUSER
    | libc.CLONE_NEWNS
    | libc.CLONE_NEWPID
    | libc.CLONE_NEWNET
    | libc.CLONE_NEWIPC
    | libc.CLONE_NEWUTS
)
JAIL_USER = 1000  # user and group id inside
_NOBODY = 65534  # who that is outside, where the caller is root


def unshare_all() -> None:
    """New user, mount, process, network, IPC and host name namespaces; the next child is process 1 of its own."""
    libc.unshare(_ALL)


def write_id_maps(pid: int) -> bool:
    """Map user and group ids of a process in a new user namespace; called from outside.

    Returns whether inner id 0 exists: as root, 0 is kept for building the jail and JAIL_USER is nobody outside;
    as an ordinary user, JAIL_USER is that user.
    """
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        try:
            lines = f"0 0 1\n{JAIL_USER} {_NOBODY} 1\n"
            _write(f"/proc/{pid}/uid_map", lines)
            _write(f"/proc/{pid}/gid_map", lines)
            return True
        except PermissionError:
            pass  # root without CAP_SETUID: as an ordinary user
    _write(f"/proc/{pid}/setgroups", "deny")
    _write(f"/proc/{pid}/uid_map", f"{JAIL_USER} {user} 1\n")
    _write(f"/proc/{pid}/gid_map", f"{JAIL_USER} {group} 1\n")
    return False


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def standard_library() -> str:
    return os.path.dirname(os.path.realpath(os.__file__))


def readable_folders() -> list[str]:
    """What an interpreter needs to read: its standard library, and the folders of shared libraries it has mapped."""
    wanted = {standard_library(), *(p for p in sys.path if p.endswith("lib-dynload")), "/usr/share/zoneinfo"}
    with open("/proc/self/maps") as maps:
        for line in maps:
            path = line.split(maxsplit=5)[-1].strip()
            if path.startswith("/") and ".so" in path:
                wanted.add(os.path.dirname(os.path.realpath(path)))
    return sorted(p for p in wanted if os.path.isdir(p) and not any(p.startswith(q + "/") for q in wanted))


def hidden_folders(folders: Iterable[str]) -> list[str]:
    """Installed packages inside readable folders: data sets with answers live there."""
    parents = {*folders, standard_library()}
    patterns = [f"{glob.escape(parent)}/{place}{name}" for parent in parents for place in _PLACES for name in _HIDDEN]
    return sorted({path for pattern in patterns for path in glob.glob(pattern) if os.path.isdir(path)})


def place(path: str) -> str:
    """Where an outside file or folder is shown inside: at its own path, unless SCRATCH is there."""
    return _FROM_SCRATCH + path if path.startswith(SCRATCH + "/") else path


def _follow_moved() -> None:
    """Let modules that are not imported yet be found where they are shown."""
    sys.path[:] = map(place, sys.path)
    for module in [*sys.modules.values()]:
        folders = getattr(module, "__path__", None)
        if isinstance(folders, list):
            folders[:] = map(place, folders)
    sys.path_importer_cache.clear()


def build_root(library_folders: Iterable[str], two_ids: bool) -> None:
    """Replace the root of this process's mount namespace, then step down to JAIL_USER."""
    folders = readable_folders()
    hidden = hidden_folders(folders)
    outside = [*folders, *_DEVICES, "/etc/ld.so.cache"]
    sources = {path: os.open(path, os.O_PATH) for path in (*outside, *library_folders) if os.path.exists(path)}
    libc.mount("none", "/", None, libc.MS_REC | libc.MS_PRIVATE)
    base = "/tmp" if os.path.isdir("/tmp") else "/proc"
    libc.mount("tmpfs", base, "tmpfs", libc.MS_NOSUID | libc.MS_NODEV, "size=1m,mode=755")
    for path in outside:
        if path in sources:
            _bind(sources[path], base + place(path))
    for path in hidden:
        libc.mount("tmpfs", base + place(path), "tmpfs", libc.MS_NOSUID | libc.MS_NODEV, "size=64k,mode=755")
    for path in library_folders:
        if path in sources:
            _bind(sources[path], base + place(path))
    for path in hidden:
        _make_read_only(base + place(path))
    for descriptor in sources.values():
        os.close(descriptor)
    os.makedirs(base + "/dev", exist_ok=True)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{target}", f"{base}/dev/{name}")
    _mount_proc(f"{base}/proc")
    os.makedirs(base + SCRATCH, exist_ok=True)
    options = f"size={SCRATCH_MIB}m,nr_inodes={_SCRATCH_FILES},mode=700,uid={JAIL_USER},gid={JAIL_USER}"
    libc.mount("tmpfs", base + SCRATCH, "tmpfs", libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC, options)
    libc.pivot_into(base)
    _follow_moved()
    _make_read_only("/")
    libc.set_host_name("jail")
    libc.renounce_new_capabilities()
    if two_ids:
        os.setgroups([])
        os.setresgid(JAIL_USER, JAIL_USER, JAIL_USER)
        os.setresuid(JAIL_USER, JAIL_USER, JAIL_USER)
    os.chdir(SCRATCH)


def _make_read_only(target: str) -> None:
    flags = libc.MS_REMOUNT | libc.MS_BIND | libc.MS_RDONLY | libc.MS_NOSUID | libc.MS_NODEV
    libc.mount("none", target, None, flags)


def _bind(descriptor: int, target: str) -> None:
    """Show an outside file or folder at `target`, read-only."""
    source = f"/proc/self/fd/{descriptor}"
    is_folder = os.path.isdir(source)
    os.makedirs(target if is_folder else os.path.dirname(target), exist_ok=True)
    if not is_folder:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    try:
        libc.mount(source, target, None, libc.MS_BIND)
    except OSError:  # something is mounted below, which may not be uncovered
        libc.mount(source, target, None, libc.MS_BIND | libc.MS_REC)
    kept = os.statvfs(target).f_flag & (os.ST_NOEXEC | os.ST_NODEV | os.ST_NOSUID | os.ST_NOATIME | os.ST_RELATIME)
    flags = libc.MS_BIND | libc.MS_REMOUNT | libc.MS_RDONLY | libc.MS_NOSUID | _mount_flags(kept)
    libc.mount("none", target, None, flags)


def _mount_flags(statvfs_flags: int) -> int:
    """Flags of the outer mount, which may not be cleared from inside."""
    pairs = (
        (os.ST_NOEXEC, libc.MS_NOEXEC),
        (os.ST_NODEV, libc.MS_NODEV),
        (os.ST_NOSUID, libc.MS_NOSUID),
        (os.ST_NOATIME, 1024),
        (os.ST_RELATIME, 1 << 21),
    )
    return sum(flag for statvfs_flag, flag in pairs if statvfs_flags & statvfs_flag)


def _mount_proc(target: str) -> None:
    """A /proc that shows a process only itself; none at all if the kernel refuses."""
    os.makedirs(target)
    flags = libc.MS_RDONLY | libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC
    for options in ("subset=pid,hidepid=2", "hidepid=2"):
        try:
            libc.mount("proc", target, "proc", flags, options)
            return
        except OSError:
            continue


class ScratchWatch:
    """Tells at little cost whether a candidate left SCRATCH empty. Made while it is."""

    def __init__(self) -> None:
        path = ctypes.create_string_buffer(SCRATCH.encode())
        now = bytearray(_STATFS_BYTES)
        self.forget_times = libc.prepared("utimensat", _AT_FDCWD, path, (ctypes.c_long * 4)(), 0)
        self.look = libc.prepared("statfs", path, libc.address_in(now))
        self.now = now  # as `look` found it
        libc.check(self.look(), f"statfs of {SCRATCH}")
        self.empty = bytes(now)

    def used_kib(self) -> int:
        """What it held when it was last looked at."""
        block_bytes, blocks, free = struct.unpack_from("=QQQ", self.now, 8)
        return (blocks - free) * block_bytes // 1024


def clean_scratch() -> None:
    """Remove what a candidate left in SCRATCH, as far as that is possible."""
    folders = [SCRATCH]
    for folder in folders:  # it grows meanwhile
        for name in os.listdir(folder):
            entry = f"{folder}/{name}"
            try:
                os.unlink(entry)
            except IsADirectoryError:
                try:
                    os.rmdir(entry)  # an empty one may be one that cannot be listed
                except OSError:
                    folders.append(entry)
    for folder in reversed(folders[1:]):
        os.rmdir(folder)
