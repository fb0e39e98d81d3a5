"""The steps of the Dockerfile without a container engine: python -m tests.image ROOT, as root.

ROOT is a folder with a system that has Python, such as `debootstrap --include=python3-venv,ca-certificates trixie ROOT`
makes. It stands for the base image. Each stage is a copy of it, each RUN is run in it by chroot, and the last stage is
started as the user that USER names: `--version`, then the command of CMD until its HEALTHCHECK succeeds. Variables
PIP_* are passed on to the steps.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parent.parent


@dataclass
class Stage:
    """A folder with the files of a stage, and what its instructions have set."""

    root: Path
    settings: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0:0"

    def start(self, command: list[str], *, user: str = "0:0") -> subprocess.Popen[bytes]:
        """Start *command* in this stage, with an environment that holds nothing of ours but PIP_*."""
        base = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        passed = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        environment = [f"{name}={value}" for name, value in (base | passed | self.arguments | self.settings).items()]
        # A folder in which PATH is looked up is needed first: env, below the new root, does both.
        inside = ["env", "-i", "-C", self.workdir, *environment, *command]
        return subprocess.Popen(["chroot", f"--userspec={user}", self.root, *inside])

    def run(self, command: list[str], *, user: str = "0:0") -> None:
        if code := self.start(command, user=user).wait():
            sys.exit(f"{shlex.join(command)}: ended with {code}")


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """The instructions of a Dockerfile in order, each with the rest of its line, continued lines joined."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for line in filter(str.strip, lines.replace("\\\n", " ").splitlines()):
        word, _, rest = line.strip().partition(" ")
        yield word, rest.strip()


def command_of(instruction: str) -> list[str]:
    """The words of the CMD, ENTRYPOINT or HEALTHCHECK of the Dockerfile, which are in JSON."""
    [found] = [rest for word, rest in instructions((PROJECT / "Dockerfile").read_text()) if word == instruction]
    words: list[str] = json.loads(found[found.index("[") :])
    return words


def context(target: Path) -> None:
    """Copy into *target* what .dockerignore lets through: all is left out but the lines that begin with `!`."""
    for line in (PROJECT / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            source, copy = PROJECT / line[1:], target / line[1:]
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, copy)


def build(base: Path, folder: Path) -> Stage:
    """Make the stages of the Dockerfile in *folder*; the last one is the image."""
    stages: dict[str, Stage] = {}
    stage = Stage(base)
    for word, rest in instructions((PROJECT / "Dockerfile").read_text()):
        print(f"{word} {rest}", flush=True)
        if word == "FROM":
            name = rest.partition(" AS ")[2] or "image"
            stage = stages[name] = Stage(folder / name)
            subprocess.run(["cp", "--archive", base, stage.root], check=True)
            (stage.root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        elif word == "ARG":
            name, _, value = rest.partition("=")
            stage.arguments[name] = value
        elif word == "WORKDIR":
            stage.workdir = rest
            (stage.root / rest[1:]).mkdir(exist_ok=True)
        elif word == "ENV":
            for setting in shlex.split(rest):
                name, _, value = setting.partition("=")
                stage.settings[name] = value.replace("$PATH", "/usr/local/bin:/usr/bin:/bin")
        elif word == "COPY" and (found := re.fullmatch(r"--from=(\w+) /(\S+) /(\S+)", rest)):
            shutil.copytree(stages[found[1]].root / found[2], stage.root / found[3], symlinks=True)
        elif word == "COPY":
            context(stage.root / stage.workdir[1:])
        elif word == "RUN":
            stage.run(["sh", "-ec", rest])
        elif word == "USER":
            stage.user = rest
    return stage


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        image = build(Path(sys.argv[1]).resolve(), Path(folder))
        entry, check = command_of("ENTRYPOINT"), command_of("HEALTHCHECK")
        image.run([*entry, "--version"], user=image.user)
        service = image.start([*entry, *command_of("CMD")], user=image.user)
        try:
            for _ in range(50):
                time.sleep(0.2)
                if image.start(check, user=image.user).wait() == 0:
                    break
            else:
                sys.exit("the health check never succeeded")
        finally:
            service.terminate()
        if service.wait(timeout=30) != 143:
            sys.exit(f"stopped with {service.returncode} rather than 143")
        size = int(subprocess.check_output(["du", "--summarize", "--bytes", image.root / "opt"]).split()[0])
        print(f"built, healthy, stopped; /opt takes {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
