"""What is kept is whole and for its owner alone, and what is damaged counts as absent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from faceveil.errors import OutputError, RequestError
from faceveil.evaluate.privacy.cache import TYPES, Cache, expect_folder, key, pack, unpack

some = st.dictionaries(
    st.text(max_size=8),
    st.sampled_from(list(TYPES.values())).flatmap(
        lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, min_side=0, max_side=4))
    ),
    max_size=4,
)


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return list(one) == list(other) and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in zip(one.values(), other.values(), strict=True)
    )


@given(some)
def test_arrays_come_back(given_arrays: dict[str, Any]) -> None:
    assert same(unpack(pack(given_arrays)), given_arrays)


@given(some, st.data())
def test_damage_is_noticed(given_arrays: dict[str, Any], data: st.DataObject) -> None:
    packed = bytearray(pack(given_arrays))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match="damaged"):
        unpack(bytes(packed))
    with pytest.raises(ValueError, match="damaged"):
        unpack(pack(given_arrays)[: data.draw(st.integers(0, len(packed) - 1))])


@given(st.binary(max_size=200))
def test_other_bytes_are_no_arrays(data: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        unpack(data)


def test_entries_are_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    expect_folder(folder)
    cache, name, rows = Cache(folder), key("a", 1), {"rows": np.arange(6, dtype=np.float32).reshape(2, 3)}
    assert cache.get(name) is None
    cache.put(name, rows)
    cache.put(name, rows)
    found = cache.get(name)
    assert found is not None
    assert same(found, rows)
    assert folder.stat().st_mode & 0o777 == 0o700
    (file,) = (f for f in folder.rglob("*") if f.is_file())
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_bytes(file.read_bytes()[:-1])
    assert cache.get(name) is None


def test_without_a_folder_nothing_is_kept() -> None:
    cache = Cache(None)
    cache.put(key("a"), {"rows": np.zeros(3, np.float32)})
    assert cache.get(key("a")) is None


def test_folders_that_others_read_are_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(RequestError, match="others can read .* biometric data — chmod 700"):
        expect_folder(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="is a file, and a cache is a folder"):
        expect_folder(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot write to the cache"):
        Cache(tmp_path).put(key("a"), {})


def test_names_differ_where_parts_do() -> None:
    assert len({key(1), key("1"), key(1, 2), key([1, 2]), key({"a": 1}), key({"a": 2})}) == 6
