"""What is measured of utility where a user brings the networks for it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from faceveil.detect.runtime import Runtime
from faceveil.errors import RequestError
from faceveil.evaluate.utility import faces
from faceveil.evaluate.utility.perceptual import expect_lpips


class Extras(BaseModel):
    """Networks of the user's own.

    attributes: manifests of classifiers of aligned faces. features: manifests of networks whose features of whole
    pictures are compared. lpips: the file of the trunk of LPIPS, or None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attributes: tuple[Path, ...] = ()
    features: tuple[Path, ...] = ()
    lpips: Path | None = None

    def expect(self, runtime: Runtime) -> Extras:
        """The same for processes that may stand elsewhere.

        Raises:
            RequestError: a file is not there, does not fit, or two have one name. MissingExtra: a package is missing.
        """
        for manifests, build in ((self.attributes, faces.classifier), (self.features, faces.features)):
            titles = [build(manifest, runtime).title for manifest in manifests]
            if len(set(titles)) < len(titles):
                raise RequestError(f"two manifests are called '{max(titles, key=titles.count)}'", hint="rename one")
        if self.lpips is not None:
            expect_lpips(self.lpips)
        return Extras(
            attributes=tuple(one.absolute() for one in self.attributes),
            features=tuple(one.absolute() for one in self.features),
            lpips=self.lpips and self.lpips.absolute(),
        )


NOTHING = Extras()
