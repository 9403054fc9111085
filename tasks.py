"""Invoke tasks: what `invoke NAME` finds; each is in posebowl/commands."""

from __future__ import annotations

from invoke import Collection

from posebowl import typos
from posebowl.commands import benchmark, data, evaluation, images, machine, runs, submission

ns = Collection(
    submission.pack,
    submission.check,
    submission.run,
    submission.score,
    evaluation.evaluate,
    submission.clean,
    runs.history,
    runs.compare,
    machine.diagnose,
    machine.configuration,
    images.build,
    images.base,
    images.push,
    images.pull,
    images.shell,
    images.packages,
    Collection(
        "data",
        data.render,
        data.check_data,
        data.unpack_data,
        data.format_data,
        evaluation.manifest_data,
    ),
    Collection("benchmark", benchmark.train, benchmark.evaluate, benchmark.export),
)
typos.explain(ns)
