"""`python -m tests`: every suite of both environments, one after the other; the last line adds them up, alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOUSE = [sys.executable, "-m", "pytest"]
ASSISTANT = [str(ROOT / "nlu/.venv/bin/python"), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
QUIET = {"RASA_TELEMETRY_ENABLED": "false", "PYTHONPATH": str(ROOT)}
SUITES = (
    ("house: unit and contract", [*HOUSE, "tests/unit", "tests/contract"]),
    ("assistant: components and dialogue", [*ASSISTANT, "tests/nlu", "tests/dialogue"]),
    ("house: integration", [*HOUSE, "tests/integration"]),
    ("both: journeys and faults", [*HOUSE, "tests/journeys", "tests/chaos"]),
    ("browser", [*HOUSE, "tests/browser"]),
)


def run(name: str, command: list[str]) -> tuple[dict[str, int], bool]:
    """The counts of one suite, and whether its runner was content."""
    folders = [part for part in command if part.startswith("tests/")]
    present = [folder for folder in folders if any((ROOT / folder).rglob("test_*.py"))]
    if not present:
        return {}, True
    command = [part for part in command if part not in folders] + present
    print(f"== {name}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        environment = {**os.environ, **ONE_THREAD, **QUIET}
        code = subprocess.run([*command, f"--junitxml={report}"], cwd=ROOT, env=environment, check=False).returncode
        if not report.exists():
            return {"failed": 1}, False
        return counts(ElementTree.parse(report).getroot()), code in (0, 5)


def counts(root: ElementTree.Element) -> dict[str, int]:
    """Passed, failed, skipped of a JUnit report."""
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for suite in root.iter("testsuite"):
        tests, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        total["failed"] += failed
        total["skipped"] += skipped
        total["passed"] += tests - failed - skipped
    return total


def main() -> int:
    total, content = {"passed": 0, "failed": 0, "skipped": 0}, True
    for name, command in SUITES:
        found, fine = run(name, command)
        content = content and fine
        for key, value in found.items():
            total[key] += value
    if not content and not total["failed"]:
        total["failed"] += 1
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped", flush=True)
    return 0 if content and not total["failed"] and total["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
