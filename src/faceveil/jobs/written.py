"""YAML as plain values that remember where they stand: a safe subset, bounded, every name once.

Values are text, whole numbers, decimal numbers, booleans, nothing, lists and mappings with names of text. What a
plain scalar means follows the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/, 10.3): `2024_01_01` is a folder
and not a number, `12:30` no number of base 60. Anchors and aliases are followed.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from faceveil.errors import RequestError

Where = tuple[str | int, ...]
"""The way to a value: names and positions in lists."""

LONGEST_FILE = 1_000_000  # bytes; 16,000 paths of 60 characters
MOST = 20_000  # values, aliases followed, which take 2 s; a file of 300 bytes can ask for billions
DEEPEST = 16  # levels; a job has 3, and each is a level of Python's stack
LONGEST_TEXT = 4_096  # characters of one value: the longest path of Linux

_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Written:
    """A file's value, and the line of each part of it.

    name: of the file, for complaints. lines: from 1; of a mapping's part the line of its name.
    """

    name: str
    value: Any
    lines: dict[Where, int]

    @classmethod
    def read(cls, path: Path) -> Written:
        """The value in a file. Raises `RequestError` with the line."""
        try:
            with path.open("rb") as file:
                data = file.read(LONGEST_FILE + 1)
            text = data.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise RequestError(f"cannot read the job {path}: {reason}") from None
        if len(data) > LONGEST_FILE:
            raise RequestError(f"{path} is longer than {LONGEST_FILE:,} bytes, and no job is")
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, name: str) -> Written:
        """The value in a text. Raises `RequestError` with the line."""
        reader = _Reader(name)
        node = reader.compose(text)
        return cls(name, None if node is None else reader.value(node, (), ()), reader.lines)

    def line(self, where: Where) -> int:
        """The line of a part, or of what it would be part of."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)

    def error(self, where: Where, message: str, hint: str = "") -> RequestError:
        """A complaint with file and line, as one line of text whatever it quotes."""
        return _error(self.name, self.line(where), message, hint)

    def note(self, where: Where, message: str) -> str:
        """A remark with file and line."""
        return f"{self.name}, line {self.line(where)}: {_printable(message)}"


def _error(name: str, line: int, message: str, hint: str = "") -> RequestError:
    return RequestError(f"{name}, line {line}: {_printable(message)}", hint=_printable(hint))


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


class _Loader(yaml.SafeLoader):
    """PyYAML's reader with the scalars of YAML 1.2, and bounds on depth and size."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  (PyYAML's own way)
    level = count = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.level += 1
        self.count += 1
        if self.level > DEEPEST or self.count > MOST:
            what = f"deeper than {DEEPEST} levels" if self.level > DEEPEST else f"on for more than {MOST:,} values"
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=f"it goes {what}", problem_mark=mark)
        node = super().compose_node(parent, index)
        self.level -= 1
        return node


_PLAIN: dict[str, tuple[str, list[str] | None]] = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?(0|[1-9][0-9]{0,17})", list("-+0123456789")),
    "float": (r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", list("-+0123456789.")),
}
for _kind, (_pattern, _first) in _PLAIN.items():
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(rf"^(?:{_pattern})$"), _first)


class _Reader:
    """Turns PyYAML's nodes into values and notes their lines."""

    def __init__(self, name: str) -> None:
        self.lines: dict[Where, int] = {}
        self._name = name
        self._count = 0

    def compose(self, text: str) -> yaml.Node | None:
        """The tree of a text, None where it is empty."""
        try:
            loader = _Loader(text)
            try:
                node: yaml.Node | None = loader.get_single_node()
            finally:
                loader.dispose()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._refuse(mark.line + 1 if mark else 1, f"it cannot be read: {error.problem or error.context}")
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            self._refuse(line, f"it cannot be read: the character U+{error.character:04X} is not allowed")
        except (ValueError, OverflowError):  # PyYAML passes "\U00110000" on to chr
            self._refuse(1, "it cannot be read: an escape names a character that does not exist")
        return node

    def value(self, node: yaml.Node, where: Where, above: tuple[yaml.Node, ...]) -> Any:
        """The plain value of a node. `above`: the nodes that it is part of."""
        line = node.start_mark.line + 1
        self.lines.setdefault(where, line)
        self._count += 1
        if self._count > MOST:
            self._refuse(line, f"it comes to more than {MOST:,} values, with its aliases followed")
        if any(node is other for other in above):
            self._refuse(line, "an alias stands in what it names")
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, where, (*above, node))
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self.value(child, (*where, i), (*above, node)) for i, child in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, line)
        return self._refuse(line, f"the tag '{node.tag.replace(_TAG, '!!')}' is not read here")

    def _mapping(self, node: yaml.MappingNode, where: Where, above: tuple[yaml.Node, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        first: dict[Hashable, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self._scalar(key_node, line) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                self._refuse(line, "a field's name must be text")
            if key in first:
                self._refuse(line, f"'{key}' is given twice, in line {first[key]} too")
            first[key] = line
            self.lines[*where, key] = line
            found[key] = self.value(value_node, (*where, key), above)
        return found

    def _scalar(self, node: yaml.ScalarNode, line: int) -> str | int | float | bool | None:
        text: str = node.value
        if len(text) > LONGEST_TEXT:
            self._refuse(line, f"a value is longer than {LONGEST_TEXT:,} characters")
        kind = node.tag.removeprefix(_TAG)
        if kind == "str" and node.tag != kind:
            return text
        # A tag that is written out, as in `!!int seven`, need not fit its text.
        if kind not in _PLAIN or not re.fullmatch(_PLAIN[kind][0], text):
            self._refuse(line, f"the tag '{node.tag.replace(_TAG, '!!')}' is not read here")
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        return int(text) if kind == "int" else float(text.replace(".inf", "inf").replace(".nan", "nan"))

    def _refuse(self, line: int, message: str) -> NoReturn:
        raise _error(self._name, line, message)
