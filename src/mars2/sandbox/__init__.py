"""Runs model-written Python against tests, in a jail, fast."""

from mars2.sandbox.doctor import SandboxReport, doctor
from mars2.sandbox.pool import ZygoteSandbox
from mars2.sandbox.scripted import ScriptedSandbox

__all__ = ["SandboxReport", "ScriptedSandbox", "ZygoteSandbox", "doctor"]
