"""The taste file: what the page exports (adapter, ratings, pairs), and what it imports again.

A zip: PEFT's two files, what a person said of which text, TRL's two forms of that (src/exchange/taste.rs). It may come from a
stranger: nothing is unpacked to a path that it names, sizes are bounded, and the checksums in `SHA256SUMS` must agree. Needs
nothing but Python, so that a wrong file is told at once, before torch is loaded.
"""

import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
RATINGS = "ratings.jsonl"
PREFERENCES = "preferences.jsonl"
KTO = "kto.jsonl"
CARD = "README.md"
ABOUT = "fledge.json"
SUMS = "SHA256SUMS"

IDENTITY = ("base", "base_id", "repository", "content", "weights")  # what still holds in `fledge.json` after training
MOST_BYTES = 512_000_000  # unpacked, all files together; the page has the same limit
MOST_RANK = 1024  # a larger one comes from no training
NAME = re.compile(r"[\w ./()+-]{1,100}")  # of a base: it goes into the card, where it must mean nothing else
EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's first day: equal contents are equal files
UNSUPPORTED = ("use_rslora", "use_dora", "rank_pattern", "alpha_pattern", "modules_to_save")


class Refused(Exception):
    """What was given can't be used. The message is the sentence that the person reads."""


@dataclass(frozen=True)
class Shape:
    """The shape of a LoRA adapter: its rank, its alpha, and the matrices that it changes. By default, the page's."""

    rank: int = 8
    alpha: float = 16.0
    targets: tuple[str, ...] = ("c_attn", "c_proj", "c_fc")


@dataclass(frozen=True)
class Taste:
    """A taste file in memory."""

    files: dict[str, bytes]
    config: dict[str, Any] | None  # PEFT's, if something was taught
    about: dict[str, Any]

    @property
    def adapter(self) -> bytes | None:
        """The weights of its adapter, if something was taught."""
        return self.files.get(WEIGHTS)

    @property
    def shape(self) -> Shape:
        """The shape of its adapter, or of the one that the page would make."""
        return Shape() if self.config is None else shape(self.config)

    @property
    def base(self) -> str | None:
        """The model that was taught, by the name that the page has for it."""
        name = str((self.config or {}).get("base_model_name_or_path"))
        return name if self.config and NAME.fullmatch(name) else None

    @property
    def content(self) -> str:
        """What the texts are: post, email or copy."""
        return str(self.about.get("content") or "post")

    def records(self) -> dict[str, bytes]:
        """What was said of texts, and of which model's: what stays true when another adapter takes the place of this one."""
        about = {field: self.about[field] for field in IDENTITY if field in self.about}
        records = {name: self.files[name] for name in (RATINGS, PREFERENCES, KTO) if name in self.files}
        return records | ({ABOUT: (json.dumps(about, indent=2) + "\n").encode()} if about else {})


def read(path: Path) -> Taste:
    """The taste file at `path`, checked."""
    if not path.is_file():
        raise Refused(f"There is no file {path}.")
    try:
        with zipfile.ZipFile(path) as archive:
            files = unpack(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise Refused(f"{path} is no taste file: its zip container can't be read ({error}).") from error
    if KTO not in files or PREFERENCES not in files:
        if CONFIG not in files and ABOUT not in files:
            raise Refused(f"{path} is no taste file: it holds none of the files that the page's Export writes.")
        raise Refused(f"{path} holds no ratings: tick them when you export from the page.")
    check_sums(files)
    if (CONFIG in files) != (WEIGHTS in files):
        raise Refused(f"{path} holds half an adapter: {CONFIG} and {WEIGHTS} belong together.")
    return Taste(
        files=files,
        config=parse(files[CONFIG], CONFIG) if CONFIG in files else None,
        about=parse(files[ABOUT], ABOUT) if ABOUT in files else {},
    )


def parse(text: bytes, name: str) -> dict[str, Any]:
    """A JSON object."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Refused(f"{name} of the taste can't be read ({error}).") from error
    if not isinstance(value, dict):
        raise Refused(f"{name} of the taste can't be read (it holds no object).")
    return value


def unpack(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """All files of a zip, by name."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")]
    for entry in entries:
        if not is_plain(entry.orig_filename):
            raise Refused(f"The taste holds a file with the name {entry.orig_filename!r}, which leads out of its folder.")
    if len({entry.filename for entry in entries}) < len(entries):
        raise Refused("The taste holds two files of one name.")
    if sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise Refused(f"The taste holds more than {MOST_BYTES // 1_000_000} MB.")
    # zipfile stops at the size that was declared, and fails where the contents have another one.
    files = {entry.filename: archive.read(entry) for entry in entries}
    # Who packs an unpacked taste again often packs the folder.
    folders = {name.rpartition("/")[0] for name in files if name.rpartition("/")[2] in (KTO, CONFIG)}
    prefix = f"{folders.pop()}/" if len(folders) == 1 and "" not in folders else ""
    return {name.removeprefix(prefix): contents for name, contents in files.items()}


def is_plain(name: str) -> bool:
    """Whether a name leads to a file in this folder or one below, on every system."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and not set(name) & set("\\:\0")


def check_sums(files: Mapping[str, bytes]) -> None:
    """Compares the files with `SHA256SUMS`, whose lines are `sha256sum`'s: hash, two spaces, name. One may be gone."""
    for line in files.get(SUMS, b"").decode("utf-8", "replace").splitlines():
        expected, _, name = line.partition("  ")
        if name in files and hashlib.sha256(files[name]).hexdigest() != expected:
            raise Refused(f"{name} is not what its checksum says, so the taste is damaged.")


def shape(config: Mapping[str, Any]) -> Shape:
    """What `adapter_config.json` says of the adapter's shape. Fields that change how it counts are refused by name."""
    if config.get("peft_type") != "LORA":
        raise Refused("The taste's adapter is no LoRA.")
    for field in UNSUPPORTED:
        if config.get(field):
            raise Refused(f"The taste's adapter uses {field}, which Fledge does not know.")
    rank, alpha, targets = (config.get(field) for field in ("r", "lora_alpha", "target_modules"))
    if not isinstance(rank, int) or not 1 <= rank <= MOST_RANK or not isinstance(alpha, int | float) or not 0 < alpha < float("inf"):
        raise Refused("The rank or the alpha of the taste's adapter makes no sense.")
    if not isinstance(targets, list) or not targets or not all(isinstance(target, str) for target in targets):
        raise Refused("The taste's adapter names no matrices (target_modules).")
    return Shape(rank, alpha, tuple(targets))


def rows(records: bytes) -> int:
    """How many lines of a JSONL file say something."""
    return sum(1 for line in records.splitlines() if line.strip())


def pack(files: Mapping[str, bytes]) -> bytes:
    """A taste file: stored, in order of names, with its checksums, the same bytes for the same contents."""
    sums = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    everything = {**files, SUMS: sums.encode()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(everything):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), everything[name])
    return buffer.getvalue()
