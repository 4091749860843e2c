"""Parameters as options of a command: names, panels and help of the command line."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from gatewise.cli.parameter import REQUIRED, Parameter

Given = Mapping[str, str | Sequence[str] | bool | None]  # what the command line says, by names of parameters
PANELS: Mapping[str, str] = {
    **dict.fromkeys(("target", "horizon", "time", "id", "past", "future", "static", "label", "channels"), "Columns"),
    **dict.fromkeys(("inputs", "height", "text", "unit", "pieces", "alphabet", "events", "piece"), "Data"),
    **dict.fromkeys(("gaps", "duplicates", "holdout", "test", "validation", "groups"), "Data"),
    **dict.fromkeys(("max_epochs", "max_minutes", "seed", "threads", "device", "init_from"), "Run"),
    **dict.fromkeys(("checkpoint_every", "keep", "leaderboard"), "Run"),
}
DEFAULT_PANEL = "Model and training"
ORDER = ("Columns", "Data", DEFAULT_PANEL, "Run")


def option(parameter: Parameter) -> inspect.Parameter:
    """The parameter as one of a command function's own, which typer reads.

    Texts are passed on as they are, so that the command line and the configuration file share one set of checks; a
    default of None says that the option was not given.
    """
    default = parameter.default
    text = parameter.help.replace("[", r"\[")  # typer reads brackets as markup
    if default is REQUIRED:
        text = f"{text} (required)"
    elif default is not None and default != ():
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
        text = f"{text} (default: {shown})"
    boolean, repeatable = parameter.kinds == ("bool",), parameter.kinds[0] == "names"
    flag = f"{parameter.flag}/--no-{parameter.flag.removeprefix('--')}" if boolean else parameter.flag
    given = typer.Option(
        flag,
        help=text,
        metavar=None if boolean else parameter.metavar,
        show_default=False,
        rich_help_panel=_panel(parameter.name),
    )
    kind = bool if boolean else list[str] if repeatable else str
    return inspect.Parameter(
        parameter.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, given]
    )


def with_options(function: Callable[..., Any], parameters: Sequence[Parameter]) -> Callable[..., Any]:
    """A command that takes the function's own options and the parameters; it passes those on as one mapping, `given`.

    The function's parameter `given` is what they replace.
    """
    own = [p for p in inspect.signature(function, eval_str=True).parameters.values() if p.name != "given"]
    names = [parameter.name for parameter in parameters]

    def command(**values: Any) -> Any:
        given = {name: values.pop(name) for name in names}
        return function(given=given, **values)

    own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    # panels appear in the help in the order of their first options: what to learn comes before where to put it
    given = sorted(map(option, parameters), key=lambda p: ORDER.index(_panel(p.name)))
    command.__signature__ = inspect.Signature([own[0], *given, *own[1:]])  # type: ignore[attr-defined]
    command.__doc__ = function.__doc__
    command.__name__ = function.__name__
    return command


def _panel(name: str) -> str:
    return PANELS.get(name, DEFAULT_PANEL)
