"""What this machine has and lacks for a run, and what to type next."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.doctor.examination import examine as examine, probes as probes
    from posebowl.doctor.findings import Diagnosis as Diagnosis, Finding as Finding, State as State
    from posebowl.doctor.selftest import (
        EngineTest as EngineTest,
        SelfTest as SelfTest,
        TestWatcher as TestWatcher,
        run_self_test as run_self_test,
    )
    from posebowl.doctor.selftest_page import self_test_page as self_test_page

__getattr__ = face(__name__)
