"""A photo's bytes to the network's input, in the graph.

The features, the exported classifier and `predict` all decode through these ops, so that no
photo can look different in training and in use.
"""

from __future__ import annotations

import tensorflow.compat.v1 as tf

from graphnets.photos.exif import ENTRY, HEAD, LONG, SEGMENT, SHORT, TAG
from graphnets.photos.exif import MARK as EXIF

JPEG = b"\xff\xd8"  # what one begins with
# Grey or RGB with alpha, or a chunk that says what is transparent; \C is any byte.
TRANSPARENT_PNG = r"\CPNG\C{21}[\x04\x06]\C*|\CPNG\C*tRNS\C*"
PREPROCESSING = "decode_jpeg, upright, bilinear"  # part of the feature store's key


def may_be_turned(data: bytes) -> bool:
    """Whether `decode` has to look for an EXIF orientation in the bytes of a photo."""
    return EXIF in data[:HEAD]


def decode(contents: tf.Tensor, turn: bool = True) -> tf.Tensor:
    """Decode one photo and turn it upright as its EXIF orientation says.

    contents: scalar string, a JPEG or a PNG. Of anything else, GIFs included, decoding fails.
    turn=False leaves EXIF and transparency alone: the same picture, sooner, of the bytes that
    `images.contents` gives, where `may_be_turned` is False.
    Returns uint8 (height, width, 3), RGB. CMYK and grey become RGB, 16 bits are cut to 8,
    transparency is laid over white.
    """
    with tf.name_scope("photo"):  # frozen graphs own names such as DecodeJpeg
        if not turn:
            return tf.image.decode_jpeg(contents, channels=3)
        # Of a PNG, what stands in front of the pixels, which may spell anything.
        front = tf.strings.substr(contents, 0, HEAD)
        front = tf.strings.regex_replace(front, r"^(\CPNG\C*?)IDAT\C*", r"\1")
        image = _decoded(contents, front)
        as_jpeg = JPEG + SEGMENT + b"\xff\xff" + EXIF
        exif = tf.strings.regex_replace(front, r"^\CPNG\C*eXIf", as_jpeg)
        orientation = exif_orientation(exif)
        # EXIF 2.3, tag 0x0112: 5 to 8 are 1 to 4 mirrored at the main diagonal.
        image = tf.transpose(image, tf.where(orientation >= 5, [1, 0, 2], [0, 1, 2]))
        upside_down = _is_one_of(orientation, (3, 4, 7, 8))
        mirrored = _is_one_of(orientation, (2, 3, 6, 7))
        # Reverse takes its axes as flags; a cond would put functions into the frozen graph.
        image = tf.raw_ops.Reverse(tensor=image, dims=tf.stack([upside_down, mirrored, False]))
        image.set_shape([None, None, 3])
        return image


def _decoded(contents: tf.Tensor, front: tf.Tensor) -> tf.Tensor:
    """uint8 (height, width, 3) of a JPEG or a PNG; front: its first bytes, without pixels."""
    has_alpha = tf.strings.regex_full_match(front, TRANSPARENT_PNG)
    # What a cond was made of before it put functions into the graph; most photos have no alpha.
    other, png = tf.raw_ops.Switch(data=contents, pred=has_alpha)
    is_gif = tf.equal(tf.strings.substr(other, 0, 3), "GIF")
    # The op would decode a GIF, too, but without its transparency.
    opaque = tf.image.decode_jpeg(tf.where(is_gif, "a GIF", other), channels=3)
    return tf.raw_ops.Merge(inputs=[opaque, _over_white(png)]).output


def _over_white(png: tf.Tensor) -> tf.Tensor:
    """uint8 (height, width, 3), rounded as Pillow's `alpha_composite` does."""
    rgba = tf.cast(tf.image.decode_png(png, channels=4), tf.int32)
    color, alpha = rgba[..., :3], rgba[..., 3:]
    total = color * alpha + 255 * (255 - alpha) + 128
    return tf.cast(tf.bitwise.right_shift(total + tf.bitwise.right_shift(total, 8), 8), tf.uint8)


def resize(image: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """uint8 (height, width, 3) to float32 (1, *size, 3), 0 to 255.

    Bilinear, neither aligned corners nor half pixels: what the Inception graph of 2015 does.
    """
    with tf.name_scope("photo"):
        return tf.raw_ops.ResizeBilinear(images=image[tf.newaxis], size=size)


def exif_orientation(contents: tf.Tensor) -> tf.Tensor:
    """The EXIF orientation of a JPEG, 1 to 8, as a scalar int32; 1 where there is none.

    contents: scalar string. Nothing in it can make this fail: bytes outside of it read as 0,
    damaged EXIF is no EXIF, and an entry counts that lies in its segment whole.
    """
    head = tf.cast(tf.decode_raw(tf.strings.substr(contents, 0, HEAD), tf.uint8), tf.int32)
    data = tf.concat([head, tf.zeros([16], tf.int32)], 0)
    starts = tf.size(head) + 1  # not 0, where argmax would fail
    # The TIFF header that follows it is what offsets count from.
    marks = [*enumerate(SEGMENT), *enumerate(EXIF, 4)]
    found = tf.reduce_all([tf.equal(data[i : starts + i], code) for i, code in marks], 0)
    segment = tf.cast(tf.argmax(tf.cast(found, tf.int32)), tf.int32)
    tiff = segment + 10

    def byte(at):
        inside = (at >= 0) & (at < tf.size(data))
        return tf.where(inside, tf.gather(data, tf.where(inside, at, at * 0)), at * 0)

    little_endian = tf.equal(byte(tiff), ord("I"))

    def word(at):
        first, second = byte(at), byte(at + 1)
        return tf.where(little_endian, first + 256 * second, 256 * first + second)

    def long(at):
        first, second = word(at), word(at + 2)
        lower, upper = (tf.where(little_endian, *w) for w in ((first, second), (second, first)))
        # HEAD is 64 KiB: an offset with an upper half points behind it.
        return tf.where(tf.equal(upper, 0), lower, at * 0 + starts)

    first_ifd = tiff + long(tiff + 4)
    entries = first_ifd + 2 + ENTRY * tf.range(word(first_ifd))
    kind = word(entries + 2)
    end = segment + 2 + 256 * byte(segment + 2) + byte(segment + 3)
    end = tf.minimum(end, tf.size(head))
    whole = tf.equal(word(entries), TAG) & tf.equal(long(entries + 4), 1) & (entries + ENTRY <= end)
    numbers = tf.where(tf.equal(kind, LONG), long(entries + 8), word(entries + 8))
    values = tf.where(whole & (tf.equal(kind, SHORT) | tf.equal(kind, LONG)), numbers, entries * 0)
    value = tf.reduce_max(tf.concat([values, [0]], 0))
    is_jpeg = tf.equal(byte(0), 0xFF) & tf.equal(byte(1), 0xD8)  # a PNG's pixels may spell EXIF
    is_tiff = _is_one_of(word(tiff), (0x4949, 0x4D4D)) & tf.equal(word(tiff + 2), 42)
    valid = tf.reduce_any(found) & is_jpeg & is_tiff & (value >= 1) & (value <= 8)
    return tf.where(valid, value, 1)


def _is_one_of(value: tf.Tensor, choices: tuple[int, ...]) -> tf.Tensor:
    return tf.reduce_any(tf.equal(value, choices))
