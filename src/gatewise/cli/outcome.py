"""What a training leaves: a model folder with its report, its settings and its log, and what is said of it."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.cli.configuration import render_config
from gatewise.cli.output import print_facts, print_json, print_metrics, print_note
from gatewise.cli.run import TrainingRun
from gatewise.cli.trained import REPORT_CONTENT

if TYPE_CHECKING:
    from gatewise.reports import Report
    from gatewise.tasks.classification import Classifier
    from gatewise.tasks.forecasting import Forecaster
    from gatewise.tasks.generation import Generator
    from gatewise.tasks.labelling import Labeller
    from gatewise.tasks.transcription import Transcriber

CONFIG, REPORT, LOG = "train.toml", "report.html", "log.jsonl"
INTERRUPTED = 130  # as shells say of a command that Ctrl-C ended


@dataclass(frozen=True)
class Destination:
    """Where a training leaves its model, and how it speaks.

    Attributes:
        out: the model folder to make.
        overwrite: whether a model folder there may be replaced.
        as_json: whether to print one JSON object instead of tables.
        quiet: whether to leave out progress and notes.
        dry_run: whether only to say what would be trained.
        find_rate: whether only to look for a learning rate.
    """

    out: Path
    overwrite: bool = False
    as_json: bool = False
    quiet: bool = False
    dry_run: bool = False
    find_rate: bool = False

    @property
    def trains(self) -> bool:
        """Whether there will be a model."""
        return not (self.dry_run or self.find_rate)


@dataclass(frozen=True)
class Outcome:
    """A training that has ended: what is left is to write its model folder and to say so.

    Attributes:
        run: the training.
        to: where the model goes.
        seconds: that it took; of a training that went on, since then.
    """

    run: TrainingRun
    to: Destination
    seconds: float

    def finish(
        self,
        estimator: "Forecaster | Classifier | Generator | Labeller | Transcriber",
        report: "Report",
        held_out: Mapping[str, Any] | None,
        held_out_name: str,
    ) -> int:
        """Write the model folder with its report, settings and log; the exit code."""
        from gatewise.reports import render

        out, order = self.to.out, self.run.order
        command = ["gatewise", "train", order.task, str(order.data), "--config", str(out / CONFIG)]
        extra = {
            CONFIG: render_config(order.parameters, order.settings, order.task, shlex.join([*command, "--out", "..."])),
            REPORT: render(report),
            REPORT_CONTENT: json.dumps(report.to_dict()) + "\n",
            LOG: _log(estimator.history_),
        }
        metrics = {} if held_out is None else {"held_out": held_out}
        estimator.save(out, overwrite=self.to.overwrite, metrics=metrics, extra=extra)
        scores, where = (estimator.validation_, "the validation part of the training rows")
        if held_out is not None:
            scores, where = held_out, held_out_name
        if self.to.as_json:
            print_json(
                {
                    "task": order.task,
                    "data": str(order.data),
                    "model": str(out),
                    "report": str(out / REPORT),
                    "config": str(out / CONFIG),
                    "evaluated_on": "held_out" if held_out is not None else "validation" if scores else None,
                    "metrics": scores,
                    "validation": estimator.validation_,
                    "notes": estimator.notes_,
                    "interrupted": estimator.interrupted_,
                    "seconds": round(self.seconds, 3),
                }
            )
        else:
            if not self.to.quiet:
                for note in estimator.notes_:
                    print_note(f"- {note}")
            if scores:
                print_metrics(scores, f"On {where}")
            predict = ["gatewise", "predict", str(out), str(order.data), "--out", "predictions.csv"]
            if order.task == "generate":
                predict = ["gatewise", "generate", str(out)]
            print_facts(
                {
                    "model": str(out),
                    "report": str(out / REPORT),
                    "settings": str(out / CONFIG),
                    "trained in": f"{self.seconds:.1f} s",
                    "next": shlex.join(predict),
                }
            )
        if estimator.interrupted_:
            again = self.run.again or shlex.join([*command, "--init-from", str(out), "--out", f"{out}-continued"])
            print_note(f"interrupted: the best model so far is in {out}. To continue from it:\n  {again}")
            return INTERRUPTED
        return 0


def _log(history: Sequence[Mapping[str, Any]]) -> str:
    """One JSON line an epoch, with the run it belongs to."""
    rows = [{"run": run["name"], **row} for run in history for row in run["epochs"]]
    return "".join(json.dumps(row) + "\n" for row in rows)
