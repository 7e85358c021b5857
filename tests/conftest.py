"""Shared by all tests: suites that were installed for may not be skipped."""

from __future__ import annotations

import os

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """With MARS2_REQUIRE_SUITES set (as in `.ci/run`), a skip is a failure: what was installed for must run."""
    report = yield
    if os.environ.get("MARS2_REQUIRE_SUITES") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped although everything it needs was installed: {report.longrepr}"
    return report
