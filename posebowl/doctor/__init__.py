"""What this machine has and lacks for a run, and what to type next."""
# mypy: implicit-reexport
# ruff: noqa: F401

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.doctor.examination import examine, probes
    from posebowl.doctor.findings import Diagnosis, Finding, State
    from posebowl.doctor.selftest import EngineTest, SelfTest, TestWatcher, run_self_test
    from posebowl.doctor.selftest_page import self_test_page

__getattr__ = face(__name__)
