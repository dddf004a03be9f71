"""Downloads: encrypted, resumed where that is safe, bounded, and never more than what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_samples import CERTIFICATE, served, sha256

from faceveil.errors import InputError, OutputError, RequestError
from faceveil.models.fetch import Door, Wanted, download, expect_safe, shown

DATA = bytes(range(256)) * 4000  # 1 MB: several chunks
WANTED = Wanted(sha256(DATA), len(DATA))


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "a.part"


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("wanted", [Wanted(), WANTED])
def test_a_file_arrives_whole(part: Path, tls: bool, wanted: Wanted) -> None:
    seen: list[tuple[int, int]] = []
    with served(tls=tls, files={"/a": DATA}) as site:
        got = download(f"{site.url}/a", part, wanted, Door(str(CERTIFICATE)), lambda *at: seen.append(at))
    assert got == WANTED.sha256
    assert part.read_bytes() == DATA
    assert seen[0] == (0, len(DATA))
    assert seen[-1] == (len(DATA), len(DATA))
    assert [entry.name for entry in part.parent.glob("a.part*")] == ["a.part"]


def test_a_certificate_that_nobody_trusts_is_refused(part: Path) -> None:
    with served(tls=True, files={"/a": DATA}) as site, pytest.raises(InputError, match="certificate is not trusted"):
        download(f"{site.url}/a", part, WANTED, Door())
    assert not site.asked


@pytest.mark.parametrize(("etag", "wanted"), [(True, Wanted()), (True, WANTED), (False, WANTED)])
def test_an_interrupted_download_goes_on_where_it_stopped(part: Path, etag: bool, wanted: Wanted) -> None:
    with served(files={"/a": DATA}, etag=etag, cut=300_000) as site:
        with pytest.raises(InputError, match=r"ended after 300,000 of 1,024,000 bytes.* — run the same command again"):
            download(f"{site.url}/a", part, wanted, Door())
        assert part.stat().st_size == 300_000
        site.cut = None
        assert download(f"{site.url}/a", part, wanted, Door()) == WANTED.sha256
        assert site.ranges_asked() == ["", "bytes=300000-"]
    assert part.read_bytes() == DATA


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(sha256(b"new" + DATA))])
def test_what_changed_on_the_server_is_fetched_from_the_beginning(part: Path, wanted: Wanted) -> None:
    with served(files={"/a": DATA}, cut=300_000) as site:
        with pytest.raises(InputError, match="ended after"):
            download(f"{site.url}/a", part, wanted, Door())
        site.cut, site.files["/a"] = None, b"new" + DATA
        assert download(f"{site.url}/a", part, wanted, Door()) == sha256(b"new" + DATA)


def test_without_a_sum_or_a_sign_nothing_is_continued(part: Path) -> None:
    with served(files={"/a": DATA}, etag=False, cut=300_000) as site:
        with pytest.raises(InputError, match="ended after"):
            download(f"{site.url}/a", part, Wanted(), Door())
        site.cut = None
        download(f"{site.url}/a", part, Wanted(), Door())
        assert site.ranges_asked() == ["", ""]


def test_a_piece_of_another_address_is_not_continued(part: Path) -> None:
    with served(files={"/a": DATA, "/b": DATA[::-1]}, cut=300_000) as site:
        with pytest.raises(InputError, match="ended after"):
            download(f"{site.url}/a", part, Wanted(), Door())
        site.cut = None
        assert download(f"{site.url}/b", part, Wanted(), Door()) == sha256(DATA[::-1])


def test_a_server_without_ranges_is_asked_for_all(part: Path) -> None:
    part.write_bytes(DATA[:5000])
    with served(files={"/a": DATA}, ranges=False) as site:
        assert download(f"{site.url}/a", part, WANTED, Door()) == WANTED.sha256


@pytest.mark.parametrize("there", [DATA, DATA + b"more", bytes(5000)], ids=["all", "too much", "another"])
def test_whatever_a_killed_run_left_the_right_file_comes_out(part: Path, there: bytes) -> None:
    part.write_bytes(there)
    with served(files={"/a": DATA}) as site:
        assert download(f"{site.url}/a", part, WANTED, Door()) == WANTED.sha256
    assert part.read_bytes() == DATA


def test_a_wrong_sum_shows_both_and_leaves_nothing(part: Path) -> None:
    said = f"SHA-256 is {WANTED.sha256}, must be {'0' * 64}"
    with served(files={"/a": DATA}) as site, pytest.raises(InputError, match=said):
        download(f"{site.url}/a", part, Wanted("0" * 64), Door())
    assert not list(part.parent.glob("a.part*"))


@pytest.mark.parametrize("lengths", [True, False])
def test_more_than_expected_is_not_taken(part: Path, lengths: bool) -> None:
    with served(files={"/a": DATA}, lengths=lengths) as site, pytest.raises(InputError, match="expected"):
        download(f"{site.url}/a", part, Wanted(WANTED.sha256, 1000), Door())
    assert part.stat().st_size <= 1000


def test_an_end_without_a_length_is_noticed(part: Path) -> None:
    with served(files={"/a": DATA}, lengths=False, cut=1000) as site, pytest.raises(InputError, match="after 1,000 of"):
        download(f"{site.url}/a", part, WANTED, Door())


def test_errors_of_the_server_are_one_sentence(part: Path) -> None:
    with served() as site, pytest.raises(InputError, match="the server answers 404 Not Found"):
        download(f"{site.url}/none?token=secret", part, Wanted(), Door())
    with pytest.raises(InputError, match="cannot fetch .*refused") as caught:
        download(f"{site.url}/none?token=secret", part, Wanted(), Door())
    assert "secret" not in str(caught.value)


def test_redirects_are_followed_to_safe_addresses_alone(part: Path) -> None:
    targets = {"/x": "http://example.invalid/a", "/y": "file:///etc/passwd", "/z": "/a"}
    with served(files={"/a": DATA}, redirect=targets) as site:
        for path in ("/x", "/y"):
            with pytest.raises((RequestError, InputError)):
                download(f"{site.url}{path}", part, Wanted(), Door())
        assert download(f"{site.url}/z", part, WANTED, Door()) == WANTED.sha256


def test_nobody_else_leads_to_what_runs_here(part: Path) -> None:
    with served(files={"/a": DATA}) as here, served(tls=True, redirect={"/a": f"{here.url}/a"}) as other:
        with pytest.raises(RequestError, match="leads away from https"):
            download(f"{other.url}/a", part, WANTED, Door(str(CERTIFICATE)))
        assert not here.asked


def test_a_password_goes_to_its_host_alone(part: Path) -> None:
    with (
        served(files={"/a": DATA}, user="Basic bWU6cEBzcw==") as site,
        served(redirect={"/a": f"{site.url}/a"}, user="Basic bWU6cEBzcw==") as first,
    ):
        with_user = site.url.replace("//", "//me:p%40ss@")
        assert download(f"{with_user}/a", part, WANTED, Door()) == WANTED.sha256
        with pytest.raises(InputError, match="401") as caught:
            download(f"{first.url.replace('//', '//me:p%40ss@')}/a", part, WANTED, Door())
        assert "Authorization" not in site.asked[-1][1]
    assert "p%40ss" not in str(caught.value)
    assert "p@ss" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with served(files={"/a": DATA}) as site, pytest.raises(OutputError, match="cannot write"):
        download(f"{site.url}/a", tmp_path / "none" / "a.part", WANTED, Door())


@pytest.mark.parametrize(
    "url",
    [
        "http://example.invalid/a",
        "ftp://127.0.0.1/a",
        "file:///etc/passwd",
        "http://127.0.0.1.example.invalid/a",
        "http://127.0.0.1@example.invalid/a",
        "https:///a",
        "model.onnx",
        "",
        "https://example.invalid/a b",
        "https://example.invalid/\n",
        "http://[::1",
    ],
)
def test_addresses_that_are_not_taken(url: str) -> None:
    with pytest.raises(RequestError):
        expect_safe(url)


@given(st.text(max_size=60))
def test_an_address_is_taken_or_refused_in_words(url: str) -> None:
    try:
        expect_safe(url)
    except RequestError:
        return
    assert url[:4].lower() == "http"


def test_what_is_shown_holds_no_secret() -> None:
    assert shown("https://me:word@host.invalid:8/a/b?token=t#f") == "https://host.invalid:8/a/b"
