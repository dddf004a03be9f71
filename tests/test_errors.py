"""Every error keeps its message, cure and exit code on the way from a worker to the user."""

from __future__ import annotations

import pickle

import pytest

from faceveil import errors


def _all(kind: type[errors.FaceveilError]) -> list[type[errors.FaceveilError]]:
    return [kind, *(child for sub in kind.__subclasses__() for child in _all(sub))]


@pytest.mark.parametrize("kind", _all(errors.FaceveilError))
def test_errors_survive_pickling(kind: type[errors.FaceveilError]) -> None:
    made = kind("it broke", hint="mend it")
    again = pickle.loads(pickle.dumps(made))
    assert type(again) is kind
    assert str(again) == "it broke — mend it"
    assert again.exit_code == made.exit_code


def test_the_docstring_names_every_error_with_its_code() -> None:
    lines = (errors.__doc__ or "").splitlines()
    for kind in _all(errors.FaceveilError)[1:]:
        (line,) = [line for line in lines if f" {kind.__name__} " in line]
        direct = errors.FaceveilError in kind.__bases__
        assert (f" {int(kind.exit_code)} " in line) or not direct
