"""Invoke tasks: what `invoke NAME` finds; each is in posebowl/cli/tasks."""

from __future__ import annotations

from invoke import Collection

from posebowl.cli import suggest
from posebowl.cli.tasks import batch, data, host, images, results, submission, training

ns = Collection(
    submission.pack,
    submission.check,
    submission.run,
    submission.score,
    batch.evaluate,
    submission.clean,
    results.history,
    results.compare,
    host.diagnose,
    host.configuration,
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
        batch.manifest_data,
    ),
    Collection("benchmark", training.train, training.evaluate, training.export),
)
suggest.explain(ns)
