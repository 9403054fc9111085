"""Programs that an engine must survive, each with the verdict that it must get.

The short ones are the library's own, which `engines.self_check` runs too.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from posebowl.engines.case import OK, Case, python
from posebowl.engines.cases import CASES, HOG, MIB
from posebowl.errors import Verdict

__all__ = ["HOG", "OK", "PROGRAMS", "Case", "python"]

PROGRAMS: Final = (
    *CASES,
    Case(
        name="segv_in_python",
        main="python -c 'import ctypes; ctypes.string_at(0)'",
        verdict=Verdict.SIGNALED,
        signal=11,
    ),
    Case(
        name="stopped",
        main=OK + "kill -STOP $$",
        verdict=Verdict.TIME_LIMIT,
        limits={"wall_time_s": 1.0, "grace_s": 1.0},
    ),
    Case(
        name="hog_in_shared_memory",
        main=OK + "head -c 1000000000 /dev/zero > /dev/shm/big\n" + python("b'x' * (230 << 20)"),
        verdict=Verdict.MEMORY_LIMIT,
        limits={"memory_bytes": 256 * MIB, "wall_time_s": 60.0},
    ),
    Case(
        name="flood",
        main=OK + "echo the head\nyes | head -c 5000000000\necho the tail",
        log="bytes left out here",
        limits={"log_bytes": 1 * MIB, "wall_time_s": 600.0},
    ),
    Case(
        name="fill_many_files",
        main=OK
        + "i=0; while :; do i=$((i+1)); head -c 20000000 /dev/zero > ../submission/$i; done",
        verdict=Verdict.OUTPUT_LIMIT,
        limits={"output_bytes": 200 * MIB, "wall_time_s": 120.0},
    ),
    Case(
        name="writes_data",
        main="if echo x > ../data/submission_format.csv || touch ../data/images/new\n"
        "then exit 1; fi\n" + OK,
    ),
    Case(
        name="shared_memory",
        main=python(
            "from multiprocessing import Pool\n"
            "import os\n"
            "with Pool(2) as pool: assert pool.map(abs, [-1, -2]) == [1, 2]\n"
        ),
    ),
    Case(
        name="csv_in_linked_folder",
        main="rmdir ../submission 2>/dev/null; ln -s /etc ../submission/x\n"
        "ln -s x/passwd ../submission/submission.csv",
        verdict=Verdict.BAD_OUTPUT,
        says="link",
    ),
    Case(
        name="giant",
        main="truncate -s 2000000000 ../submission/submission.csv",
        verdict=Verdict.BAD_OUTPUT,
        limits={"predictions_bytes": 1 * MIB},
    ),
    dataclasses.replace(
        next(case for case in CASES if case.name == "forged_end"),
        name="forged_end_before_the_time_limit",
        verdict=Verdict.TIME_LIMIT,
        limits={"wall_time_s": 1.0, "grace_s": 1.0},
        lasts_s=1.0,
    ),
    Case(
        name="detached_daemon",
        main=OK + "setsid sh -c 'sleep 1000' >/dev/null 2>&1 &\necho started",
        log="started",
    ),
    Case(
        name="both_paths",
        main="ls /code_execution/data/images/*.png > one\n"
        "(cd ../data/images && ls $PWD/*.png) > two\ncmp one two || exit 1\n" + OK,
    ),
    Case(
        name="deep",
        main=OK + python("import os\nfor i in range(3000):\n    os.mkdir('d'); os.chdir('d')", ""),
    ),
)
