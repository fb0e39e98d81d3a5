"""Adds to the wheel what is made from the program itself: man pages and units of systemd."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class MadeFiles(BuildHookInterface):  # type: ignore[type-arg]
    """Writes them into a folder that lives until the wheel is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the files, unless the installation is an editable one."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        from smsreceipt.cli.manual import FOLDERS, pages
        from smsreceipt.runs.installation import shared_units

        self._folder = tempfile.TemporaryDirectory()
        made = {folder: pages(language) for language, folder in FOLDERS.items()}
        for folder, files in (made | {"share/smsreceipt/systemd": shared_units()}).items():
            for name, text in files.items():
                path = Path(self._folder.name, folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
                build_data["shared_data"][str(path)] = f"{folder}/{name}"
