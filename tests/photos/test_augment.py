"""Augmentation: options, draws, and the sampling against scipy, TensorFlow's own ops and NumPy."""

import dataclasses
import io
import math

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from scipy.ndimage import map_coordinates

from graphnets.errors import GraphnetsError
from graphnets.photos import augment, jpeg
from graphnets.photos.augment import apply, contact_sheet, draw
from graphnets.photos.augmentation import LIMITS, PHOTO_AUGMENTATION, Augmentation

SIZE = (24, 32)
HEIGHT, WIDTH = SIZE
KEY = "0123456789abcdef0123456789abcdef"
IDENTITY = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
EVERYTHING = Augmentation(
    flip_left_right=True,
    random_crop=20,
    random_scale=30,
    random_brightness=40,
    rotation=50,
    width_shift=0.1,
    height_shift=0.2,
    shear=0.3,
    zoom=0.4,
)


def draws(options, count=2000, size=SIZE):
    """(count, 2, 3) transforms and (count,) brightnesses, of as many copies of one photo."""
    drawn = [draw(options, size, 0, KEY, copy) for copy in range(count)]
    return np.stack([d.transform for d in drawn]), np.array([d.brightness for d in drawn])


def only(**options):
    return draws(Augmentation(**options))


def spread_evenly(values, low, high):
    """Whether many values fill the range: none outside, deciles where a uniform draw has them."""
    assert low <= values.min() and values.max() <= high
    deciles = np.quantile(values, np.linspace(0, 1, 11))
    np.testing.assert_allclose(deciles, np.linspace(low, high, 11), atol=0.05 * (high - low))
    return True


@pytest.fixture(scope="module")
def variant():
    """(image, transform, brightness=1, size=SIZE) -> the picture (*size, 3)."""
    sessions = {}

    def run(image, transform, brightness=1.0, size=SIZE):
        if size not in sessions:
            with tf.Graph().as_default():
                feeds = [
                    tf.placeholder(tf.uint8, [None, None, 3]),
                    tf.placeholder(tf.float32, [2, 3]),
                    tf.placeholder(tf.float32, []),
                ]
                result = apply(*feeds, size)
                assert (result.dtype, result.shape) == (tf.float32, (1, *size, 3))
                sessions[size] = tf.Session().make_callable(result, feeds)
        return sessions[size](image, transform, brightness)[0]

    return run


def resized(image, size=SIZE):
    with tf.Graph().as_default(), tf.Session() as session:
        return session.run(jpeg.resize(tf.constant(image), size))[0]


def noise(*size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def test_all_is_off_by_default():
    off = Augmentation()
    assert not off.active
    assert off.describe() == ""
    assert off == Augmentation(flip_left_right=False, random_crop=0.0, zoom=0)


@pytest.mark.parametrize("name", ["flip_left_right", *LIMITS])
def test_each_option_alone_makes_it_active(name):
    options = dataclasses.replace(Augmentation(), **{name: getattr(EVERYTHING, name)})
    assert options.active
    assert options.describe() == f"{name}={float(getattr(EVERYTHING, name))}"


def test_equal_options_have_one_description_and_others_another():
    assert Augmentation(rotation=30) == Augmentation(rotation=np.float32(30))
    assert Augmentation(rotation=30).describe() == Augmentation(rotation=np.float32(30)).describe()
    assert Augmentation(zoom=0.1) != Augmentation(zoom=np.float32(0.1))
    assert Augmentation(zoom=0.1).describe() != Augmentation(zoom=0.1 + 1e-12).describe()
    assert Augmentation(zoom=0.1).describe() != Augmentation(shear=0.1).describe()


def test_the_preset_for_photos():
    assert PHOTO_AUGMENTATION.describe() == (
        "flip_left_right=1.0, rotation=30.0, width_shift=0.1, height_shift=0.1, shear=0.2, zoom=0.2"
    )


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"random_crop": 100}, "random_crop 100; wanted a number from 0 (off) to 99 percent"),
        ({"random_scale": -1}, "random_scale -1; wanted a number from 0 (off) to 99 percent"),
        ({"random_brightness": math.nan}, "random_brightness nan; wanted a number from 0 (off) to"),
        ({"rotation": 181}, "rotation 181; wanted a number from 0 (off) to 180 degrees"),
        ({"width_shift": 1.5}, "width_shift 1.5; wanted a number from 0 (off) to 0.99 of the w"),
        ({"height_shift": -0.1}, "height_shift -0.1; wanted a number from 0 (off) to 0.99 of the"),
        ({"shear": 10}, "shear 10; wanted a number from 0 (off) to 1 (the tangent of the angle)"),
        ({"zoom": math.inf}, "zoom inf; wanted a number from 0 (off) to 0.9 of the size"),
        ({"zoom": (0.8, 1.2)}, "zoom (0.8, 1.2); wanted a number"),
        ({"rotation": "30"}, "rotation '30'; wanted a number"),
        ({"flip_left_right": "no"}, "flip_left_right 'no'; wanted True or False"),
    ],
)
def test_an_option_out_of_its_range_is_an_error(option, message):
    with pytest.raises(GraphnetsError) as error:
        Augmentation(**option)
    assert f"got {message}" in str(error.value)


@pytest.mark.parametrize("name", LIMITS)
def test_the_limit_itself_is_allowed_and_still_shows_something(name):
    transforms, brightness = draws(Augmentation(**{name: LIMITS[name][0]}), 100)
    assert np.abs(np.linalg.det(transforms[:, :, :2])).min() > 0
    assert brightness.min() > 0


def test_off_draws_the_photo_itself():
    transforms, brightness = draws(Augmentation(), 10)
    np.testing.assert_array_equal(transforms, [IDENTITY] * 10)
    np.testing.assert_array_equal(brightness, np.ones(10))
    assert (transforms.dtype, brightness.dtype) == (np.float32, np.float32)


def test_the_same_seed_key_and_copy_draw_the_same():
    first, second = (draw(EVERYTHING, SIZE, 1, KEY, 2) for _ in range(2))
    np.testing.assert_array_equal(first.transform, second.transform)
    assert first.brightness == second.brightness


def test_another_seed_key_or_copy_draws_another():
    arguments = [(1, KEY, 2), (2, KEY, 2), (1, KEY[::-1], 2), (1, KEY, 3), (12, KEY, 2)]
    drawn = [draw(EVERYTHING, SIZE, *a).transform.tobytes() for a in arguments]
    assert len(set(drawn)) == len(arguments)


def test_draws_stay_the_same_for_ever():
    """Features of variants lie in stores: these numbers must not change with any version."""
    transform, brightness = draw(EVERYTHING, SIZE, 1, KEY, 2)
    expected = [[-0.43037862, -0.4269883, 28.669212], [-0.18803138, 0.6078264, 10.381963]]
    np.testing.assert_allclose(transform, expected, rtol=1e-6)
    assert brightness == np.float32(1.0916764)


def test_an_option_draws_the_same_whatever_else_is_on():
    transforms, _ = only(rotation=50)
    angles = np.arctan2(transforms[:, 0, 1], transforms[:, 0, 0])
    both, _ = only(rotation=50, random_crop=20)
    np.testing.assert_allclose(np.arctan2(both[:, 0, 1], both[:, 0, 0]), angles, atol=1e-6)
    assert (only(random_brightness=40)[1] == draws(EVERYTHING)[1]).all()


def test_a_flip_comes_every_other_time():
    transforms, _ = only(flip_left_right=True)
    flip = np.array([[-1, 0, WIDTH - 1], [0, 1, 0]])
    flipped = (transforms == flip).all((1, 2))
    assert (flipped | (transforms == IDENTITY).all((1, 2))).all()
    assert 0.45 < flipped.mean() < 0.55


def test_a_crop_is_a_window_of_one_size_anywhere_in_the_photo():
    transforms, _ = only(random_crop=25)
    np.testing.assert_allclose(transforms[:, :, :2], [np.eye(2) * 0.8] * 2000, rtol=1e-6)
    assert spread_evenly(transforms[:, 0, 2], 0, 0.2 * WIDTH)
    assert spread_evenly(transforms[:, 1, 2], 0, 0.2 * HEIGHT)
    assert abs(np.corrcoef(transforms[:, 0, 2], transforms[:, 1, 2])[0, 1]) < 0.05


def test_a_scale_enlarges_by_up_to_its_percentage_and_crop_multiplies_it():
    scales = 1 / only(random_scale=50)[0][:, 0, 0]
    assert spread_evenly(scales, 1, 1.5)
    both, _ = only(random_scale=50, random_crop=20)
    np.testing.assert_allclose(1 / both[:, 0, 0], scales * 1.2, rtol=1e-6)
    np.testing.assert_allclose(both[:, 0, 0], both[:, 1, 1])


def test_brightness_is_spread_about_1():
    transforms, brightness = only(random_brightness=30)
    assert spread_evenly(brightness, np.float32(0.7), np.float32(1.3))
    np.testing.assert_array_equal(transforms, [IDENTITY] * 2000)


CENTRE = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2, 1])


def test_a_rotation_turns_about_the_centre_by_up_to_its_angle():
    transforms, _ = only(rotation=30)
    matrices = transforms[:, :, :2]
    np.testing.assert_allclose(matrices @ matrices.swapaxes(1, 2), [np.eye(2)] * 2000, atol=1e-6)
    assert spread_evenly(np.degrees(np.arctan2(matrices[:, 0, 1], matrices[:, 0, 0])), -30, 30)
    np.testing.assert_allclose(transforms @ CENTRE, [CENTRE[:2]] * 2000, atol=1e-5)


def test_shifts_are_fractions_of_the_width_and_the_height():
    transforms, _ = only(width_shift=0.25, height_shift=0.5)
    np.testing.assert_array_equal(transforms[:, :, :2], [np.eye(2)] * 2000)
    assert spread_evenly(transforms[:, 0, 2], -0.25 * WIDTH, 0.25 * WIDTH)
    assert spread_evenly(transforms[:, 1, 2], -0.5 * HEIGHT, 0.5 * HEIGHT)


def test_a_shear_leans_upright_lines_by_up_to_its_tangent():
    transforms, _ = only(shear=0.2)
    assert spread_evenly(transforms[:, 0, 1], np.float32(-0.2), np.float32(0.2))
    transforms[:, 0, 1] = 0
    np.testing.assert_array_equal(transforms[:, :, :2], [np.eye(2)] * 2000)


def test_a_zoom_shows_more_or_less_of_each_axis_independently():
    transforms, _ = only(zoom=0.2)
    across, down = transforms[:, 0, 0], transforms[:, 1, 1]
    assert spread_evenly(across, np.float32(0.8), np.float32(1.2))
    assert spread_evenly(down, np.float32(0.8), np.float32(1.2))
    assert abs(np.corrcoef(across, down)[0, 1]) < 0.05
    np.testing.assert_allclose(transforms @ CENTRE, [CENTRE[:2]] * 2000, atol=1e-5)


def test_everything_at_once_is_rotation_shift_shear_zoom_crop_and_flip_in_this_order():
    """Told from each alone, as an option draws the same whatever else is on."""
    alone = {}
    for field in dataclasses.fields(Augmentation):
        options = Augmentation(**{field.name: getattr(EVERYTHING, field.name)})
        alone[field.name] = np.vstack([draw(options, SIZE, 0, KEY, 5).transform, [0, 0, 1]])
    window = draw(Augmentation(random_crop=20, random_scale=30), SIZE, 0, KEY, 5).transform
    alone["window"] = np.vstack([window, [0, 0, 1]])
    order = "rotation width_shift height_shift shear zoom window flip_left_right"
    expected = np.linalg.multi_dot([alone[name] for name in order.split()])
    np.testing.assert_allclose(
        draw(EVERYTHING, SIZE, 0, KEY, 5).transform, expected[:2], rtol=1e-5, atol=1e-5
    )


TOLERANCE = 0.02  # grey levels: places are float32, and noise differs by 255 from pixel to pixel
PHOTO_SIZES = [(60, 80), (7, 5), (24, 32), (1, 1), (301, 40)]


@pytest.mark.parametrize("photo_size", PHOTO_SIZES)
def test_the_identity_is_the_plain_photo(variant, photo_size):
    image = noise(*photo_size)
    np.testing.assert_array_equal(variant(image, IDENTITY), resized(image))


@pytest.mark.parametrize("photo_size", PHOTO_SIZES)
def test_a_flip_is_numpys(variant, photo_size):
    image = noise(*photo_size)
    flip = np.array([[-1, 0, WIDTH - 1], [0, 1, 0]], np.float32)
    np.testing.assert_array_equal(variant(image, flip), np.fliplr(resized(image)))


def random_transforms(count=20, size=SIZE):
    return draws(EVERYTHING, count, size)[0]


@pytest.mark.parametrize("photo_size", PHOTO_SIZES)
def test_random_maps_agree_with_scipy(variant, photo_size):
    """map_coordinates is exact; its mode "nearest" repeats the edge."""
    image = noise(*photo_size).astype(np.float64)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for transform in random_transforms():
        places = np.einsum("ij,jyx->iyx", transform, np.stack([x, y, np.ones_like(x)]))
        places = places * np.array([photo_size[1] / WIDTH, photo_size[0] / HEIGHT])[:, None, None]
        expected = [
            map_coordinates(channel, places[::-1], order=1, mode="nearest")
            for channel in np.moveaxis(image, -1, 0)
        ]
        found = variant(image.astype(np.uint8), transform)
        np.testing.assert_allclose(found, np.moveaxis(expected, 0, -1), atol=TOLERANCE)


def test_random_maps_agree_with_tensorflows_projective_transform(variant):
    """On a photo of the network's size, where that op's places are as exact as ours."""
    image, transforms = noise(*SIZE), random_transforms()
    with tf.Graph().as_default(), tf.Session() as session:
        expected = session.run(
            tf.raw_ops.ImageProjectiveTransformV3(
                images=tf.constant(np.stack([image] * len(transforms)), tf.float32),
                transforms=np.pad(transforms.reshape(-1, 6), [(0, 0), (0, 2)]),
                output_shape=SIZE,
                fill_value=0.0,
                interpolation="BILINEAR",
                fill_mode="NEAREST",
            )
        )
    for transform, one in zip(transforms, expected, strict=True):
        np.testing.assert_allclose(variant(image, transform), one, atol=TOLERANCE)


def test_a_crop_is_retrain_pys_own(variant):
    """Enlarge to 1.25 times the network's size, cut a window of that size out at (5, 3)."""
    image = noise(60, 100)
    enlarged = resized(image, (HEIGHT * 5 // 4, WIDTH * 5 // 4))
    window = augment._window(SIZE, 1.25, left=5 / (0.25 * WIDTH), top=3 / (0.25 * HEIGHT))
    found = variant(image, window[:2].astype(np.float32))
    np.testing.assert_allclose(found, enlarged[3 : 3 + HEIGHT, 5 : 5 + WIDTH], atol=TOLERANCE)


def test_outside_of_the_photo_is_its_edge(variant):
    image = noise(*SIZE)
    far = np.array([[1, 0, -1000], [0, 1, 0]], np.float32)
    np.testing.assert_array_equal(variant(image, far), image[:, :1].repeat(WIDTH, 1))
    far[0, 2], far[1, 2] = 1000, 1e9
    np.testing.assert_array_equal(variant(image, far), np.full((*SIZE, 3), image[-1, -1]))


def test_brightness_multiplies_and_stays_within_0_to_255(variant):
    image = noise(*SIZE)
    for factor in (0.0, 0.5, 1.25):
        expected = np.clip(image * np.float32(factor), 0, 255)
        np.testing.assert_array_equal(variant(image, IDENTITY, factor), expected)
    assert variant(image, IDENTITY, 1.25).max() == 255


def test_a_drawn_variant_of_a_jpeg_in_one_graph():
    buffer = io.BytesIO()
    Image.fromarray(noise(40, 30)).save(buffer, "JPEG")
    drawn = draw(PHOTO_AUGMENTATION, SIZE, 0, KEY, 0)
    with tf.Graph().as_default() as graph, tf.Session() as session:
        image = jpeg.decode(tf.constant(buffer.getvalue()))
        result = session.run(apply(image, *drawn, SIZE))
        assert not graph.as_graph_def().library.function
    assert (result.dtype, result.shape) == (np.float32, (1, *SIZE, 3))
    assert 0 <= result.min() < result.max() <= 255


def test_a_contact_sheet_shows_each_photo_in_its_place():
    red = np.full((10, 20, 3), (250.4, -3, 0.6))
    blue = np.full((8, 20, 3), (0, 0, 300), np.int64)
    sheet = np.asarray(contact_sheet([red, blue, red], columns=2, gap=3))
    assert sheet.shape == (10 + 3 + 10, 20 + 3 + 20, 3)
    assert (sheet[:10, :20] == (250, 0, 1)).all()
    assert (sheet[:8, 23:] == (0, 0, 255)).all()
    assert (sheet[13:, :20] == (250, 0, 1)).all()
    assert (sheet[10:13] == 255).all() and (sheet[13:, 20:] == 255).all()


@pytest.mark.parametrize(("count", "columns"), [(0, 3), (2, 0)])
def test_a_contact_sheet_of_nothing_is_an_error(count, columns):
    with pytest.raises(GraphnetsError) as error:
        contact_sheet([noise(2, 2)] * count, columns)
    message = f"got {count} photos for {columns} columns; wanted 1 or more of both"
    assert str(error.value) == message
