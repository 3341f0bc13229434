"""Formats: what is accepted, as what, and what the refusal says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.core import media
from consumers.core.media import Media, media_of
from schemas.kinds import Kind

NOVA_VIDEO = {"mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"}
NOVA_IMAGE = {"png", "jpeg", "gif", "webp"}


@pytest.mark.parametrize(
    ("key", "kind", "format_", "content_type"),
    [
        ("a.mkv", Kind.VIDEO, "mkv", "video/x-matroska"),
        ("a.mov", Kind.VIDEO, "mov", "video/quicktime"),
        ("a.mp4", Kind.VIDEO, "mp4", "video/mp4"),
        ("a.webm", Kind.VIDEO, "webm", "video/webm"),
        ("a.flv", Kind.VIDEO, "flv", "video/x-flv"),
        ("a.mpeg", Kind.VIDEO, "mpeg", "video/mpeg"),
        ("a.mpg", Kind.VIDEO, "mpg", "video/mpeg"),
        ("a.wmv", Kind.VIDEO, "wmv", "video/x-ms-wmv"),
        ("a.3gp", Kind.VIDEO, "three_gp", "video/3gpp"),
        ("a.png", Kind.IMAGE, "png", "image/png"),
        ("a.jpeg", Kind.IMAGE, "jpeg", "image/jpeg"),
        ("a.jpg", Kind.IMAGE, "jpeg", "image/jpeg"),
        ("a.gif", Kind.IMAGE, "gif", "image/gif"),
        ("a.webp", Kind.IMAGE, "webp", "image/webp"),
    ],
)
def test_the_extension_decides(key: str, kind: Kind, format_: str, content_type: str) -> None:
    assert media_of(key) == Media(kind, format_, content_type)
    assert media_of(f"x.y/{key.upper()}") == Media(kind, format_, content_type)


def test_every_format_is_one_the_model_knows() -> None:
    found = [media_of(f"a.{extension}") for extension in media.EXTENSIONS]
    assert {one.format for one in found if one and one.kind == Kind.VIDEO} == NOVA_VIDEO
    assert {one.format for one in found if one and one.kind == Kind.IMAGE} == NOVA_IMAGE


@pytest.mark.parametrize(
    "key", ["", "mov", "a", "a.", "a.mov/", "a.mov/b", "a.avi", "a.m p4", "a.mov ", "a.three_gp"]
)
def test_what_has_no_accepted_extension_is_no_media(key: str) -> None:
    assert media_of(key) is None


@given(st.text())
def test_any_key_may_be_asked_about(key: str) -> None:
    found = media_of(key)
    assert found is None or found.format in NOVA_VIDEO | NOVA_IMAGE
    assert len(media.format_refusal(key)) < 400


def test_a_refusal_names_the_extension_and_the_accepted_ones() -> None:
    text = media.format_refusal("a/b.AVI")
    assert "'AVI'" in text
    for extension in media.EXTENSIONS:
        assert extension in text


@pytest.mark.parametrize("key", ["a/clip", "a.mov/clip", "clip."])
def test_a_refusal_says_that_there_is_no_extension(key: str) -> None:
    assert "no extension" in media.format_refusal(key)
