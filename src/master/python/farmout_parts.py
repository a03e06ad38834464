"""What things of a configuration were made with, and what is in it: for the rules that look at it."""

from __future__ import annotations

import builtins
import functools
import inspect
from enum import IntEnum
from types import CodeType, FunctionType, MethodType
from typing import Any, Dict, FrozenSet, Iterable, Iterator, Optional, Set

OURS = {"buildbot", "farm", "twisted", "zope", "abc", "typing"}
"""Where those classes are from whose behaviour is known."""


class Answer(IntEnum):
    """What can be told without running anything. Only a sure `NO` makes an error."""

    NO = 0
    MAYBE = 1
    YES = 2


def foreign(kind: type) -> FrozenSet[type]:
    """A class and those that it is derived from, as far as they are an admin's or of somebody else's package: what they do is theirs
    to know. What master.cfg itself defines says that it is from `builtins`."""
    return frozenset(
        base
        for base in kind.__mro__
        if base.__module__.partition(".")[0] not in OURS and getattr(builtins, base.__name__, None) is not base
    )


def names(kind: type) -> Set[str]:
    """What a class and those that it is derived from are called."""
    return {base.__name__ for base in kind.__mro__}


def is_rendered(thing: Any) -> bool:
    """Whether its value is known in a build alone."""
    return hasattr(thing, "getRenderingFor")


def arguments(service: Any) -> Dict[str, Any]:
    """What a service was configured with, by name."""
    args, kwargs = getattr(service, "_config_args", ()), dict(getattr(service, "_config_kwargs", {}))
    try:
        bound = inspect.signature(service.checkConfig).bind_partial(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return kwargs
    return {**kwargs, **{name: value for name, value in bound.items() if name not in ("args", "kwargs")}}


def positional(kind: type, args: Iterable[Any]) -> Dict[str, Any]:
    """The names of arguments that were given by position; what a class does not name itself it hands on."""
    found: Dict[str, Any] = {}
    rest = tuple(args)
    for base in kind.__mro__:
        make = vars(base).get("__init__")
        if not rest or make is None:
            continue
        try:
            bound = inspect.signature(make).bind_partial(None, *rest)
        except (TypeError, ValueError):
            break
        rest = ()
        for name, value in list(bound.arguments.items())[1:]:
            if bound.signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
                rest = value
            else:
                found[name] = value
    return found


def of_step(factory: Any) -> Dict[str, Any]:
    """The arguments of a step, whichever way it got them: by position, by name, by its class, or by what its class makes of them."""
    kind: Any = factory.step_class
    found = {**positional(kind, factory.args), **factory.kwargs}
    try:
        step = factory.buildStep()
    except Exception:
        # Whoever makes a step that cannot be made hears of that from Buildbot.
        step = kind
    for name in {name for base in kind.__mro__ for name in vars(base).get("renderables", ())}:
        value = getattr(step, name, None)
        if value is not None and not isinstance(value, property):
            found[name] = value
    return found


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
    elif is_rendered(thing) or any(base.__module__.startswith("buildbot.") for base in type(thing).__mro__):
        parts = list(getattr(thing, "__dict__", {}).values())
    else:
        return
    for part in parts:
        yield from inside(part, depth - 1, seen)


def code_of(function: Any) -> Optional[CodeType]:
    """The code of a function that is written in Python."""
    if isinstance(function, (classmethod, staticmethod, MethodType)):
        function = function.__func__
    elif isinstance(function, (property, functools.partial)):
        function = function.fget if isinstance(function, property) else function.func
    code = getattr(inspect.unwrap(function), "__code__", None) if isinstance(function, FunctionType) else None
    return code if isinstance(code, CodeType) else None


def constants(code: CodeType) -> Iterator[str]:
    """The strings in a function."""
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from constants(constant)


def words(function: Any) -> Set[str]:
    """The names and the strings in a function, and in the functions in it."""
    code = code_of(function)
    if code is None:
        return set()
    nested = [part for part in code.co_consts if isinstance(part, CodeType)]
    return {*code.co_names, *constants(code), *(name for part in nested for name in part.co_names)}
