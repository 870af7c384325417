"""Hatchling's build hook: bundle the front end for every wheel and sdist made from a checkout, so it is never stale."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontEndBuildHook(BuildHookInterface):  # type: ignore[misc]  # hatchling ships no types
    """Run the build of `js/` before Hatchling collects the files of the distribution."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build `lr_widget/widget/static/`, except from an unpacked sdist, which carries it."""
        root = Path(self.root)
        bundle = root / "lr_widget" / "widget" / "static" / "widget.js"
        if (root / "PKG-INFO").exists() and bundle.exists():
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(
                "lr_widget's front end is built with Node.js, and no npm was found on PATH; install Node.js 20 or "
                "newer, or install the published wheel, which carries the built front end"
            )
        if not (root / "js" / "node_modules").exists():
            subprocess.run([npm, "install", "--silent"], cwd=root / "js", check=True)
        subprocess.run([npm, "run", "build"], cwd=root / "js", check=True)
