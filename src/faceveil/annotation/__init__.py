"""Annotation files: where faces are, in the words of COCO, YOLO, WIDER FACE, CSV, FiftyOne and FDDB.

They are personal data like plans (box coordinates alone identify people: docs/privacy.md): written readable by their
owner alone, whole or not at all. What is read is hostile until proven otherwise: every number is checked, and what is
wrong is named with its file and place.

The formats are in `files`, which is imported where one is read or written: workers need none of them.
"""

from faceveil.annotation.base import ABOUT, Annotations, Labelled
from faceveil.annotation.find import Matched, locate, match, roots

__all__ = ["ABOUT", "Annotations", "Labelled", "Matched", "locate", "match", "roots"]
