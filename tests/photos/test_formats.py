"""AVIF and HEIC: which parser is asked, what is upright, and what a missing one says."""

import io
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageOps

from graphnets.errors import PhotoError
from graphnets.photos import images, kinds

RED, GREEN, BLUE, GREY = (200, 20, 20), (20, 200, 20), (20, 20, 200), (120, 120, 120)
ORIENTATION = 0x0112


def drawn(width=80, height=48):
    """A quarter of each colour."""
    picture = np.empty((height, width, 3), np.uint8)
    down, across = height // 2, width // 2
    picture[:down, :across], picture[:down, across:] = RED, GREEN
    picture[down:, :across], picture[down:, across:] = BLUE, GREY
    return Image.fromarray(picture)


def encoded(picture, kind, **options):
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    buffer = io.BytesIO()
    picture.save(buffer, kind, quality=90, **options)
    return buffer.getvalue()


KINDS = pytest.mark.parametrize("kind", ["AVIF", "HEIF"])


@KINDS
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_upright_once(kind, orientation):
    """The file says it twice, to decoders and in EXIF."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encoded(drawn(), kind, exif=exif.tobytes())
    turned = drawn()
    turned.getexif()[ORIENTATION] = orientation
    expected = np.asarray(ImageOps.exif_transpose(turned)).astype(int)
    assert (b"irot" in data or b"imir" in data) == (orientation > 1)
    found = images.pixels(data)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 4  # no quarter has the colour of another


@KINDS
def test_exif_alone_turns_nothing(kind):
    """As ISO 23008-12 has it: what turns is a property of the picture."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    data = encoded(drawn(), kind, exif=exif.tobytes())
    angle = data.index(b"irot") + 4
    assert images.pixels(data).shape == (80, 48, 3)
    assert images.pixels(data[:angle] + b"\0" + data[angle + 1 :]).shape == (48, 80, 3)


@KINDS
def test_grey_and_transparent_pictures(kind):
    grey = images.pixels(encoded(drawn().convert("L"), kind))
    assert np.ptp(grey.astype(int), axis=-1).max() <= 2
    clear = drawn().convert("RGBA")
    clear.putalpha(Image.new("L", clear.size, 0))
    assert images.pixels(encoded(clear, kind)).min() == 255


@KINDS
def test_of_many_pictures_one_is_taken(kind):
    data = encoded(drawn(), kind, save_all=True, append_images=[Image.new("RGB", (80, 48))])
    assert np.abs(images.pixels(data)[4, 4].astype(int) - RED).max() < 12


def test_ten_bits_become_eight():
    heif = pytest.importorskip("pillow_heif")
    values = np.linspace(0, 65535, 64 * 64 * 3).reshape(64, 64, 3).astype("<u2")
    buffer = io.BytesIO()
    heif.encode("RGB;16", (64, 64), values.tobytes(), buffer, quality=100)
    found = images.pixels(buffer.getvalue())
    assert np.abs(found.astype(int) - (values >> 8)).mean() < 3


@KINDS
@pytest.mark.parametrize("kept", [40, 0.5, 0.9])
def test_a_cut_file_is_refused(kind, kept):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    data = data[: kept if kept > 1 else int(len(data) * kept)]
    with pytest.raises(PhotoError, match=r"^(damaged or cut off|cannot be read \(.*\))$"):
        images.pixels(data)


@KINDS
def test_a_header_of_too_many_pixels_is_refused_before_they_are_decoded(kind):
    data = encoded(drawn(), kind)
    size = b"ispe\0\0\0\0" + (80).to_bytes(4, "big") + (48).to_bytes(4, "big")
    start = data.index(b"ispe")
    wide = data[: start + 8] + (30_000).to_bytes(4, "big") * 2 + data[start + len(size) :]
    try:
        found = images.pixels(wide)
    except PhotoError as refused:
        assert re.search(r"too many|more pixels|cannot be read|damaged", str(refused))
    else:  # older parsers of HEIC go by the pixels that are there
        assert kind == "HEIF" and found.size == images.pixels(data).size


def ftyp(major, *compatible):
    body = b"ftyp" + major + bytes(4) + b"".join(compatible)
    return (len(body) + 4).to_bytes(4, "big") + body


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (ftyp(b"isom", b"mp42"), "not a JPEG, PNG"),
        (ftyp(b"mif1", b"miaf"), "not a JPEG, PNG"),
        (ftyp(b"mif1", b"avif"), "damaged or cut off"),
        (ftyp(b"avif"), "damaged or cut off"),
        (ftyp(b"isom", b"mp42") + b"heic" * 9, "not a JPEG, PNG"),  # behind the box
    ],
)
def test_brands_say_which_parser_is_asked(data, problem):
    with pytest.raises(PhotoError, match=f"^{problem}"):
        images.pixels(data)


def test_without_the_plugin_a_heic_says_what_reads_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    for brands in ((b"heic",), (b"mif1", b"mif1", b"heic"), (b"msf1", b"hevc"), (b"heix",)):
        with pytest.raises(PhotoError, match=r"^a HEIC picture; pip install 'graphnets\[heic\]' "):
            images.pixels(ftyp(*brands))


def test_a_pillow_without_avif_says_which_has_it(monkeypatch):
    plugin = pytest.importorskip("PIL.AvifImagePlugin")
    monkeypatch.setattr(plugin, "SUPPORTED", False)
    with pytest.raises(PhotoError, match=r"^an AVIF picture, which Pillow reads from 11\.3 on; "):
        images.pixels(ftyp(b"avif"))


def test_the_plugin_is_imported_for_heic_alone():
    pytest.importorskip("pillow_heif")
    program = (
        "import io, sys; from PIL import Image; from graphnets.photos import images\n"
        "file = io.BytesIO(); Image.new('RGB', (9, 9)).save(file, 'AVIF')\n"
        "images.pixels(file.getvalue()); print('pillow_heif' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert (ran.stdout, ran.stderr) == ("False\n", "")


def test_only_the_parser_that_fits_is_named():
    assert kinds.FORMATS == ("PNG", "BMP", "GIF", "PPM", "WEBP")
    for kind in ("TIFF", "AVIF"):
        assert kinds.header(io.BytesIO(encoded(drawn(), kind))).format == kind
