"""Types declared in TypeScript and in Python, brought to one canonical text so that they can be compared.

Interfaces, type aliases and constant lists of texts are read, which is all that `js/src/protocol.ts` is written in.
Anything else is refused, so that nothing stays uncompared. Numbers are one type, as in JSON.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import sys
import types
from collections.abc import Iterable
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

PRIMITIVES = ("string", "number", "boolean", "null")
OF_PYTHON = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}

Fields = dict[str, str]  # of an object: each field's type as text; the name of an optional field ends in "?"
Type = list["str | Fields"]  # the alternatives of a union, or one entry for any other type


def text_of(alternatives: Iterable[str | Fields]) -> str:
    """Write a type as text; the order of fields and of alternatives does not matter."""
    return " | ".join(sorted({one if isinstance(one, str) else _object(one) for one in alternatives}))


def _object(fields: Fields) -> str:
    return "{" + ", ".join(f"{name}: {fields[name]}" for name in sorted(fields)) + "}"


def _array(item: str) -> str:
    return f"({item})[]" if " | " in item else f"{item}[]"


# --- Python ----------------------------------------------------------------------------------------------------------


def fields_of(typed_dict: Any) -> Fields:
    """The fields of a TypedDict."""
    hints = get_type_hints(typed_dict, localns=_imported_for_types(sys.modules[typed_dict.__module__]))
    return {name + "?" * (name in typed_dict.__optional_keys__): text_of(type_of(hint)) for name, hint in hints.items()}


def type_of(annotation: Any) -> Type:
    """The type that values of an annotation have in JSON."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in OF_PYTHON:
        return [OF_PYTHON[annotation]]
    if is_typeddict(annotation):
        return [fields_of(annotation)]
    if origin is Literal:
        return [json.dumps(value) for value in arguments]
    if origin in (Union, types.UnionType):
        return [one for argument in arguments for one in type_of(argument)]
    if origin is list:
        return [_array(text_of(type_of(arguments[0])))]
    if origin is tuple:
        return ["[" + ", ".join(text_of(type_of(argument)) for argument in arguments) + "]"]
    return [f"Python's {annotation}"]  # says too little to be compared; equal to nothing in TypeScript


def _imported_for_types(module: types.ModuleType) -> dict[str, Any]:
    """The names that a module imports for type checkers only."""
    tree = ast.parse(inspect.getsource(module))
    guarded = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ]
    imports = [node for block in guarded for node in block.body if isinstance(node, ast.ImportFrom)]
    found: dict[str, Any] = {}
    for node in imports:
        source = importlib.import_module("." * node.level + (node.module or ""), module.__package__)
        found |= {alias.asname or alias.name: getattr(source, alias.name) for alias in node.names}
    return found


# --- TypeScript ------------------------------------------------------------------------------------------------------


class Declarations:
    """The exported declarations of a TypeScript file, each read when it is asked for."""

    def __init__(self, source: str) -> None:
        without_comments = re.sub(r"//[^\n]*|/\*.*?\*/", "", source, flags=re.DOTALL)
        self._tokens: list[str] = re.findall(r'"[^"\n]*"|[A-Za-z_$][\w$]*|\S', without_comments)
        self._at = 0
        self._starts: dict[str, tuple[str, int]] = {}
        for index, token in enumerate(self._tokens):
            if token == "export":
                kind, name = self._tokens[index + 1 : index + 3]
                if kind not in ("interface", "type", "const"):
                    raise ValueError(
                        f"export {kind} {name} cannot be compared with Python; declare an interface or a type"
                    )
                self._starts[name] = kind, index + 3

    def texts(self, name: str) -> list[str]:
        """The entries of a constant list of texts, or the literals of a union of texts."""
        found = self.alternatives(name)
        read = [json.loads(text_of([one])) for one in found]
        return list(read[0]) if self._starts[name][0] == "const" else read

    def fields(self, name: str) -> Fields:
        """The fields of an interface."""
        [only] = self.alternatives(name)
        assert isinstance(only, dict), f"{name} is no interface"
        return only

    def alternatives(self, name: str) -> Type:
        """The alternatives of a declaration, with every name in it replaced by its declaration."""
        back = self._at
        kind, self._at = self._starts[name]
        if kind != "interface":
            self._skip("=")
        found = self._union()
        if kind != "interface":
            self._expect({"type": ";", "const": "as"}[kind])
        self._at = back
        return found

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _skip(self, token: str) -> bool:
        is_there = self._tokens[self._at] == token
        self._at += is_there
        return is_there

    def _expect(self, token: str) -> None:
        found = self._next()
        if found != token:
            raise ValueError(f"{found} cannot be read where {token} is expected; declare a plain type")

    def _union(self) -> Type:
        self._skip("|")
        found = self._with_brackets()
        while self._skip("|"):
            found += self._with_brackets()
        return found

    def _with_brackets(self) -> Type:
        found = self._single()
        while self._skip("["):
            self._expect("]")
            found = [_array(text_of(found))]
        return found

    def _single(self) -> Type:
        token = self._next()
        if token.startswith('"') or token in PRIMITIVES:
            return [token]
        if token in self._starts:
            return self.alternatives(token)
        if token == "{":
            return [self._fields()]
        if token == "[":
            return [self._tuple()]
        if token == "(":
            found = self._union()
            self._expect(")")
            return found
        raise ValueError(f"{token} cannot be read as a type; declare a plain one")

    def _fields(self) -> Fields:
        found = {}
        while not self._skip("}"):
            name = self._next() + "?" * self._skip("?")
            self._expect(":")
            found[name] = text_of(self._union())
            if self._tokens[self._at] != "}":
                self._expect(";")
        return found

    def _tuple(self) -> str:
        found = []
        while not self._skip("]"):
            found.append(text_of(self._union()))
            self._skip(",")
        return f"[{', '.join(found)}]"
