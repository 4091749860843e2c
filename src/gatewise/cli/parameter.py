"""Parameters of an estimator, read from its source: names, types, defaults and descriptions exist once, in its class.

Importing an estimator imports torch, which takes seconds. `--help` must not, so the class is parsed, never run.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from datetime import time as clock
from importlib.resources import files
from typing import Any, Final, Literal, get_args

from gatewise.errors import ConfigurationError, nearest


class Required:
    """The default of a parameter that has none."""

    def __repr__(self) -> str:
        return "required"


REQUIRED: Final = Required()
Kind = Literal["int", "float", "bool", "str", "names", "integers", "numbers", "weights"]
NONE = "none"  # how None is spelled in text and in TOML, which has no word for it
WHAT: Mapping[Kind, str] = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "names": "column names",
    "integers": "whole numbers",
    "numbers": "numbers",
    "weights": "a weight for each class, as a=1,b=2.5",
}
METAVARS: Mapping[Kind, str] = {
    "int": "N",
    "float": "X",
    "bool": "",
    "str": "TEXT",
    "names": "COL,...",
    "integers": "N,...",
    "numbers": "X,...",
    "weights": "A=X,...",
}


SEQUENCES: Mapping[str, Kind] = {"str": "names", "int": "integers", "float": "numbers"}


@dataclass(frozen=True)
class Parameter:
    """One parameter: what values it takes, and how it is read from the command line and from TOML.

    Attributes:
        name: as in Python; the option is `--name` with hyphens.
        kinds: what it takes, tried in this order.
        choices: the texts it takes, where only some are allowed.
        optional: whether None is a value.
        default: its value when nothing is given; `REQUIRED` where there is none.
        help: one or two sentences.

    >>> Parameter("horizon", ("int",), default=REQUIRED).from_text("12")
    12
    >>> Parameter("horizon", ("int",), default=REQUIRED).from_text("twelve")
    Traceback (most recent call last):
        ...
    gatewise.errors.ConfigurationError: --horizon is "twelve", expected a whole number
    """

    name: str
    kinds: tuple[Kind, ...]
    choices: tuple[str, ...] = ()
    optional: bool = False
    default: Any = None
    help: str = ""

    @property
    def flag(self) -> str:
        """The option on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def metavar(self) -> str:
        """What stands for the value in the help."""
        if self.choices and "weights" not in self.kinds:
            return "|".join(self.choices)
        return METAVARS[self.kinds[0]] if self.kinds else "TEXT"

    def expected(self) -> str:
        """What values are allowed, in words."""
        words = [WHAT[kind] for kind in self.kinds if kind != "str" or not self.choices]
        words += [f'"{choice}"' for choice in self.choices]
        if self.optional and "str" not in self.kinds:
            words.append(f'"{NONE}"')
        return " or ".join(words)

    def from_text(self, text: str) -> Any:
        """The value a text on the command line means.

        Raises:
            ConfigurationError: the text is none of what is allowed.
        """
        if text in self.choices:
            return text
        if self.optional and "str" not in self.kinds and text.lower() == NONE:
            return None
        for kind in self.kinds:
            if kind == "str" and self.choices:
                continue
            try:
                return _from_text(kind, text)
            except ValueError:
                continue
        raise self._refuse(self.flag, f'"{text}"', text)

    def from_toml(self, value: Any, where: str) -> Any:
        """The value an entry of a TOML file means; `where` names the file.

        Raises:
            ConfigurationError: the entry has another type.
        """
        if isinstance(value, str) and value in self.choices:
            return value
        if self.optional and "str" not in self.kinds and value == NONE:
            return None
        for kind in self.kinds:
            if kind == "str" and self.choices:
                continue
            if _is(kind, value):
                return tuple(value) if kind in ("names", "integers", "numbers") else value
        raise self._refuse(f"{where}: {self.name}", _to_toml(value), value)

    def to_toml(self, value: Any) -> str | None:
        """The line of a TOML file that gives this value; None where only leaving the key out does."""
        if value is None:
            return f'{self.name} = "{NONE}"' if self.default is not None and "str" not in self.kinds else None
        return f"{self.name} = {_to_toml(value)}"

    def _refuse(self, where: str, shown: str, value: Any) -> ConfigurationError:
        hint = ""
        if isinstance(value, str) and self.choices and "weights" not in self.kinds:
            hint = f": {nearest(value, self.choices)}"
        return ConfigurationError(f"{where} is {shown}, expected {self.expected()}{hint}")


def _from_text(kind: Kind, text: str) -> Any:
    match kind:
        case "int":
            return int(text)
        case "float":
            return float(text)
        case "bool":
            return {"true": True, "false": False}[text.lower()] if text.lower() in ("true", "false") else _no(text)
        case "str":
            return text
        case "names":
            return tuple(name.strip() for name in text.split(",") if name.strip()) or _no(text)
        case "integers":
            return tuple(int(number) for number in text.split(","))
        case "numbers":
            return tuple(float(number) for number in text.split(","))
        case "weights":
            pairs = [pair.rpartition("=") for pair in text.split(",")]
            return {label.strip() or _no(text): float(weight) for label, _, weight in pairs}


def _no(text: str) -> Any:
    raise ValueError(text)


def _is(kind: Kind, value: Any) -> bool:
    match kind:
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "bool":
            return isinstance(value, bool)
        case "str":
            return isinstance(value, str)
        case "names":
            return isinstance(value, list) and all(isinstance(name, str) for name in value)
        case "integers":
            return isinstance(value, list) and all(_is("int", number) for number in value)
        case "numbers":
            return isinstance(value, list) and all(_is("float", number) for number in value)
        case "weights":
            return isinstance(value, dict) and all(_is("float", weight) for weight in value.values())


def _to_toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, date | clock):
        return value.isoformat()
    if isinstance(value, str):
        return toml_text(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{toml_text(str(k))} = {_to_toml(v)}" for k, v in value.items()) + " }"
    return "[" + ", ".join(_to_toml(item) for item in value) + "]"


def toml_text(text: str) -> str:
    """A TOML basic string: quotes, backslashes and control characters escaped.

    >>> print(toml_text('say "hi"'))
    "say \\"hi\\""
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda match: f"\\u{ord(match[0]):04x}", escaped) + '"'


def read_parameters(file: str, class_name: str) -> tuple[Parameter, ...]:
    """The parameters of a class's constructor, from the source `file` inside the package (for example `tasks/x.py`).

    Defaults must be literals or module-level names of literals, types must be among those `Kind` names, and the class's
    docstring describes them under `Args:`. Anything else is a defect of the class and raises `TypeError`.
    """
    module = _parse(file)
    constants = _Constants(module)
    [class_] = [n for n in module.body if isinstance(n, ast.ClassDef) and n.name == class_name]
    [init] = [n for n in class_.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    described = _described(ast.get_docstring(class_) or "")
    arguments = init.args
    positional = [*arguments.posonlyargs, *arguments.args][1:]
    missing = len(positional) - len(arguments.defaults)
    pairs = [*zip(positional, [*[None] * missing, *arguments.defaults], strict=True)]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return tuple(_parameter(argument, default, constants, described) for argument, default in pairs)


def _parse(file: str) -> ast.Module:
    return ast.parse(files("gatewise").joinpath(file).read_text(encoding="utf-8"))


class _Constants:
    """What the names of a module stand for, its own and those it imports from this package."""

    def __init__(self, module: ast.Module) -> None:
        self._own = {
            target.id: statement.value
            for statement in module.body
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name)
        }
        self._files = {
            alias.asname or alias.name: (
                statement.module.removeprefix("gatewise.").replace(".", "/") + ".py",
                alias.name,
            )
            for statement in module.body
            if isinstance(statement, ast.ImportFrom) and statement.module and statement.module.startswith("gatewise.")
            for alias in statement.names
        }

    def __call__(self, expression: ast.expr) -> ast.expr:
        """The expression a name stands for; any other expression as it is."""
        if not isinstance(expression, ast.Name):
            return expression
        if expression.id in self._own:
            return self._own[expression.id]
        if expression.id in self._files:
            file, name = self._files[expression.id]
            return _Constants(_parse(file))(ast.Name(name))
        return expression


def _parameter(
    argument: ast.arg, default: ast.expr | None, constants: _Constants, described: Mapping[str, str]
) -> Parameter:
    if argument.annotation is None:
        raise TypeError(f"parameter {argument.arg} has no type")
    kinds: list[Kind] = []
    choices: list[str] = []
    optional = False
    for part in _union(argument.annotation, constants):
        text = ast.unparse(part)
        if text == "None":
            optional = True
        elif text.startswith("Literal["):
            choices += [choice for choice in ast.literal_eval(text[len("Literal") :]) if isinstance(choice, str)]
            kinds.append("str")
        else:
            kinds.append(_kind(text, argument.arg))
    kinds.sort(key=lambda kind: kind == "str")  # any text is a text, so it is tried last
    value: Any = REQUIRED
    if default is not None:
        value = ast.literal_eval(constants(default))
    return Parameter(argument.arg, tuple(kinds), tuple(choices), optional, value, described.get(argument.arg, ""))


def _union(annotation: ast.expr, constants: _Constants) -> list[ast.expr]:
    annotation = constants(annotation)
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return [*_union(annotation.left, constants), *_union(annotation.right, constants)]
    return [annotation]


def _kind(text: str, name: str) -> Kind:
    if text in ("int", "float", "bool", "str"):
        return text
    match = re.fullmatch(r"(?:tuple|list|Sequence|Iterable|Collection)\[(str|int|float)(?:, \.\.\.)?\]", text)
    if match:
        return SEQUENCES[match[1]]
    if text.startswith(("dict[", "Mapping[")):
        return "weights"
    raise TypeError(f"parameter {name} has the type {text}; the command line knows {', '.join(get_args(Kind))}")


def _described(docstring: str) -> dict[str, str]:
    """Name -> description, from the section `Args:` of a docstring (Google's style)."""
    section = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", docstring, re.DOTALL | re.MULTILINE)
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?= {4}\S)", "\n" + section[1].rstrip() if section else ""):
        names, _, text = entry.strip().partition(":")
        for name in names.split(","):
            if name.strip():
                found[name.strip()] = " ".join(text.split())
    return found
