"""Whom pictures show, from every layout; and what cannot be measured is said before anything starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from faceveil.errors import RequestError
from faceveil.evaluate.privacy.people import load

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Files of the given names below a folder; what is in them does not matter here."""

    def make(*names: str, root: str = "people") -> Path:
        for name in names:
            file = tmp_path / root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"picture")
        return tmp_path / root

    return make


def shown(crowd: object) -> list[tuple[str, list[str]]]:
    return [(photo.person, [file.name for file in photo.files]) for photo in crowd.photos]  # type: ignore[attr-defined]


def test_a_folder_for_each_person(make: Make) -> None:
    crowd = load(make("Ann/1.jpg", "Ann/2.png", "Bob/1.jpg", "Bob/x/2.JPG", "notes.txt", "Ann/list.csv"))
    assert crowd.layout == "a folder for each person"
    assert crowd.names == ("Ann", "Bob")
    assert shown(crowd) == [("Ann", ["1.jpg"]), ("Ann", ["2.png"]), ("Bob", ["1.jpg"]), ("Bob", ["2.JPG"])]


def test_frames_of_one_track_are_one_photo(make: Make) -> None:
    folder = make("Ann/a/1.png", "Ann/a/2.png", "Ann/b/1.png", "Bob/a/1.png", "Bob/2.png", "Bob/3.png")
    assert shown(load(folder, frames=True)) == [
        ("Ann", ["1.png", "2.png"]),
        ("Ann", ["1.png"]),
        ("Bob", ["2.png"]),
        ("Bob", ["3.png"]),
        ("Bob", ["1.png"]),
    ]
    assert len(load(folder).photos) == 6


def test_ferets_names(make: Make) -> None:
    grey = load(make("00001fa010_930831.tif", "00001fb010_930831.tif", "00002fa010.tif", "00002fb010.tif", root="grey"))
    colour = load(
        make(
            "1/00001/00001_930831_fa_a.ppm",
            "1/00001/00001_930831_fb.ppm",
            "2/00002_1.ppm/00002_940928_fa.ppm",
            "2/00002_940928_hl.ppm",
            root="colour",
        )
    )
    for crowd in (grey, colour):
        assert crowd.layout == "FERET"
        assert [photo.person for photo in crowd.photos] == ["00001", "00001", "00002", "00002"]


def test_lfw_in_one_folder(make: Make) -> None:
    crowd = load(make("Ann_Lee_0001.jpg", "Ann_Lee_0002.jpg", "Bob_0001.jpg", "Bob_0003.jpg"))
    assert crowd.names == ("Ann_Lee", "Bob")
    with pytest.raises(RequestError, match="nobody can tell whom the pictures in .* show"):
        load(make("picture.jpg", root="people"))


def test_people_with_one_photo_are_left_out_by_name(make: Make) -> None:
    crowd = load(make("Ann/1.jpg", "Ann/2.jpg", "Bob/1.jpg", "Bob/2.jpg", "Cleo/1.jpg", "0.jpg"))
    assert crowd.names == ("Ann", "Bob")
    reasons = {Path(file).name: reason for file, reason in crowd.left_out}
    assert reasons == {"0.jpg": "lies beside the folders of people", "1.jpg": "is the only photo of this person"}


def test_a_part_is_spread_evenly(make: Make) -> None:
    folder = make(*(f"{name}/{i}.jpg" for name in "ABCDE" for i in range(9)))
    crowd = load(folder, people=3, pictures=3)
    assert crowd.names == ("A", "C", "E")
    assert [file for _, (file,) in shown(crowd)] == ["0.jpg", "4.jpg", "8.jpg"] * 3


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (("Ann/1.jpg",), "shows 1 people, 1 of them in one photo: naming people needs at least two people"),
        (("Ann/1.jpg", "Bob/1.jpg"), "shows 2 people, 2 of them in one photo"),
        (("Ann/1.jpg", "Ann/2.jpg"), "shows 1 people, 0 of them"),
        (("Ann/notes.txt",), "there is no picture in"),
    ],
)
def test_too_few_are_refused_in_a_sentence(make: Make, names: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(RequestError, match=complaint):
        load(make(*names))


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="there is no '.*nobody'"):
        load(tmp_path / "nobody")


# --- pairs ----------------------------------------------------------------------------------------------------------


def test_pairs_name_people_by_what_they_join(make: Make) -> None:
    folder = make("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    (folder / "pairs.csv").write_text("a,b,same,fold\na.jpg,b.jpg,1,1\nb.jpg,c.jpg,1,1\na.jpg,d.jpg,0,2\n")
    crowd = load(folder / "pairs.csv")
    people = [photo.person for photo in crowd.photos]
    assert people[0] == people[1] == people[2] != people[3]
    assert crowd.pairs == ((0, 1, True), (1, 2, True), (0, 3, False))


def test_pairs_below_folders_of_people(make: Make) -> None:
    folder = make("Ann/1.jpg", "Ann/2.jpg", "Bob/1.jpg")
    (folder.parent / "pairs.csv").write_text("a,b,same\nAnn/1.jpg,Bob/1.jpg,0\nAnn/2.jpg,Bob/1.jpg,0\n")
    crowd = load(folder.parent / "pairs.csv", images=folder)
    assert len(crowd.names) == 2  # what lies in one folder is one person, though no pair says so


def test_lfws_own_list(make: Make) -> None:
    folder = make("Ann/Ann_0001.jpg", "Ann/Ann_0004.jpg", "Bob_B/Bob_B_0002.jpg")
    (folder / "pairs.txt").write_text("1 1\nAnn\t1\t4\nAnn\t1\tBob_B\t2\n")
    crowd = load(folder / "pairs.txt")
    assert crowd.pairs == ((0, 1, True), (0, 2, False))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a,b\nx.jpg,y.jpg\n", "line 2: it needs the columns a, b and same"),
        ("a,b,same\nx.jpg,y.jpg,maybe\n", "line 2: it needs the columns"),
        ("a,b,same\n", "names no pair"),
        ("a,b,same\n1.jpg,9.jpg,1\n", "1 of the 2 pictures of .* are not there, such as '.*9.jpg' — --images"),
        ("a,b,same\n1.jpg,2.jpg,1\n1.jpg,2.jpg,0\n", "are said to be two people, and to be one by other pairs"),
    ],
)
def test_wrong_pairs_are_told(make: Make, text: str, complaint: str) -> None:
    folder = make("1.jpg", "2.jpg")
    (folder / "pairs.csv").write_text(text)
    with pytest.raises(RequestError, match=complaint):
        load(folder / "pairs.csv")
    (folder / "pairs.txt").write_text("Ann 1 2 3 4\n")
    with pytest.raises(RequestError, match="line 1: it is neither NAME 1 4 nor NAME 1 OTHER 2"):
        load(folder / "pairs.txt")


# --- what other tools have made -------------------------------------------------------------------------------------


def test_anonymised_pictures_are_found_by_name(make: Make) -> None:
    folder = make("Ann/1.jpg", "Ann/2.jpg", "Bob/1.jpg", "Bob/2.jpg")
    other = make("Ann/1.png", "Ann/2_anonymized.jpg", "Bob/1.webp", "Bob/2_veiled.jpg", root="other")
    third = make("Ann/1.jpg", "Ann/2.jpg", "Bob/1.jpg", "Bob/2.jpg", root="third")
    crowd = load(folder, anonymised=(other, third))
    made = [
        [file.relative_to(root).as_posix() for (file,), root in zip(p.made, (other, third), strict=True)]
        for p in crowd.photos
    ]
    assert made == [
        ["Ann/1.png", "Ann/1.jpg"],
        ["Ann/2_anonymized.jpg", "Ann/2.jpg"],
        ["Bob/1.webp", "Bob/1.jpg"],
        ["Bob/2_veiled.jpg", "Bob/2.jpg"],
    ]


def test_photos_without_their_anonymised_picture_are_left_out(make: Make) -> None:
    folder = make("Ann/1.jpg", "Ann/2.jpg", "Ann/3.jpg", "Bob/1.jpg", "Bob/2.jpg")
    other = make("Ann/1.jpg", "Ann/3.jpg", "Bob/1.jpg", "Bob/2.jpg", root="other")
    crowd = load(folder, anonymised=(other,))
    assert len(crowd.photos) == 4
    assert crowd.left_out == ((str(folder / "Ann/2.jpg"), f"has no picture in '{other}'"),)
    with pytest.raises(RequestError, match="has no picture of .* — their names below both folders must agree"):
        load(folder, anonymised=(make("x/1.jpg", root="elsewhere"),))
    with pytest.raises(RequestError, match="there is no folder"):
        load(folder, anonymised=(folder / "nowhere",))


def test_pairs_keep_their_pictures_when_some_go(make: Make) -> None:
    folder = make("1.jpg", "2.jpg", "3.jpg")
    (folder / "pairs.csv").write_text("a,b,same\n1.jpg,2.jpg,0\n2.jpg,3.jpg,1\n1.jpg,3.jpg,0\n")
    crowd = load(folder / "pairs.csv", anonymised=(make("2.jpg", "3.jpg", root="other"),))
    assert [photo.files[0].name for photo in crowd.photos] == ["2.jpg", "3.jpg"]
    assert crowd.pairs == ((0, 1, True),)
