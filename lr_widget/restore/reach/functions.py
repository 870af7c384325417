"""References of functions: closures, defaults, the globals that their code names; and undo for those that it sets."""

from __future__ import annotations

import gc
import opcode
import sys
import threading
import weakref
from collections import ChainMap
from contextvars import ContextVar
from functools import cache, cached_property, lru_cache, partial, partialmethod, singledispatchmethod
from itertools import chain
from pathlib import PurePath
from types import BuiltinMethodType, CellType, CodeType, FunctionType, MethodType, MethodWrapperType, ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..containers import is_note, refill_but_notes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..containers import Undo

_OWN_PACKAGE = __name__.partition(".")[0]
_CACHED_FUNCTION = type(lru_cache(lambda: None))


@cache
def is_library(module: str) -> bool:
    """Return True for the name of a module that is installed: of the standard library, of a package, or of this one."""
    top = module.partition(".")[0]
    if top == "__main__":  # a notebook or a script, although started by a package with `python -m`
        return False
    if top == _OWN_PACKAGE or top in sys.stdlib_module_names:
        return True
    spec = vars(sys.modules[top]).get("__spec__") if top in sys.modules else None
    places = [] if spec is None else [spec.origin or "", *(spec.submodule_search_locations or ())]
    return any({"site-packages", "dist-packages"} & {*PurePath(place).parts} for place in places)


def is_own(module: str) -> bool:
    """Return True for the name of a module of this package."""
    return module.partition(".")[0] == _OWN_PACKAGE


def module_of(function: FunctionType) -> str:
    """Return the name of the module whose globals the function sees."""
    return str(function.__globals__.get("__name__", ""))


# The parts of objects of C or of the standard library that call, or lead to, something of the user's.
_PARTS: dict[type, Callable[[Any], Iterable[Any]]] = {
    MethodType: lambda it: (it.__self__, it.__func__),
    BuiltinMethodType: lambda it: (it.__self__,),
    MethodWrapperType: lambda it: (it.__self__,),
    partial: lambda it: (it.func, *it.args, *it.keywords.values()),
    partialmethod: lambda it: (it.func, *it.args, *it.keywords.values()),
    _CACHED_FUNCTION: gc.get_referents,  # the function and the answers that it keeps
    staticmethod: lambda it: (it.__func__,),
    classmethod: lambda it: (it.__func__,),
    property: lambda it: (it.fget, it.fset, it.fdel),
    cached_property: lambda it: (it.func,),
    singledispatchmethod: lambda it: (it.dispatcher, it.func),
    weakref.ref: lambda it: (it(),),
    ContextVar: lambda it: (it.get(None),),
    threading.local: lambda it: vars(it).values(),
    ChainMap: lambda it: it.maps,
}


def parts(value: Any) -> Iterable[Any] | None:
    """Return the parts of a bound method, partial, property, weak reference or the like; None for anything else."""
    kind = type(value)
    found = _PARTS.get(kind)
    if found is None and issubclass(kind, (partial, threading.local)):
        found = _PARTS[partial if issubclass(kind, partial) else threading.local]
    return None if found is None else found(value)


def references(function: FunctionType, *, sees_globals: bool) -> Iterator[tuple[str, Any]]:
    """Yield the objects that a function refers to, each with its place as text.

    Of a module, these are the attributes that the function's code names.

    Args:
        function: the function.
        sees_globals: also yield the globals that its code names.
    """
    code = function.__code__
    named = [(f".{name}", c.cell_contents) for name, c in _cells(function) if is_filled(c)]
    named += [(".<default>", value) for value in function.__defaults__ or ()]
    named += [
        (f".{name}", value) for name, value in (*(function.__kwdefaults__ or {}).items(), *vars(function).items())
    ]
    if sees_globals:
        names = sorted(_names(code)[0])  # a set has another order in another process
        named += [(f".{name}", value) for name in names for value in _values(name, function.__globals__)]
    attributes: set[str] | None = None
    for place, value in named:
        if issubclass(type(value), ModuleType):
            attributes = {*_all_names(code)} if attributes is None else attributes
            yield from _named_in(value, place, attributes, set())
        else:
            yield place, value


def _cells(function: FunctionType) -> Iterator[tuple[str, CellType]]:
    return zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)


def is_filled(cell: CellType) -> bool:
    """Return False for the cell of a variable that has no value yet."""
    try:
        cell.cell_contents  # noqa: B018  # it raises where the cell is empty
    except ValueError:
        return False
    return True


def function_undo(function: FunctionType) -> Undo:
    """Return an undo for a function's attributes and for the variables that its code sets outside of itself.

    Notes stay, as in the containers that a function names: `calls += 1` is the user's record of the test.
    """
    attributes = dict(vars(function))
    _, stored, freed = _names(function.__code__)
    names = function.__globals__
    in_globals = [(name, name in names, names.get(name)) for name in stored]
    cells = [(cell, is_filled(cell) and [cell.cell_contents]) for name, cell in _cells(function) if name in freed]

    def undo() -> None:
        refill_but_notes(vars(function), attributes)
        for name, was_there, value in in_globals:
            if is_note(names.get(name)) and is_note(value):
                continue
            if was_there:
                names[name] = value
            else:
                names.pop(name, None)
        for cell, saved in cells:
            if saved and not (is_filled(cell) and is_note(cell.cell_contents) and is_note(saved[0])):
                cell.cell_contents = saved[0]
            elif not saved and is_filled(cell) and not is_note(cell.cell_contents):
                del cell.cell_contents

    return undo


def class_undo(cls: type) -> Undo:
    """Return an undo for the attributes of a class, notes and names with double underscores left out."""
    saved = dict(_class_attributes(cls))

    def undo() -> None:
        for name, value in _class_attributes(cls):
            if is_note(value) and is_note(saved.get(name)):
                continue
            if name not in saved:
                type.__delattr__(cls, name)
            elif value is not saved[name]:
                type.__setattr__(cls, name, saved[name])
        for name in saved.keys() - vars(cls).keys():
            type.__setattr__(cls, name, saved[name])

    return undo


def class_references(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield the methods and attributes of a class, each with its place as text."""
    for name, value in dict(vars(cls)).items():
        if name not in ("__dict__", "__weakref__", "__annotations__"):
            yield f".{name}", value


def _class_attributes(cls: type) -> list[tuple[str, Any]]:
    # Not methods and properties: code may be reloaded or patched by another cell meanwhile.
    return [(n, v) for n, v in dict(vars(cls)).items() if not n.startswith("__") and not hasattr(type(v), "__get__")]


# Only these dicts list the hooks of all modules and optimizers of the process; torch has no public name for them.
_HOOKS_OF_ALL = (
    *((nn.Module, f"_global_{kind}_hooks") for kind in ("forward", "forward_pre", "backward", "backward_pre")),
    *((torch.optim.Optimizer, f"_global_optimizer_{kind}_hooks") for kind in ("pre", "post")),
)


def hooks_of_all() -> Iterator[Any]:
    """Yield the hooks that are registered for all modules and optimizers of the process."""
    for cls, name in _HOOKS_OF_ALL:
        yield from dict(vars(sys.modules[cls.__module__]).get(name, {})).values()


# --- the names in code -----------------------------------------------------------------------------------------------

_LOADS = {opcode.opmap[name] for name in ("LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS") if name in opcode.opmap}
_LOAD_GLOBAL, _STORE_GLOBAL = opcode.opmap["LOAD_GLOBAL"], opcode.opmap["STORE_GLOBAL"]
_STORE_DEREF, _IMPORT, _LONG = (opcode.opmap[name] for name in ("STORE_DEREF", "IMPORT_NAME", "EXTENDED_ARG"))
_IS_3_10 = sys.version_info < (3, 11)


@lru_cache(maxsize=10_000)  # every sweep walks again
def _names(code: CodeType) -> tuple[set[str], set[str], set[str]]:
    """Return the names of globals read or imported, globals set, and free variables set, in nested code, too."""
    read: set[str] = set()
    stored: set[str] = set()
    freed: set[str] = set()
    for op, arg in _instructions(code):
        if op == _LOAD_GLOBAL:
            read.add(code.co_names[arg if _IS_3_10 else arg >> 1])  # the lowest bit is a flag
        elif op in _LOADS or op == _IMPORT:
            read.add(code.co_names[arg])
        elif op == _STORE_GLOBAL:
            stored.add(code.co_names[arg])
        elif op == _STORE_DEREF and (name := _free_variable(code, arg)):
            freed.add(name)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            more_read, more_stored, more_freed = _names(constant)
            read |= more_read
            stored |= more_stored
            freed |= more_freed & {*code.co_freevars}
    return read, stored, freed


def _instructions(code: CodeType) -> Iterator[tuple[int, int]]:
    """Yield the operations and their arguments; `dis` would take ten times as long."""
    raw, high = code.co_code, 0
    for op, low in zip(raw[::2], raw[1::2], strict=True):
        arg, high = high | low, 0
        if op == _LONG:
            high = arg << 8
        else:
            yield op, arg


def _free_variable(code: CodeType, arg: int) -> str | None:
    """Return the name of a variable of an enclosing function by its number; None for a variable of the code's own."""
    own = code.co_cellvars if _IS_3_10 else {*code.co_varnames, *code.co_cellvars}
    return code.co_freevars[arg - len(own)] if arg >= len(own) else None


def _values(name: str, names: dict[str, Any]) -> list[Any]:
    """Return the value of a global, or the modules that an import in the function may mean."""
    if name in names:
        return [names[name]]
    return [sys.modules.get(name), sys.modules.get(f"{names.get('__package__') or ''}.{name}")]


def _named_in(module: ModuleType, place: str, attributes: set[str], seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yield the values of these attributes in a module of the user's, and in the modules among them."""
    if id(module) in seen or is_library(str(vars(module).get("__name__", ""))):
        return
    seen.add(id(module))
    for name in sorted(attributes & vars(module).keys()):
        value = vars(module)[name]
        if issubclass(type(value), ModuleType):
            yield from _named_in(value, f"{place}.{name}", attributes, seen)
        else:
            yield f"{place}.{name}", value


def _all_names(code: CodeType) -> Iterator[str]:
    """Iterate over the names of globals and attributes in the code and in the functions defined within it."""
    nested = (_all_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return chain(code.co_names, *nested)
