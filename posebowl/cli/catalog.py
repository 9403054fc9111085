"""All tasks, in the order in which they are needed."""

from __future__ import annotations

from typing import Final

from posebowl.cli.task import Task
from posebowl.cli.tasks import batch, data, host, images, loop, results, submission, training

TASKS: Final[tuple[Task, ...]] = (
    loop.try_out,
    loop.debug,
    loop.new,
    submission.pack,
    submission.check,
    submission.run,
    submission.stress,
    submission.score,
    batch.evaluate,
    batch.verify,
    batch.twins,
    submission.clean,
    results.history,
    results.compare,
    results.calibrate,
    host.diagnose,
    host.selftest,
    host.configuration,
    images.build,
    images.base,
    images.push,
    images.pull,
    images.shell,
    images.packages,
    data.render,
    data.check,
    data.unpack,
    data.make_format,
    data.manifest,
    training.train,
    training.evaluate,
    training.export,
    training.narrow,
)
