"""Directories on workers that builders share, and files of the master's that steps may write."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from buildbot.locks import LockAccess
from buildbot.process.properties import Interpolate
from farmout_parts import Answer, foreign, is_rendered, names


class Shared(NamedTuple):
    """Two builders that have one directory on a worker."""

    first: Any
    second: Any
    worker: str
    together: bool
    """Whether nothing keeps them from building in it at the same time."""


def shared(builders: Iterable[Any], workers: Dict[str, Any]) -> Iterator[Shared]:
    """Directories that are not one builder's own, each builder once."""
    directories: Dict[Tuple[str, str], List[Any]] = {}
    for builder in builders:
        found: List[Shared] = []
        for name in builder.workernames:
            others = directories.setdefault((name, builder.workerbuilddir), [])
            # Two of one name are one too many, which Buildbot itself says.
            if all(other.name != builder.name for other in others):
                found += [Shared(other, builder, name, together(other, builder, workers.get(name))) for other in others]
                others.append(builder)
        if found:
            yield next((one for one in found if one.together), found[0])


def together(first: Any, second: Any, worker: Any) -> bool:
    """Whether builds of both may be at work on a worker at the same time."""
    one, other = accesses(first), accesses(second)
    if getattr(worker, "max_builds", None) == 1 or one is None or other is None:
        return False
    if any(getattr(builder, "canStartBuild", None) for builder in (first, second)):
        return False
    own = [access for access in getattr(worker, "access", None) or () if isinstance(access, LockAccess)]
    pairs = [(mine, theirs) for mine in one for theirs in other] + [(access, access) for access in own]
    return not any(apart(mine, theirs, worker) for mine, theirs in pairs)


def accesses(builder: Any) -> Optional[List[Any]]:
    """The locks that builds hold; none if only a build knows."""
    if is_rendered(builder.locks):
        return None
    return [lock if isinstance(lock, LockAccess) else lock.defaultAccess() for lock in builder.locks]


def apart(mine: Any, theirs: Any, worker: Any) -> bool:
    """Whether who holds a lock in one way keeps others from holding it in the other way."""
    lock, other = mine.lockid, theirs.lockid
    if (type(lock), lock.name) != (type(other), other.name) or not mine.count or not theirs.count:
        return False
    most = getattr(lock, "maxCountForWorker", {}).get(getattr(worker, "name", None), lock.maxCount)
    return "exclusive" in (mine.mode, theirs.mode) or mine.count + theirs.count > most


class Written:
    """Where on the master steps may write."""

    def __init__(self, steps: Iterable[Tuple[type, Dict[str, Any]]]) -> None:
        self.anywhere = False
        self.paths = set()
        self.starts = set()
        for kind, arguments in steps:
            # What commands and code of the admin's write on the master is theirs to know.
            own = any("run" in vars(base) for base in foreign(kind))
            self.anywhere |= own or "MasterShellCommand" in names(kind)
            if "PlanStep" in names(kind):
                self.paths.add(os.path.abspath("uploads"))
            path = arguments.get("masterdest")
            if isinstance(path, str):
                self.paths.add(os.path.abspath(os.path.expanduser(path)))
            elif isinstance(path, Interpolate):
                folder, name = os.path.split(path.fmtstring.partition("%")[0])
                self.starts.add(os.path.join(os.path.abspath(folder), name))
            elif path is not None:
                self.anywhere = True

    def has(self, path: str) -> Answer:
        """Whether a file may be there once steps have run."""
        path = os.path.abspath(os.path.expanduser(path))
        below = any(path == folder or path.startswith(folder + os.sep) for folder in self.paths)
        begun = any(path.startswith(start) for start in self.starts)
        return Answer.MAYBE if self.anywhere or below or begun else Answer.NO
