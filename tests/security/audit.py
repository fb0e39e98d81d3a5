"""Run pip-audit, and fail also when it could not look up what it should: `make audit`.

pip-audit ends with 0 when it skipped every package, for example where the index does not know them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import requires
from typing import Any


def verdict(report: Mapping[str, Any], required: Iterable[str]) -> list[str]:
    """What is wrong with the environment by pip-audit's JSON *report*: empty if all *required* packages are sound."""
    audited = {_normal(each["name"]): each for each in report["dependencies"] if "vulns" in each}
    if not audited:
        return ["nothing was audited"]
    missing = sorted({_normal(name) for name in required} - audited.keys())
    found = [f"{name} was not audited" for name in missing]
    for name, each in sorted(audited.items()):
        found += [f"{name} {each['version']}: {vulnerability['id']}" for vulnerability in each["vulns"]]
    return found


def dependencies() -> list[str]:
    """The names of the packages that smsreceipt requires, without extras."""
    return [re.split(r"[^A-Za-z0-9._-]", each)[0] for each in requires("smsreceipt") or () if "extra ==" not in each]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> int:
    """Return 1, and print why, if there is a known vulnerability or a package that could not be audited."""
    command = [sys.executable, "-m", "pip_audit", "--skip-editable", "--progress-spinner", "off", "--format", "json"]
    ran = subprocess.run(command, check=False, stdout=subprocess.PIPE)
    try:
        report = json.loads(ran.stdout)
    except ValueError:
        print("pip-audit gave no report: nothing was audited", file=sys.stderr)
        return 1
    wrong = verdict(report, dependencies())
    print(*wrong or ["no known vulnerabilities"], sep="\n")
    return 1 if wrong or ran.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
