"""Promise: what can't be used ends in one plain sentence, and nothing is written."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import make
import pytest
import taste
import train
from conftest import Made
from safetensors.torch import load, save

Files = dict[str, bytes]


def refusal(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """Runs the program, which must stop, and gives what it said."""
    with pytest.raises(SystemExit) as stopped:
        train.main(arguments)
    assert stopped.value.code == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]  # after the libraries' progress bars
    assert said.startswith("train.py: ") and said.endswith((".", ")")), said
    return said


def no_adapter(files: Files) -> None:
    del files[taste.CONFIG], files[taste.WEIGHTS]


def half_adapter(files: Files) -> None:
    del files[taste.CONFIG]


def no_ratings(files: Files) -> None:
    for name in (taste.KTO, taste.PREFERENCES):
        del files[name]


def no_pairs(files: Files) -> None:
    files[taste.PREFERENCES] = b"\n"


def one_rating(files: Files) -> None:
    files[taste.KTO] = files[taste.KTO].splitlines()[0]


def other_columns(files: Files) -> None:
    files[taste.KTO] = make.jsonl([{"prompt": "a", "completion": "b", "label": "good"}] * 3)


def no_json(files: Files) -> None:
    files[taste.KTO] = b'{"prompt": \n{"prompt":'


def dora(files: Files) -> None:
    files[taste.CONFIG] = json.dumps(json.loads(files[taste.CONFIG]) | {"use_dora": True}).encode()


def rank_zero(files: Files) -> None:
    files[taste.CONFIG] = json.dumps(json.loads(files[taste.CONFIG]) | {"r": 0}).encode()


def rank_huge(files: Files) -> None:
    files[taste.CONFIG] = json.dumps(json.loads(files[taste.CONFIG]) | {"r": 10**9}).encode()


def other_shape(files: Files) -> None:
    files[taste.WEIGHTS] = save({name: tensor[:, :3].contiguous() for name, tensor in load(files[taste.WEIGHTS]).items()})


def fewer_blocks(files: Files) -> None:
    files[taste.WEIGHTS] = save({name: tensor for name, tensor in load(files[taste.WEIGHTS]).items() if ".h.1." not in name})


def not_finite(files: Files) -> None:
    files[taste.WEIGHTS] = save({name: tensor / 0 for name, tensor in load(files[taste.WEIGHTS]).items()})


@pytest.mark.parametrize(
    ("change", "arguments", "expected"),
    [
        (no_ratings, [], "holds no ratings"),
        (half_adapter, [], "holds half an adapter"),
        (no_pairs, ["--method", "dpo"], "no pairs for DPO"),
        (one_rating, [], "fewer than two rated ones"),
        (other_columns, [], "does not hold prompt (string), completion (string), label (bool)"),
        (no_json, [], "kto.jsonl of the taste can't be read"),
        (dora, [], "uses use_dora"),
        (rank_zero, [], "makes no sense"),
        (rank_huge, [], "makes no sense"),
        (no_adapter, ["--continue"], "nothing to continue"),
        (other_shape, ["--continue"], "was made for another base"),
        (fewer_blocks, ["--continue"], "does not change transformer.h.1.attn.c_attn, which the base has"),
        (not_finite, ["--continue"], "that are no numbers"),
        (dict, ["--continue", "--rank", "2"], "keeps the shape"),
        (dict, ["--targets", "q_proj"], "The base is a gpt2, which has no q_proj"),
        (dict, ["--batch", "1"], "--batch must be 2 or more"),
        (dict, ["--max-length", "4"], "No prompt of the taste is shorter than 4 tokens"),
    ],
)
def test_tastes(
    change: Callable[[Files], object],
    arguments: list[str],
    expected: str,
    made: Made,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = make.files(made.tiny)
    change(files)
    path = tmp_path / "taste.zip"
    path.write_bytes(taste.pack(files))
    out = tmp_path / "out"
    assert expected in refusal(capsys, ["--taste", str(path), "--base", str(made.tiny), "--out", str(out), *arguments])
    assert not out.exists()


def test_files_that_are_no_tastes(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def of(path: Path) -> str:
        return refusal(capsys, ["--taste", str(path), "--base", str(made.tiny), "--out", str(tmp_path / "out")])

    assert "There is no file" in of(tmp_path / "nothing.zip")
    text = tmp_path / "text.zip"
    text.write_text("no zip")
    assert "is no taste file: its zip container can't be read" in of(text)
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(made.taste.read_bytes().replace(b"keeping", b"KEEPING"))
    assert "can't be read" in of(damaged)

    def zipped(*files: tuple[str, bytes]) -> Path:
        path = tmp_path / "made.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, contents in files:
                archive.writestr(name, contents)
        return path

    deflated = zipped(("a.txt", bytes(1000)))
    contents = bytearray(deflated.read_bytes())
    contents[36:40] = b"\xff" * 4  # the packed bytes begin after a header of 30 and the name
    deflated.write_bytes(contents)
    assert "can't be read" in of(deflated)
    assert "is no taste file" in of(zipped(("a.txt", b"")))
    for name in ("../kto.jsonl", "/kto.jsonl", "a/../../kto.jsonl", "..\\kto.jsonl", "c:kto.jsonl"):
        assert "leads out of its folder" in of(zipped((name, b"")))
    assert "two files of one name" in of(zipped(("a", b""), ("a", b"")))
    assert "more than 512 MB" in of(zipped(("bomb", bytes(taste.MOST_BYTES + 1))))
    changed = make.files(made.tiny) | {taste.SUMS: b"0" * 64 + b"  kto.jsonl\n"}
    assert "kto.jsonl is not what its checksum says" in of(zipped(*changed.items()))


def test_bases(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def of(base: Path) -> str:
        return refusal(capsys, ["--taste", str(made.taste), "--base", str(base), "--out", str(tmp_path / "out")])

    assert "can't be opened as a model folder or from the hub" in of(tmp_path / "nothing")
    assert "cargo xtask export-model" in of(make.EMBEDDED)
    assert "The base is a llama, which has no c_attn or c_proj or c_fc" in of(make.llama(tmp_path / "llama"))


def test_a_taste_that_was_packed_again_is_read(made: Made, tmp_path: Path) -> None:
    files = make.files(made.tiny)
    path = tmp_path / "again.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("my taste")
        for name, contents in files.items():
            archive.writestr(f"my taste/{name}", contents)
        archive.writestr("__MACOSX/my taste/._kto.jsonl", b"")
    assert taste.read(path).files == files
