"""Settings of a training: the command line over a TOML file over the defaults, and the file that records them."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gatewise.cli.parameter import REQUIRED, Parameter, toml_text
from gatewise.errors import ConfigurationError, nearest
from gatewise.version import __version__

TASK = "task"


def read_config(path: Path, parameters: Sequence[Parameter], task: str) -> dict[str, Any]:
    """The values a TOML file gives, name -> value.

    Raises:
        ConfigurationError: no such file, no TOML, an unknown key, a value of another type, or another task's file.
    """
    where = f'"{path}"'
    if path.is_dir():
        raise ConfigurationError(f"{where} is a folder; expected a TOML file with settings, such as a train.toml")
    if not path.is_file():
        there = [entry.name for entry in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise ConfigurationError(f"no configuration file {where}: {nearest(path.name, there)}")
    try:
        return parse_config(path.read_text(encoding="utf-8"), parameters, task, where)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{where} is not UTF-8 text: byte {error.start} {error.reason}") from error


def parse_config(text: str, parameters: Sequence[Parameter], task: str, where: str) -> dict[str, Any]:
    """The values a TOML text gives, name -> value; `where` is what messages call it.

    Raises:
        ConfigurationError: no TOML, an unknown key, a value of another type, or another task's text.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where} is not valid TOML: {error}") from error
    written_for = found.pop(TASK, task)
    if written_for != task:
        raise ConfigurationError(f"{where} is for the task {written_for!r}, but this command trains {task!r}")
    known = {parameter.name: parameter for parameter in parameters}
    for name in found:
        if name not in known:
            raise ConfigurationError(f'{where} has an unknown key "{name}": {nearest(name, known)}')
    return {name: known[name].from_toml(value, where) for name, value in found.items()}


def resolve(
    parameters: Sequence[Parameter], given: Mapping[str, str | Sequence[str] | bool | None], config: Mapping[str, Any]
) -> dict[str, Any]:
    """Every parameter's value: from the command line (`given`, None where absent), else `config`, else the default.

    Raises:
        ConfigurationError: a text that does not fit, or a required parameter that nothing gives.
    """
    values: dict[str, Any] = {}
    for parameter in parameters:
        name, text = parameter.name, given.get(parameter.name)
        if isinstance(text, bool):
            values[name] = text
        elif text is not None and not isinstance(text, str):
            # the option may be repeated and each time hold several names
            values[name] = parameter.from_text(",".join(text)) if text else config.get(name, parameter.default)
        elif text is not None:
            values[name] = parameter.from_text(text)
        else:
            values[name] = config.get(name, parameter.default)
    missing = [parameter.flag for parameter in parameters if values[parameter.name] is REQUIRED]
    if missing:
        what = "them" if len(missing) > 1 else "it"
        raise ConfigurationError(f"missing {' and '.join(missing)}: give {what} here, or in a --config file")
    return values


def render_config(parameters: Sequence[Parameter], values: Mapping[str, Any], task: str, command: str) -> str:
    """The text of a TOML file from which `read_config` reads exactly these values."""
    lines = [
        f"# Every setting of this training, by gatewise {__version__}. To repeat it:",
        f"# {' '.join(command.split())}",
        f"{TASK} = {toml_text(task)}",
    ]
    for parameter in parameters:
        line = parameter.to_toml(values[parameter.name])
        lines.append(f"# {parameter.name} is not set" if line is None else line)
    return "\n".join(lines) + "\n"
