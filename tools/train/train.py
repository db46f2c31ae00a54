"""From raw text to the files in public/model, in one command that may be stopped and started again.

    python train.py --corpus CORPUS --work DIR --version 2 [--init FOLDER] [--steps 1200]

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
    parser.add_argument("--init", type=Path, help="Hugging Face folder to pretrain further; without it, from nothing")
    parser.add_argument("--steps", type=int, help="of pretraining; 1200 further, 4000 from nothing")
    parser.add_argument("--out", type=Path, default=PUBLIC)
    args = parser.parse_args()

    general, register, posts = (args.work / name for name in ("pretrained", "sentences", "posts"))
    init = ["--init", args.init] if args.init else []
    steps = args.steps or (1200 if args.init else 4000)
    stage(general, "pretrain.py", "--corpus", args.corpus, "--out", general, "--steps", steps, *init)
    stage(register, "finetune.py", "--corpus", args.corpus, "--init", general, "--out", register, "--epochs", 1)
    own = ["--posts", HERE / "posts", "--epochs", 8, "--dropout", 0.1]
    stage(posts, "finetune.py", "--corpus", args.corpus, "--init", register, "--out", posts, *own)
    stage(posts / "report", "report.py", "--corpus", args.corpus, "--model", posts, "--out", posts / "report")
    figures = posts / "report" / "report.json"
    run("export.py", "--model", posts, "--out", args.out, "--version", args.version, "--report", figures)


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
