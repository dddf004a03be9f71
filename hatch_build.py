"""The build hook: make the models from pinned packages, unless they are there already.

What and how stands in `tools/models.py`. A build from the sdist finds the models inside and needs neither network nor
anything but hatchling.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ModelsHook(BuildHookInterface):  # type: ignore[misc]  # hatchling ships no types that mypy follows here
    """Asks for the converters' requirements only when models must be made; makes them before files are collected."""

    def dependencies(self) -> list[str]:
        """What the build needs beside hatchling: nothing, where the models are up to date."""
        models = self._models()
        return list(models.BUILD_REQUIREMENTS) if models.out_of_date() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the models where they are missing or out of date; say so line by line."""
        models = self._models()
        reason = models.out_of_date()
        if not reason:
            self.app.display_info("models are up to date")
            return
        self.app.display_info(f"models: {reason}")
        try:
            models.make(say=lambda line: self.app.display_info(f"models: {line}"))
        except models.ModelsError as error:
            self.app.abort(f"models: {error}")

    def _models(self) -> ModuleType:
        """`tools.models` of this tree, whatever else is called `tools` on the path."""
        root = str(Path(self.root))
        sys.path.insert(0, root)
        try:
            from tools import models  # noqa: PLC0415
        finally:
            sys.path.remove(root)
        return models
