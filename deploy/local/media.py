"""A few small, real media files, some with names that have broken other systems."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import cast

import av
from av.video.stream import VideoStream
from PIL import Image, ImageDraw

SIZE = (160, 120)
FRAMES_PER_SECOND = 10
BLOCK = 40


@dataclass(frozen=True)
class Clip:
    """A video to make."""

    name: str
    container: str
    codec: str
    seconds: int


CLIPS = (
    Clip("Video Nov 14 2025, 10 02 14 AM_22153_720p15.mov", "mov", "libx264", 3),
    Clip("Video Mar 17 2025, 1 29 06 PM (1).mov", "mov", "mpeg4", 2),
    Clip("日本語.mp4", "mp4", "libx264", 2),
    Clip("中文.mp4", "mp4", "libx264", 1),
    Clip("Video, 1.mov", "mov", "mpeg4", 1),
    Clip("Video 1.mov", "mov", "mpeg4", 2),
    Clip("C0126_33938_720p15.MP4", "mp4", "libx264", 3),
    Clip("long name " + "x" * 186 + ".mkv", "matroska", "libx264", 1),
    Clip("().mp4", "mp4", "mpeg4", 1),
    Clip("[].webm", "webm", "libvpx", 1),
)
IMAGES = ("pool.png", "Photo (2), north side.jpg", "写真.webp", "IMG_0042.JPEG", "plan.gif")
IMAGE_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".gif": "GIF"}


def make_media(folder: Path) -> list[Path]:
    """Make what is not there yet, and return all of it, videos first."""
    folder.mkdir(parents=True, exist_ok=True)
    for clip in CLIPS:
        _once(folder / clip.name, partial(_write_clip, clip))
    for name in IMAGES:
        _once(folder / name, _write_image)
    return [folder / name for name in (*(clip.name for clip in CLIPS), *IMAGES)]


def _once(path: Path, write: Callable[[Path], None]) -> None:
    """Write under another name first: a file cut off by Ctrl-C must not pass for a finished one."""
    if path.exists():
        return
    unfinished = path.with_name(f".{hashlib.sha256(path.name.encode()).hexdigest()[:16]}{path.suffix}")
    write(unfinished)
    unfinished.rename(path)


def _write_clip(clip: Clip, path: Path) -> None:
    with av.open(str(path), "w", format=clip.container) as container:
        stream = cast(VideoStream, container.add_stream(clip.codec, rate=Fraction(FRAMES_PER_SECOND)))
        stream.width, stream.height = SIZE
        frame: Callable[[Image.Image], av.VideoFrame] = av.VideoFrame.from_image
        stream.pix_fmt = "yuv420p"
        for picture in _pictures(clip.name, clip.seconds * FRAMES_PER_SECOND):
            container.mux(stream.encode(frame(picture)))
        container.mux(stream.encode(None))


def _write_image(path: Path) -> None:
    next(_pictures(path.name, 1)).save(path, IMAGE_FORMATS[path.suffix.lower()])


def _pictures(name: str, count: int) -> Iterator[Image.Image]:
    """Yield pictures of a block that moves over a ground whose colours follow from the name."""
    shade = hashlib.sha256(name.encode()).digest()
    ground, block = (shade[0], shade[1], shade[2]), (shade[3], shade[4], shade[5])
    for number in range(count):
        picture = Image.new("RGB", SIZE, ground)
        left = number * 4 % (SIZE[0] - BLOCK)
        ImageDraw.Draw(picture).rectangle((left, BLOCK, left + BLOCK, 2 * BLOCK), fill=block)
        yield picture
