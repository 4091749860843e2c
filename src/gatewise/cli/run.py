"""The folder of a training that is not done yet: what was asked for, and checkpoints to go on from.

It lies beside the model folder to be made, under its name with `.run` behind, and goes when the model is there.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from gatewise import disk
from gatewise.checksum import file_sha256, names_sha256
from gatewise.cli.configuration import parse_config, render_config, resolve
from gatewise.cli.parameter import Parameter
from gatewise.errors import CheckpointError
from gatewise.sealed import seal, unseal

if TYPE_CHECKING:
    from gatewise.training import Checkpoints, RunDirectory

SUFFIX, FILE = ".run", "run.json"
FORMAT, KIND = 1, "training run"
CHECKPOINT_EVERY = Parameter(
    "checkpoint_every", ("int", "str"), default="5m",
    help="How often the training is saved: a time (30s, 5m, 2h) or steps (200). Ctrl-C, SIGTERM and SIGUSR1 save it as "
    'well; "gatewise resume" goes on exactly there. "none": never, and Ctrl-C leaves the best model so far.',
)  # fmt: skip
KEEP = Parameter("keep", ("int",), default=2, help="How many checkpoints stay while it trains, the newest ones.")


@dataclass(frozen=True)
class Order:
    """What a training was asked to do.

    Attributes:
        task: its name.
        data: the file, as it was named.
        parameters: what can be set of the task.
        settings: their values.
        overwrite: whether a model folder that is there may be replaced.
        base: where paths begin that are not absolute.
    """

    task: str
    data: Path
    parameters: Sequence[Parameter]
    settings: Mapping[str, Any]
    overwrite: bool = False
    base: Path = field(default_factory=Path)

    def path(self, name: str | Path) -> Path:
        """Where a file that was named is."""
        return self.base / name

    @property
    def files(self) -> list[str]:
        """The files that are read, as they were named."""
        return [str(self.data), *([self.settings["test"]] if self.settings.get("test") else [])]


class TrainingRun:
    """A training, and its folder where it has one; leaving it as a context gives the folder back.

    Args:
        order: what is to be done.
        checkpoints: where and how the training is saved; None for nowhere.
        owned: the folder of a training that goes on, which is this process's already.
    """

    def __init__(self, order: Order, checkpoints: "Checkpoints | None", owned: "RunDirectory | None" = None) -> None:
        self.order, self._checkpoints, self._owned = order, checkpoints, owned
        self._is_new = owned is None
        self._folder: Path | None = None  # that another worker owns

    @classmethod
    def begin(cls, order: Order, out: Path) -> Self:
        """A new training, saved unless that is not wanted; nothing is written yet.

        Raises:
            CheckpointError: the place of its folder is taken.
            ConfigurationError: it cannot be saved that often.
        """
        settings = order.settings
        if settings["checkpoint_every"] == "none":
            return cls(order, None)
        from gatewise.training import Checkpoints

        folder = _beside(out)
        if (folder / FILE).exists() and not order.overwrite:
            raise CheckpointError(
                f"{folder} holds a training that is not done: gatewise resume {folder} goes on with it. To begin anew "
                "give --overwrite, which removes it, or another --out."
            )
        if folder.exists() and not (folder / FILE).exists() and not _is_empty(folder):
            raise CheckpointError(f"This training would be saved in {folder}, but something else is there: move it.")
        return cls(order, Checkpoints(folder, every=settings["checkpoint_every"], keep=settings["keep"]))

    @classmethod
    def resume(
        cls, folder: Path, parameters: Mapping[str, Sequence[Parameter]], data: Path | None, *,
        finish: bool, allow_changed_data: bool, overwrite: bool,
    ) -> Self:  # fmt: skip
        """A training that is in its folder.

        Args:
            folder: of the training.
            parameters: of each task.
            data: where the data are now, if that is elsewhere.
            finish: see `Checkpoints`.
            allow_changed_data: see there.
            overwrite: whether a model folder may be replaced, even if it was not to be when the training began.

        Raises:
            CheckpointError: there is no training in it, it is damaged, or its data are not what they were.
        """
        from gatewise.training import Checkpoints, RunDirectory

        if not (folder / FILE).is_file():
            beside = _beside(folder)
            hint = f": did you mean {beside}?" if (beside / FILE).is_file() else ""
            raise CheckpointError(f"There is no training in {folder} that could go on (no {FILE} in it){hint}")
        owned = RunDirectory(folder).own()
        try:
            order, every, keep = _read(folder / FILE, parameters, data, allow_changed_data, overwrite)
            options = Checkpoints(owned, every, keep, finish, allow_changed_data)
            return cls(order, options, owned)
        except BaseException:
            owned.release()
            raise

    @classmethod
    def follow(
        cls, folder: Path, parameters: Mapping[str, Sequence[Parameter]], data: Path | None, *,
        finish: bool, allow_changed_data: bool, overwrite: bool,
    ) -> Self:  # fmt: skip
        """The training in a folder that another worker resumes, which owns it. Takes and raises what `resume` does."""
        if not (folder / FILE).is_file():
            raise CheckpointError(f"There is no training in {folder} that could go on (no {FILE} in it)")
        order, *_ = _read(folder / FILE, parameters, data, allow_changed_data, overwrite)
        run = cls(order, None)
        run._folder = folder
        return run

    def start(self) -> "Checkpoints | None":
        """Make and own the folder of a new training; where and how the training is saved.

        Raises:
            CheckpointError: it cannot be made, or belongs to another process.
        """
        options = self._checkpoints
        if options is None or self._owned is not None:
            return options
        from gatewise.training import RunDirectory

        self._owned = RunDirectory(str(options.directory)).own()
        if (self._owned.path / FILE).exists():  # as --overwrite has it
            self._owned.discard(FILE)
            self._owned.release()
            self._owned.own()
        disk.write_file(self._owned.path / FILE, _written(self.order))
        self._checkpoints = replace(options, directory=self._owned)
        return self._checkpoints

    @property
    def out(self) -> Path:
        """The model folder of a training that is resumed: beside its folder."""
        folder = self._folder if self._owned is None else self._owned.path
        assert folder is not None
        return folder.with_name(folder.name.removesuffix(SUFFIX))

    def done(self) -> None:
        """The model is there: the folder goes, unless its run was ended early and can still go on."""
        if self._owned is not None and self._checkpoints is not None and not self._checkpoints.finish:
            self._owned.discard(FILE)

    @property
    def again(self) -> str | None:
        """The command that goes on with a training of which a model was made early; None if it was not saved."""
        if self._owned is None:
            return None
        return shlex.join(["gatewise", "resume", str(self._owned.path), "--overwrite"])

    @property
    def saved(self) -> bool:
        """Whether there is something to go on from."""
        return self._owned is not None and self._owned.path.exists()

    def how_to_go_on(self) -> str:
        """What to say of a training that was interrupted."""
        if self._owned is None or not self.saved:
            return "interrupted before the first step was done: there is no model yet, and nothing was written"
        again = shlex.join(["gatewise", "resume", str(self._owned.path)])
        return (
            f"interrupted: the training is saved in {self._owned.path}. To go on exactly there:\n  {again}\n"
            f"For a model of what is trained so far:\n  {again} --finish"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owned is None:
            return
        # The first checkpoint is of a training that has done nothing yet.
        if kind is not None and self._is_new and max(self._owned.checkpoints(), default=0) <= 1:
            self._owned.discard(FILE)
        self._owned.release()


class _Written(BaseModel):
    """What `run.json` holds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    task: str
    data: str
    config: str
    overwrite: bool
    base: str
    files: dict[str, str]


def _written(order: Order) -> bytes:
    content = _Written(
        task=order.task,
        data=str(order.data),
        config=render_config(order.parameters, order.settings, order.task, "gatewise resume ..."),
        overwrite=order.overwrite,
        base=str(order.base.absolute()),
        files={name: _sha256(order.path(name)) for name in order.files},
    )
    return seal(KIND, FORMAT, content.model_dump())


def _read(
    path: Path,
    parameters: Mapping[str, Sequence[Parameter]],
    data: Path | None,
    allow_changed_data: bool,
    overwrite: bool,
) -> tuple[Order, str | int, int]:
    content = unseal(path, path.read_bytes(), KIND, FORMAT)
    try:
        found = _Written.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise CheckpointError(f"{path} was altered: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if found.task not in parameters:
        raise CheckpointError(f'{path} is of the unknown task "{found.task}": upgrade gatewise')
    own = parameters[found.task]
    settings = resolve(own, {}, parse_config(found.config, own, found.task, str(path)))
    where = Path(found.data) if data is None else data.absolute()
    order = Order(found.task, where, own, settings, found.overwrite or overwrite, Path(found.base))
    for name, then in found.files.items():
        now = order.path(where if name == found.data else name)
        if not now.exists():
            moved = "; give its place now with --data" if name == found.data else ""
            raise CheckpointError(f'The training reads "{now}", which is not there{moved}')
        if _sha256(now) != then and not allow_changed_data:
            raise CheckpointError(
                f'"{now}" is not what it was when the training began (its sha256 differs). Give the file of then, '
                "train anew, or force it with --allow-changed-data: what follows is then of neither file alone."
            )
    return order, settings["checkpoint_every"], settings["keep"]


def _sha256(path: Path) -> str:
    """Of a file what is in it, of a folder the names of its files: the fit looks at what they hold."""
    return names_sha256(path) if path.is_dir() else file_sha256(path)


def _beside(out: Path) -> Path:
    named = out if out.name not in ("", "..") else out.resolve()
    return named.with_name(named.name + SUFFIX)


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
