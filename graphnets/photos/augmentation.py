"""How far photos may be changed for training: the options of `photos.augment`, by themselves.

Neither TensorFlow nor NumPy here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Real

from graphnets.errors import GraphnetsError, check_kind, check_whole

LIMITS = {
    "random_crop": (99, "percent"),
    "random_scale": (99, "percent"),
    "random_brightness": (99, "percent"),
    "rotation": (180, "degrees"),
    "width_shift": (0.99, "of the width"),
    "height_shift": (0.99, "of the height"),
    "shear": (1, "(the tangent of the angle)"),
    "zoom": (0.9, "of the size"),
}


@dataclass(frozen=True)
class Augmentation:
    """How far a photo may be changed; 0 or False is off, and so is everything by default.

    As in retrain.py and Keras, a photo is brought to the network's size first: distances and
    angles are those that the network sees. The first four options are retrain.py's:
      flip_left_right    mirror, one time in two
      random_crop        percent: enlarge by 1 + random_crop / 100, keep a window of the old size
                         that lies anywhere
      random_scale       percent: enlarge more before that, by 1 to 1 + random_scale / 100
      random_brightness  percent: multiply the pixels by 1 -+ random_brightness / 100, keep 0 to 255
    The others are those of Keras's ImageDataGenerator with fill_mode="nearest":
      rotation           degrees, to either side
      width_shift        to either side, as a fraction of the width
      height_shift       up or down, as a fraction of the height
      shear              to either side, the tangent of the angle by which upright lines lean
                         (Keras: the angle itself, in radians up to 2.1.2, since then in degrees)
      zoom               show 1 -+ zoom times the width, and of the height independently

    Raises GraphnetsError for a value that is out of its range (see LIMITS) or no number.

    >>> graphnets.Augmentation(flip_left_right=True, rotation=15).describe()
    'flip_left_right=1.0, rotation=15.0'
    """

    flip_left_right: bool = False
    random_crop: float = 0
    random_scale: float = 0
    random_brightness: float = 0
    rotation: float = 0
    width_shift: float = 0
    height_shift: float = 0
    shear: float = 0
    zoom: float = 0

    def __post_init__(self) -> None:
        if not isinstance(self.flip_left_right, bool):
            raise GraphnetsError(
                f"got flip_left_right {self.flip_left_right!r}; wanted True or False"
            )
        for name, (limit, unit) in LIMITS.items():
            value = getattr(self, name)
            if not isinstance(value, Real) or not 0 <= float(value) <= limit:
                raise GraphnetsError(
                    f"got {name} {value!r}; wanted a number from 0 (off) to {limit} {unit}"
                )
            object.__setattr__(self, name, float(value))  # NumPy's 0.1 may equal 0.1 and be longer

    @property
    def active(self) -> bool:
        """Whether any of it is on."""
        return self != Augmentation()

    def describe(self) -> str:
        """What is on, as text that is the same for equal options; "" if nothing is.

        For instance "flip_left_right=1.0, rotation=30.0".
        """
        values = {field.name: float(getattr(self, field.name)) for field in fields(self)}
        return ", ".join(f"{name}={value!r}" for name, value in values.items() if value)


PHOTO_AUGMENTATION = Augmentation(
    flip_left_right=True, rotation=30, width_shift=0.1, height_shift=0.1, shear=0.2, zoom=0.2
)
"""An `Augmentation` that suits most photos: the ImageDataGenerator of many Keras tutorials.

Their shear of 0.2 was thought of in radians. What is mirrored here must mean the same: leave
flip_left_right out for traffic signs that point somewhere, and for letters.
"""


def check_augmentation(augmentation: object) -> None:
    """Raise GraphnetsError unless it is an Augmentation."""
    check_kind("augmentation", augmentation, Augmentation, "a graphnets.Augmentation")


def check_copies(copies: int) -> None:
    """Raise GraphnetsError unless there are variants to draw of each photo."""
    check_whole("copies", copies)
    if copies < 1:
        raise GraphnetsError(f"got {copies} copies of each photo; wanted 1 or more")
