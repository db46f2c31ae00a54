"""From raw text to the files in public/model, in one command that may be stopped and started again.

    python train.py --corpus CORPUS --work DIR --version 2 [--steps 4000 | --init FOLDER]

Each stage is one of the scripts beside this one, run with a folder of its own under DIR. A finished stage is not repeated;
an unfinished one goes on from its checkpoint.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PUBLIC = HERE.parents[1] / "public" / "model"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--init", type=Path, help="a pretrained Hugging Face folder, in place of the first stage")
    parser.add_argument("--steps", type=int, default=4000, help="of pretraining")
    parser.add_argument("--out", type=Path, default=PUBLIC)
    args = parser.parse_args()

    pretrained, sentences, posts = (args.work / name for name in ("pretrained", "sentences", "posts"))
    report = posts / "report"
    text = ["--corpus", args.corpus]
    if not args.init:
        stage(pretrained, "pretrain.py", *text, "--out", pretrained, "--steps", args.steps)
    once = ["--epochs", 1, "--lr", 6e-4]
    stage(sentences, "finetune.py", *text, "--init", args.init or pretrained, "--out", sentences, *once)
    often = ["--posts", HERE / "posts", "--epochs", 6, "--lr", 4e-4, "--dropout", 0.1]
    stage(posts, "finetune.py", *text, "--init", sentences, "--out", posts, *often)
    stage(report, "report.py", *text, "--model", posts, "--out", report, "--title", f"Seedling {args.version}")
    run("export.py", "--model", posts, "--out", args.out, "--version", args.version, "--report", report / "report.json")


def stage(folder: Path, script: str, *arguments: object) -> None:
    """Runs a script unless the folder says that it has been run to its end."""
    mark = folder / "finished"
    if not mark.exists():
        run(script, *arguments)
        mark.touch()


def run(script: str, *arguments: object) -> None:
    """Runs a script beside this one; a failure ends everything."""
    print(f"== {script}", flush=True)
    subprocess.run([sys.executable, HERE / script, *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
