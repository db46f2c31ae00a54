"""What every test stands on: bases and a taste, made once by make.py, and a way to run the program."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

# Small matrices on shared cores: threads would only wait for each other. No GPU and no hub, wherever the tests run.
os.environ |= {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

import make  # noqa: E402
import taste  # noqa: E402


@dataclass(frozen=True)
class Made:
    """Where things lie."""

    folder: Path
    tiny: Path
    taste: Path

    def arguments(self, out: str, *more: str) -> list[str]:
        """A command line for the tiny base, at a learning rate at which a few steps can be seen."""
        given = ("--taste", self.taste, "--base", self.tiny, "--out", self.folder / out, "--learning-rate", "1e-2")
        return [str(argument) for argument in (*given, *more)]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("scale")
    tiny = make.tiny(folder / "tiny")
    path = folder / "taste.zip"
    path.write_bytes(taste.pack(make.files(tiny)))
    return Made(folder, tiny, path)
