"""One image file as 8-bit RGB: right, or refused by name, for every kind that Pillow opens."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from pathlib import Path
from stat import S_ISREG

import numpy as np
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

#: What Pillow calls the formats that are read (MPO is what many cameras write as .jpg). The others
#: need further programs, or leave open how bright a value is.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")

#: The endings, in small letters, that make a file one of the images of a folder.
SUFFIXES = (
    ".apng",
    ".avif",
    ".bmp",
    ".gif",
    ".j2k",
    ".jfif",
    ".jp2",
    ".jpe",
    ".jpeg",
    ".jpg",
    ".mpo",
    ".pbm",
    ".pfm",
    ".pgm",
    ".png",
    ".pnm",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
)

#: The most pixels an image may have, decoded or scaled: where Pillow begins to warn.
MAX_PIXELS = 89_478_485

# One image at a time from this size on, so that threads do not multiply what a large one needs.
_LARGE = 2**22

_one_large_image = threading.Lock()

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Tags of TIFF.
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339


class NotReadable(ValueError):
    """A file that cannot be read as an image; the message names it and says why."""


def read_image(path: Path) -> Image.Image:
    """The picture in a file, as a viewer shows it: mode RGB, 8 bits.

    - Eight bits per channel: as Pillow converts them to RGB. Embedded colour profiles are not
      applied.
    - Sixteen bits, or 12 in a TIFF: scaled by the depth (the upper eight bits). Floats: 0 is black
      and 1 is white; any value outside is refused. Grey values for which small is white are
      inverted.
    - Transparent: laid over white. Several frames or pages: the first one. Turned as EXIF's
      orientation says, where that can be read.
    - Refused: formats that are not in `FORMATS`, signed or 32-bit whole numbers, L*a*b*, a
      transparent colour of other than 8 bits, more than `MAX_PIXELS` pixels (before any is
      decoded), what is truncated, a PNG with a wrong checksum, and whatever is no regular file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("I;16", (2, 1), 65535).save(Path(folder, "a.png"))
    ...     read_image(Path(folder, "a.png")).getpixel((0, 0))
    (255, 255, 255)

    Raises:
        NotReadable: a ValueError, for any file that is not read.
    """
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):
            raise ValueError("no regular file")
        if not status.st_size:
            raise ValueError("the file is empty")
        with Image.open(path) as image:
            _check(image)
            if image.format == "PNG":  # its checksums are not looked at in decoding
                with Image.open(path) as stored:
                    stored.verify()
            width, height = image.size
            with _one_large_image if width * height > _LARGE else nullcontext():
                image.load()
                return _upright(_rgb(image), image)
    except Exception as error:  # Pillow's decoders raise errors of many kinds at a damaged file
        raise NotReadable(f"{shown(path)} cannot be read as an image ({_why(error)})") from error


def shown(path: Path | str) -> str:
    """A path as it stands in a message: on one line, with any other sign escaped.

    >>> shown("a b/ü.png"), shown("two\\nlines")
    ('a b/ü.png', "'two\\\\nlines'")
    """
    text = str(path)
    return text if text.isprintable() else repr(text)


def _why(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "of no format that Pillow knows"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split())[:200]
    return shown(text) if isinstance(error, ValueError) else f"{type(error).__name__}: {text}"


def _check(image: ImageFile) -> None:
    """Refuse, before anything is decoded, what would come out wrong or not at all."""
    if image.format not in FORMATS:
        raise ValueError(f"format {image.format}; those read are {', '.join(FORMATS)}")
    width, height = image.size
    if not 0 < width * height <= MAX_PIXELS:
        raise ValueError(f"{width} x {height} pixels; at least 1 and at most {MAX_PIXELS:,} in all")
    if image.mode == "LAB":
        raise ValueError("L*a*b* colours")
    if image.format == "TIFF" and 2 in _all(_tag(image, _SAMPLE_FORMAT, 1)):
        raise ValueError("signed numbers: the file does not say which is white")
    if image.mode == "I" and image.format != "PPM":
        raise ValueError("whole numbers of 32 bits: the file does not say which is white")
    if image.mode in ("L", "RGB", "I;16") and "transparency" in image.info:
        stored = image.tile[0].args if image.tile else None
        # Pillow compares the colour as it is stored with pixels that are scaled already.
        if image.format == "PNG" and stored != image.mode or image.mode == "I;16":
            raise ValueError("a transparent colour of other than 8 bits")


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    if image.mode == "La":
        image = image.convert("LA")
    over = image.convert("RGBA")
    white = Image.new("RGBA", over.size, "white")
    return Image.alpha_composite(white, over).convert("RGB")


def _eight_bits(image: Image.Image) -> np.ndarray:
    """The grey values (H, W) of a deeper image, as uint8."""
    values = np.asarray(image)
    if image.mode == "F":
        low, high = values.min(), values.max()
        if not (low >= 0 and high <= 1):  # NaN too
            raise ValueError(f"floats from {low:g} to {high:g}; 0 is black and 1 is white")
        grey = np.round(values * 255)
    else:  # Pillow scales every PPM to 16 bits, and leaves the 12 bits of a TIFF as they are
        grey = values >> (_tag(image, _BITS, (16,))[0] - 8)
    if _tag(image, _PHOTOMETRIC, 1) == 0:
        grey = 255 - grey
    return grey.astype(np.uint8)


def _tag(image: Image.Image, tag: int, default: object) -> object:
    return image.tag_v2.get(tag, default) if isinstance(image, TiffImageFile) else default


def _all(value: object) -> tuple:
    return value if isinstance(value, tuple) else (value,)


def _upright(picture: Image.Image, source: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(source.getexif().get(ExifTags.Base.Orientation))
    except Exception:  # such metadata are left aside by every viewer, too
        turn = None
    return picture.transpose(turn) if turn is not None else picture
