"""What things of a configuration were made with, and what is in it: for the rules that look at it."""

from __future__ import annotations

import inspect
from types import CodeType
from typing import Any, Dict, Iterable, Iterator, Optional, Set


def arguments(service: Any) -> Dict[str, Any]:
    """What a service was configured with, by name."""
    args, kwargs = getattr(service, "_config_args", ()), dict(getattr(service, "_config_kwargs", {}))
    try:
        bound = inspect.signature(service.checkConfig).bind_partial(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return kwargs
    return {**kwargs, **{name: value for name, value in bound.items() if name not in ("args", "kwargs")}}


def inside(thing: Any, depth: int = 10, seen: Optional[Set[int]] = None) -> Iterator[Any]:
    """A value and all that is in it."""
    seen = set() if seen is None else seen
    if depth == 0 or id(thing) in seen or isinstance(thing, (str, bytes, int, float, type(None))):
        return
    seen.add(id(thing))
    yield thing
    if isinstance(thing, dict):
        parts: Iterable[Any] = [*thing.keys(), *thing.values()]
    elif isinstance(thing, (list, tuple, set, frozenset)):
        parts = thing
    elif hasattr(thing, "getRenderingFor") or type(thing).__module__.startswith("buildbot."):
        parts = list(getattr(thing, "__dict__", {}).values())
    else:
        return
    for part in parts:
        yield from inside(part, depth - 1, seen)


def constants(code: CodeType) -> Iterator[str]:
    """The strings in a function."""
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from constants(constant)
