"""Every kind of image file, made with known pixels and read back: what comes out right, and what is
refused.
"""

from __future__ import annotations

import html
import io
import struct
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from reproduction.image_files import NotReadable, read_image

H, W = 8, 12

#: Grey values (H, W) over the whole range, and the same at 16 bits.
GREY = np.linspace(0, 255, H * W).round().astype(np.uint8).reshape(H, W)
DEEP = np.linspace(0, 65535, H * W).round().astype(np.uint16).reshape(H, W)

#: Colours (H, W, 3), and the same at 16 bits.
COLOUR = np.stack([GREY, 255 - GREY, GREY[::-1]], 2)
DEEP_COLOUR = np.stack([DEEP, 65535 - DEEP, DEEP[::-1]], 2)

#: Opacity (H, W), from opaque to nothing.
ALPHA = GREY[::-1, ::-1].T.reshape(H, W)


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes:
        format: Pillow's name of it.
        stored: what it holds, in Pillow's names of modes where there is one.
        bits: per channel; what is special about this file beside it.
        content: a file of that kind.
        pixels: what has to come out, (H, W, 3); None where it has to be refused.
        within: by how many of 255 levels a value may differ: lossy formats, rounding.
    """

    format: str
    stored: str
    bits: str
    content: bytes
    pixels: np.ndarray | None
    within: int = 0


def table() -> pd.DataFrame:
    """Every kind, read back: format, what is stored, bits, and what came of it: "right", "refused"
    with the reason, or "wrong" with the difference.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds():
            path = Path(folder, "image")
            path.write_bytes(kind.content)
            rows.append((kind.format, kind.stored, kind.bits, *_outcome(kind, path)))
    return pd.DataFrame(rows, columns=["format", "stored", "bits", "outcome", "why"])


def _outcome(kind: Kind, path: Path) -> tuple[str, str]:
    try:
        pixels = np.asarray(read_image(path)).astype(int)
    except NotReadable as error:
        why = str(error).partition("cannot be read as an image ")[2].strip("()")
        return ("refused" if kind.pixels is None else "wrong"), why
    if kind.pixels is None:
        return "wrong", "read, and should be refused"
    if pixels.shape != kind.pixels.shape:
        return "wrong", f"shape {pixels.shape}"
    off = int(np.abs(pixels - kind.pixels).max())
    return ("right" if off <= kind.within else "wrong"), f"within {off}" if off else ""


def kinds() -> Iterator[Kind]:
    """All of them, by format."""
    for made in (_png, _gif, _bmp, _jpeg, _jpeg2000, _ppm, _tiff, _webp, _avif, _others):
        yield from made()


def grey(values: np.ndarray) -> np.ndarray:
    """(H, W) as (H, W, 3)."""
    return np.repeat(np.asarray(values)[..., None], 3, 2)


def over_white(colours: np.ndarray, alpha: np.ndarray = ALPHA) -> np.ndarray:
    """Colours (H, W, 3) over white, at an opacity (H, W) of 0 to 255."""
    share = alpha[..., None] / 255
    return np.round(colours * share + 255 * (1 - share)).astype(int)


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    """The file that Pillow writes."""
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def image_of(*channels: np.ndarray, mode: str) -> Image.Image:
    """An image of 8-bit channels (H, W, n)."""
    return Image.frombytes(mode, (W, H), np.dstack(channels).astype(np.uint8).tobytes())


def _deep(values: np.ndarray) -> np.ndarray:
    """8-bit values at 16 bits."""
    return values.astype(np.uint16) * 257


def _paletted() -> tuple[Image.Image, np.ndarray]:
    """Indices 0 to 95 into a palette, and their colours."""
    index = np.arange(H * W).reshape(H, W)
    palette = np.arange(256)[:, None] * [1, 2, 1] % 256
    image = Image.fromarray(index.astype(np.uint8), "L")
    image.putpalette(palette.astype(np.uint8).tobytes())
    return image, palette[index]


def png(values: np.ndarray, bits: int, colour: int, key: tuple[int, ...] = ()) -> bytes:
    """A PNG of any depth: values (H, W, channels), `colour` the type of the format, `key` the
    colour that is transparent.
    """
    H, W = values.shape[:2]
    if bits < 8:
        planes = np.unpackbits(values.astype(np.uint8).reshape(H, W, 1), axis=2)[..., 8 - bits :]
        rows = np.packbits(planes.reshape(H, -1), axis=1)
    else:
        rows = values.reshape(H, -1).astype(">u2" if bits == 16 else "u1")
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", W, H, bits, colour, 0, 0, 0))]
    if key:
        parts.append((b"tRNS", struct.pack(f">{len(key)}H", *key)))
    parts += [(b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    chunks = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _png() -> Iterator[Kind]:
    bit = GREY > 127
    yield Kind("PNG", "1", "1", png(bit, 1, 0), grey(bit * 255))
    yield Kind("PNG", "1", "1, white transparent", png(bit, 1, 0, (1,)), grey(bit * 255))
    yield Kind("PNG", "L", "2", png(GREY >> 6, 2, 0), grey((GREY >> 6) * 85))
    yield Kind("PNG", "L", "4", png(GREY >> 4, 4, 0), grey((GREY >> 4) * 17))
    yield Kind("PNG", "L", "4, one value transparent", png(GREY >> 4, 4, 0, (7,)), None)
    yield Kind("PNG", "L", "8", png(GREY, 8, 0), grey(GREY))
    keyed = np.where(GREY == GREY[3, 3], 255, GREY)
    yield Kind("PNG", "L", "8, one value transparent", png(GREY, 8, 0, (GREY[3, 3],)), grey(keyed))
    yield Kind("PNG", "I;16", "16", png(DEEP, 16, 0), grey(DEEP >> 8))
    yield Kind("PNG", "I;16", "16, one value transparent", png(DEEP, 16, 0, (0,)), None)
    both = np.dstack([GREY, ALPHA])
    yield Kind("PNG", "LA", "8", png(both, 8, 4), over_white(grey(GREY)), 1)
    yield Kind(
        "PNG", "LA", "16", png(both.astype(np.uint16) * 257, 16, 4), over_white(grey(GREY)), 1
    )
    image, colours = _paletted()
    yield Kind("PNG", "P", "8", saved(image, "PNG"), colours)
    cut = colours.copy()
    cut[0, 5] = 255
    yield Kind("PNG", "P", "8, one transparent", saved(image, "PNG", transparency=5), cut)
    alphas = bytes(range(0, 192, 2))
    shown = over_white(colours, np.frombuffer(alphas, np.uint8).reshape(H, W))
    yield Kind(
        "PNG", "P", "8, half transparent", saved(image, "PNG", transparency=alphas), shown, 1
    )
    yield Kind("PNG", "RGB", "8", png(COLOUR, 8, 2), COLOUR)
    colour = tuple(int(value) for value in COLOUR[3, 3])
    keyed = np.where((COLOUR == colour).all(2)[..., None], 255, COLOUR)
    yield Kind("PNG", "RGB", "8, one colour transparent", png(COLOUR, 8, 2, colour), keyed)
    yield Kind("PNG", "RGB", "16", png(DEEP_COLOUR, 16, 2), DEEP_COLOUR >> 8)
    yield Kind("PNG", "RGB", "16, one colour transparent", png(DEEP_COLOUR, 16, 2, (1, 2, 3)), None)
    four = np.dstack([COLOUR, ALPHA])
    yield Kind("PNG", "RGBA", "8", png(four, 8, 6), over_white(COLOUR), 1)
    yield Kind("PNG", "RGBA", "16", png(_deep(four), 16, 6), over_white(COLOUR), 1)
    first, rest = image_of(COLOUR, mode="RGB"), [image_of(255 - COLOUR, mode="RGB")]
    moving = saved(first, "PNG", save_all=True, append_images=rest)
    yield Kind("PNG", "RGB", "8, animated: the first frame", moving, COLOUR)


def _gif() -> Iterator[Kind]:
    image, colours = _paletted()
    yield Kind("GIF", "P", "8", saved(image, "GIF"), colours)
    cut = colours.copy()
    cut[0, 5] = 255
    yield Kind("GIF", "P", "8, one transparent", saved(image, "GIF", transparency=5), cut)
    yield Kind("GIF", "L", "8", saved(Image.fromarray(GREY), "GIF"), grey(GREY))
    moving = saved(image, "GIF", save_all=True, append_images=[Image.fromarray(255 - GREY)])
    yield Kind("GIF", "P", "8, animated: the first frame", moving, colours)


def _bmp() -> Iterator[Kind]:
    image, colours = _paletted()
    yield Kind("BMP", "1", "1", saved(Image.fromarray(GREY > 127), "BMP"), grey((GREY > 127) * 255))
    yield Kind("BMP", "P", "8", saved(image, "BMP"), colours)
    yield Kind("BMP", "L", "8", saved(Image.fromarray(GREY), "BMP"), grey(GREY))
    yield Kind("BMP", "RGB", "8", saved(image_of(COLOUR, mode="RGB"), "BMP"), COLOUR)
    content = saved(image_of(COLOUR, ALPHA, mode="RGBA"), "BMP")
    yield Kind("BMP", "RGBA", "8, without masks: alpha unused", content, COLOUR)


def _jpeg() -> Iterator[Kind]:
    fine = {"quality": 100, "subsampling": 0}
    yield Kind("JPEG", "L", "8", saved(Image.fromarray(GREY), "JPEG", quality=100), grey(GREY), 3)
    image = image_of(COLOUR, mode="RGB")
    yield Kind("JPEG", "RGB", "8", saved(image, "JPEG", **fine), COLOUR, 4)
    ink = image_of(255 - COLOUR, 0 * GREY, mode="CMYK")
    yield Kind("JPEG", "CMYK", "8", saved(ink, "JPEG", **fine), COLOUR, 4)
    turned = [np.asarray, np.fliplr, lambda a: np.rot90(a, 2), np.flipud]
    turned += [lambda a: a.swapaxes(0, 1), lambda a: np.rot90(a, -1)]
    turned += [lambda a: np.rot90(a.swapaxes(0, 1), 2), np.rot90]
    for number, turn in enumerate(turned, 1):
        exif = Image.Exif()
        exif[0x0112] = number
        content = saved(image, "JPEG", exif=exif, **fine)
        yield Kind("JPEG", "RGB", f"8, orientation {number}", content, turn(COLOUR), 4)
    both = saved(image, "MPO", save_all=True, append_images=[Image.new("RGB", (W, H))], **fine)
    yield Kind("MPO", "RGB", "8, two frames: the first", both, COLOUR, 4)


def _jpeg2000() -> Iterator[Kind]:
    for mode, image, pixels in (
        ("L", Image.fromarray(GREY), grey(GREY)),
        ("LA", image_of(GREY, ALPHA, mode="LA"), over_white(grey(GREY))),
        ("RGB", image_of(COLOUR, mode="RGB"), COLOUR),
        ("RGBA", image_of(COLOUR, ALPHA, mode="RGBA"), over_white(COLOUR)),
    ):
        yield Kind("JPEG2000", mode, "8", saved(image, "JPEG2000"), pixels, len(mode) in (2, 4))
    yield Kind("JPEG2000", "I;16", "16", saved(Image.fromarray(DEEP), "JPEG2000"), grey(DEEP >> 8))


def _ppm() -> Iterator[Kind]:
    def netpbm(letter: str, values: np.ndarray, most: int | None = None) -> bytes:
        head = f"{letter}\n{W} {H}\n" + ("" if most is None else f"{most}\n")
        text = " ".join(map(str, values.ravel().tolist()))
        plain = letter in ("P1", "P2", "P3")
        data = text.encode() if plain else values.astype(">u2" if most > 255 else "u1").tobytes()
        return head.encode() + data

    black = (GREY <= 127).astype(int)
    yield Kind("PPM", "1", "1, as text", netpbm("P1", black), grey(255 - 255 * black))
    for most, note in ((255, "8"), (100, "8, up to 100"), (1023, "16, up to 1023"), (65535, "16")):
        values = np.linspace(0, most, H * W).round().astype(int).reshape(H, W)
        colours = np.stack([values, most - values, values[::-1]], 2)
        for letter, mode, stored in (("P5", "L or I", values), ("P6", "RGB", colours)):
            pixels = np.round(stored * 255 / most).astype(int)
            pixels = pixels if letter == "P6" else grey(pixels)
            yield Kind("PPM", mode, note, netpbm(letter, stored, most), pixels, most > 255)
            text = netpbm({"P5": "P2", "P6": "P3"}[letter], stored, most)
            yield Kind("PPM", mode, f"{note}, as text", text, pixels, most > 255)
    for sign, order, note in ((-1, "<f4", "little-endian"), (1, ">f4", "big-endian")):
        head = f"Pf\n{W} {H}\n{sign}\n".encode()
        upward = (GREY[::-1] / 255).astype(order)
        yield Kind("PPM", "F", f"32, float, {note}", head + upward.tobytes(), grey(GREY))
        bright = (2 * upward).astype(order).tobytes()
        yield Kind("PPM", "F", f"32, float, {note}, above 1", head + bright, None)


def tiff(
    values: np.ndarray,
    photometric: int,
    *,
    bits: int = 0,
    order: str = "<",
    form: int = 1,
    extra: int | None = None,
    palette: np.ndarray | None = None,
) -> bytes:
    """A TIFF of one strip.

    Args:
        values: (H, W, channels), of the type that is stored; of 12 bits: `bits`, already packed.
        photometric, form, extra: PhotometricInterpretation, SampleFormat and ExtraSamples.
        order: "<" or ">".
        palette: (256, 3) of 8 bits.
    """
    channels = values.shape[2] if values.ndim == 3 else 1
    depth = bits or values.dtype.itemsize * 8
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    tags = [(256, "I", [W]), (257, "I", [H]), (258, "H", [depth] * channels), (259, "H", [1])]
    tags += [(262, "H", [photometric]), (273, "I", [8]), (277, "H", [channels])]
    tags += [(278, "I", [H]), (279, "I", [len(data)])]
    if palette is not None:
        tags.append((320, "H", (palette.T.astype(int) * 257).ravel().tolist()))
    if extra is not None:
        tags.append((338, "H", [extra]))
    tags.append((339, "H", [form] * channels))
    at = 8 + len(data)
    later, entries = at + 2 + 12 * len(tags) + 4, b""
    tail = b""
    for tag, code, numbers in tags:
        body = struct.pack(f"{order}{len(numbers)}{code}", *numbers)
        kind = {"H": 3, "I": 4}[code]
        entries += struct.pack(f"{order}HHI", tag, kind, len(numbers))
        if len(body) > 4:
            entries += struct.pack(f"{order}I", later + len(tail))
            tail += body + b"\0" * (len(body) % 2)
        else:
            entries += body.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, at)
    return head + data + struct.pack(f"{order}H", len(tags)) + entries + b"\0\0\0\0" + tail


def _tiff() -> Iterator[Kind]:
    for order, note in (("<", "little-endian"), (">", "big-endian")):
        yield from _tiff_in(order, note)
    pairs = (DEEP >> 4).reshape(-1, 2).astype(int)  # two numbers of 12 bits in three bytes
    packed = np.stack(
        [pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], 1
    )
    twelve = tiff(packed.astype(np.uint8).reshape(H, -1), 1, bits=12)
    yield Kind("TIFF", "I;16", "12", twelve, grey(DEEP >> 8))
    image = image_of(COLOUR, mode="RGB")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        content = saved(image, "TIFF", compression=compression)
        yield Kind("TIFF", "RGB", f"8, {compression.removeprefix('tiff_')}", content, COLOUR)
    pages = saved(image, "TIFF", save_all=True, append_images=[Image.new("RGB", (W, H))])
    yield Kind("TIFF", "RGB", "8, two pages: the first", pages, COLOUR)
    exif = Image.Exif()
    exif[0x0112] = 6
    content = saved(image, "TIFF", exif=exif)
    yield Kind("TIFF", "RGB", "8, orientation 6", content, np.rot90(COLOUR, -1))


def _tiff_in(order: str, note: str) -> Iterator[Kind]:
    def kind(mode, bits, values, photometric, pixels, within=0, **options):
        content = tiff(values, photometric, order=order, **options)
        return Kind("TIFF", mode, f"{bits}, {note}", content, pixels, within)

    real = (GREY / 255).astype(np.float32)
    yield kind("L", "8", GREY, 1, grey(GREY))
    yield kind("L", "8, 0 is white", 255 - GREY, 0, grey(GREY))
    yield kind("L", "8, signed", GREY.astype(np.int8), 1, None, form=2)
    yield kind("I;16", "16", DEEP, 1, grey(DEEP >> 8))
    yield kind("I;16", "16, 0 is white", 65535 - DEEP, 0, grey(DEEP >> 8) if order == "<" else None)
    yield kind("I", "16, signed", (DEEP >> 1).astype(np.int16), 1, None, form=2)
    yield kind("I", "32", DEEP.astype(np.uint32), 1, None)
    yield kind("I", "32, signed", DEEP.astype(np.int32), 1, None, form=2)
    yield kind("F", "32, float", real, 1, grey(GREY), form=3)
    yield kind("F", "32, float, 0 is white", 1 - real, 0, grey(GREY), form=3)
    yield kind("F", "32, float, up to 255", real * 255, 1, None, form=3)
    hole = real.copy()
    hole[2, 2] = np.nan
    yield kind("F", "32, float, with NaN", hole, 1, None, form=3)
    yield kind("F", "64, float", real.astype(np.float64), 1, None, form=3)
    whole, faded = over_white(grey(GREY)), (GREY * (ALPHA / 255)).round().astype(np.uint8)
    yield kind("LA", "8", np.dstack([GREY, ALPHA]), 1, whole, 1, extra=2)
    yield kind("La", "8, premultiplied", np.dstack([faded, ALPHA]), 1, whole, 2, extra=1)
    image, colours = _paletted()
    index = np.asarray(image)
    palette = np.array(image.getpalette("RGB")).reshape(-1, 3)
    yield kind("P", "8", index, 3, colours, palette=palette)
    both = np.dstack([index, ALPHA])
    yield kind("PA", "8", both, 3, over_white(colours), 1, palette=palette, extra=2)
    yield kind("RGB", "8", COLOUR, 2, COLOUR)
    yield kind("RGB", "16", DEEP_COLOUR, 2, DEEP_COLOUR >> 8)
    four = np.dstack([COLOUR, ALPHA])
    yield kind("RGBA", "8", four, 2, over_white(COLOUR), 1, extra=2)
    yield kind("RGBA", "16", _deep(four), 2, over_white(COLOUR), 1, extra=2)
    dim = (COLOUR * (ALPHA[..., None] / 255)).round().astype(np.uint8)
    yield kind(
        "RGBa", "8, premultiplied", np.dstack([dim, ALPHA]), 2, over_white(COLOUR), 2, extra=1
    )
    ink = np.dstack([255 - COLOUR, 0 * GREY])
    yield kind("CMYK", "8", ink, 5, COLOUR)
    yield kind("CMYK", "16", ink.astype(np.uint16) * 257, 5, COLOUR)
    luma = np.asarray(image_of(COLOUR, mode="RGB").convert("YCbCr"))
    yield kind("YCbCr", "8", luma, 6, COLOUR, 3)
    yield kind("LAB", "8", COLOUR, 8, None)


def _webp() -> Iterator[Kind]:
    image = image_of(COLOUR, mode="RGB")
    exact = {"lossless": True, "exact": True}
    yield Kind("WEBP", "RGB", "8, lossless", saved(image, "WEBP", **exact), COLOUR)
    four = image_of(COLOUR, ALPHA, mode="RGBA")
    yield Kind("WEBP", "RGBA", "8, lossless", saved(four, "WEBP", **exact), over_white(COLOUR), 1)
    frames = saved(image, "WEBP", save_all=True, append_images=[Image.new("RGB", (W, H))], **exact)
    yield Kind("WEBP", "RGB", "8, animated: the first frame", frames, COLOUR)


def _avif() -> Iterator[Kind]:
    fine = {"quality": 100, "subsampling": "4:4:4"}
    image, four = image_of(COLOUR, mode="RGB"), image_of(COLOUR, ALPHA, mode="RGBA")
    yield Kind("AVIF", "RGB", "8", saved(image, "AVIF", **fine), COLOUR, 4)
    yield Kind("AVIF", "RGBA", "8", saved(four, "AVIF", **fine), over_white(COLOUR), 4)


def _others() -> Iterator[Kind]:
    image = image_of(COLOUR, mode="RGB")
    for format in ("BLP", "DDS", "DIB", "EPS", "ICO", "PCX", "QOI", "SGI", "TGA"):
        source = image.quantize(8) if format == "BLP" else image
        yield Kind(format, source.mode, "8", saved(source, format), None)
    yield Kind("SPIDER", "F", "32, float", saved(Image.fromarray(GREY), "SPIDER"), None)
    yield Kind("MSP", "1", "1", saved(Image.fromarray(GREY > 127), "MSP"), None)
    yield Kind("XBM", "1", "1", saved(Image.fromarray(GREY > 127), "XBM"), None)


def page() -> str:
    """The table as the book has it, a row per kind."""
    signs = {"right": "read", "refused": "refused"}
    lines = ["| format | stored as | bits a channel | what comes of it |", "|---|---|---|---|"]
    for row in table().to_dict("records"):
        told = signs.get(row["outcome"], row["outcome"])
        told += f": {row['why']}" if row["why"] and row["outcome"] != "right" else ""
        cells = (row["format"], row["stored"], row["bits"], told)
        lines.append("| " + " | ".join(html.escape(str(cell)) for cell in cells) + " |")
    return "\n".join([":::{div} wide stacked kinds", "", *lines, "", ":::"])
