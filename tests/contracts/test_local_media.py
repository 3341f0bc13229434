"""Media below the roots of an operator: what is inside is read, nothing outside is ever opened."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from consumers.core.faults import Changed, Fault, Missing, Rejected
from consumers.core.local import LocalMedia
from daemon.adapters.local_media import MediaRoots
from tests.fakes.local import FakeLocalMedia

INSIDE, SECRET = b"inside", b"not for others"


class Place:
    """Two roots with files and links of all kinds, and a folder beside them that is nobody's business."""

    def __init__(self, base: Path) -> None:
        self.first, self.second, self.outside = base / "first", base / "second", base / "outside"
        for folder in (self.first / "sub", self.second, self.outside):
            folder.mkdir(parents=True)
        for file in (self.first / "a.mov", self.first / "sub/b.mov", self.second / "only.mov"):
            file.write_bytes(INSIDE)
        for file in (self.outside / "secret.mov", base / "secret.mov"):
            file.write_bytes(SECRET)
        (self.first / "link.mov").symlink_to("sub/b.mov")
        (self.first / "across.mov").symlink_to(self.second / "only.mov")
        (self.first / "out.mov").symlink_to(self.outside / "secret.mov")
        (self.first / "up").symlink_to("..")
        (self.first / "outdoors").symlink_to(self.outside)
        (self.first / "loop").symlink_to("loop")
        (self.first / "null").symlink_to("/dev/null")
        os.mkfifo(self.first / "pipe")
        self.roots = MediaRoots([str(self.first), str(self.second)])

    def read(self, path: str) -> bytes:
        with self.roots.open(path) as file:
            return file.stretch(0, file.size).read()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("media"))


@pytest.fixture(params=["fake", "real"])
def media(request: pytest.FixtureRequest, place: Place) -> LocalMedia:
    return FakeLocalMedia({"sub/b.mov": INSIDE}) if request.param == "fake" else place.roots


def test_a_file_below_a_root_has_its_size(media: LocalMedia) -> None:
    assert media.size("sub/b.mov") == len(INSIDE)


def test_a_file_that_is_not_there_is_missing(media: LocalMedia) -> None:
    with pytest.raises(Missing, match=r"sub/c\.mov"):
        media.size("sub/c.mov")


@pytest.mark.parametrize("path", ["/etc/hostname", "../outside/secret.mov", "sub/../../../x"])
def test_a_path_that_leads_out_is_refused_and_the_setting_is_named(media: LocalMedia, path: str) -> None:
    with pytest.raises(Rejected, match="NOVABATCH_MEDIA_ROOTS"):
        media.size(path)


@pytest.mark.parametrize(
    "path", ["a.mov", "link.mov", "across.mov", "only.mov", "sub/./b.mov", "sub/../a.mov"]
)
def test_what_lies_inside_is_read_whichever_way_leads_there(place: Place, path: str) -> None:
    assert place.read(path) == INSIDE


def test_a_whole_path_below_a_root_is_as_good(place: Place) -> None:
    assert place.read(str(place.second / "only.mov")) == INSIDE


@pytest.mark.parametrize(
    "path", ["out.mov", "outdoors/secret.mov", "up/outside/secret.mov", "up/secret.mov", "null"]
)
def test_a_link_that_leads_out_is_refused(place: Place, path: str) -> None:
    with pytest.raises(Rejected, match="below no folder"):
        place.read(path)


@pytest.mark.parametrize("path", ["sub", "pipe"])
def test_only_regular_files_are_opened(place: Place, path: str) -> None:
    with pytest.raises(Rejected, match="no regular file"):
        place.read(path)


def test_a_socket_is_no_media(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        with pytest.raises(Rejected, match="no regular file"):
            MediaRoots([str(tmp_path)]).size("s")


@pytest.mark.parametrize(
    "path", ["", ".", "/", "a.mov/", "a.mov/x", "loop", "loop/x", "x" * 5_000, "d/" * 900]
)
def test_an_odd_path_is_a_fault_like_any_other(place: Place, path: str) -> None:
    if path == "a.mov/":
        assert place.read(path) == INSIDE
        return
    with pytest.raises((Missing, Rejected)):
        place.read(path)


def test_a_path_with_a_nul_in_it_is_no_path(place: Place) -> None:
    with pytest.raises(Rejected, match="no path"):
        place.read("a.mov\0.txt")


def test_without_roots_nothing_is_read() -> None:
    with pytest.raises(Rejected, match="NOVABATCH_MEDIA_ROOTS"):
        MediaRoots(()).size("/etc/hostname")


def test_a_root_that_is_itself_a_link_is_where_it_leads(place: Place, tmp_path: Path) -> None:
    (tmp_path / "root").symlink_to(place.first)
    assert MediaRoots([str(tmp_path / "root")]).size("a.mov") == len(INSIDE)


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (tmp_path / "a").write_bytes(INSIDE)
    (tmp_path / "a").chmod(0)
    with pytest.raises(Rejected, match="may not be read"):
        MediaRoots([str(tmp_path)]).size("a")


NAMES = [
    "a.mov",
    "sub",
    "b.mov",
    "link.mov",
    "out.mov",
    "up",
    "outdoors",
    "secret.mov",
    "outside",
    "loop",
    "pipe",
]
WORDS = st.sampled_from([*NAMES, "..", ".", "", "first", "second", "\0", "~", "x" * 300]) | st.text(
    max_size=8
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(WORDS, max_size=8), begin=st.sampled_from(["", "/", "//", "first", "outside", "base"]))
@example(words=["up", "first", "up", "outside", "secret.mov"], begin="")
@example(words=["..", "..", "..", "..", "..", "..", "etc", "passwd"], begin="/")
def test_nothing_outside_is_ever_opened(place: Place, words: list[str], begin: str) -> None:
    bases = {"first": f"{place.first}/", "outside": f"{place.outside}/", "base": f"{place.first.parent}/"}
    path = bases.get(begin, begin) + "/".join(words)
    try:
        found = place.read(path)
    except Fault:
        return
    assert found == INSIDE


@pytest.fixture
def swapping(place: Place) -> Iterator[None]:
    """Somebody who makes a folder a link to the outside, and a folder again, over and over."""
    folder, aside, over = place.first / "swap", place.first / "aside", threading.Event()
    folder.mkdir()
    (folder / "secret.mov").write_bytes(INSIDE)

    def swap() -> None:
        while not over.is_set():
            folder.rename(aside)
            folder.symlink_to(place.outside)
            folder.unlink()
            aside.rename(folder)

    thread = threading.Thread(target=swap)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.mark.usefixtures("swapping")
def test_a_link_that_appears_while_a_file_is_opened_leads_nowhere(place: Place) -> None:
    found = set()
    for _ in range(3_000):
        try:
            found.add(place.read("swap/secret.mov"))
        except Fault:
            continue
    assert found == {INSIDE}


# ── reading ──


def test_a_stretch_is_read_in_any_order_and_as_often_as_one_likes(place: Place) -> None:
    with place.roots.open("a.mov") as file:
        stretch = file.stretch(2, 3)
        assert [stretch.read(), stretch.read(), stretch.tell()] == [INSIDE[2:5], b"", 3]
        assert stretch.seek(1) == 1
        assert stretch.read(1) == INSIDE[3:4]
        assert stretch.seek(0, os.SEEK_END) == 3
        assert file.stretch(0, 2).read() == INSIDE[:2]


@pytest.mark.parametrize("written", [b"longer than before", b"short", b"INSIDE"])
def test_a_file_that_is_written_while_it_is_read_is_noticed(tmp_path: Path, written: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(INSIDE)
    os.utime(path, ns=(1, 1))
    with MediaRoots([str(tmp_path)]).open("a") as file:
        file.check()
        path.write_bytes(written)
        with pytest.raises(Changed, match=f"{len(INSIDE)} bytes when it was opened, {len(written)}"):
            file.check()
