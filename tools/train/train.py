"""From raw text to the files in public/model, in one command that may be stopped and started again.

    python train.py --corpus CORPUS --work DIR --version 2 [--steps 4000] [--init FOLDER]

Each stage is one of the scripts beside this one, run with a folder of its own under DIR. A finished stage is not repeated;
an unfinished one goes on from its checkpoint.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
OWN = 0.4  # the last part of pretraining in which the project's own texts are mixed in
PUBLIC = HERE.parents[1] / "public" / "model"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--init", type=Path, help="a Hugging Face folder from which pretraining goes on")
    parser.add_argument("--steps", type=int, default=4000, help="of pretraining")
    parser.add_argument("--beside", action="append", default=[], help="NAME=FOLDER of a model that the report sets beside the new one")
    parser.add_argument("--out", type=Path, default=PUBLIC)
    args = parser.parse_args()

    pretrained, tuned = args.work / "pretrained", args.work / "tuned"
    report = tuned / "report"
    corpus, name = ["--corpus", args.corpus], f"Seedling {args.version}"
    begin = ["--init", args.init] if args.init else []
    own = ["--own-from", int((1 - OWN) * args.steps)]
    stage(pretrained, "pretrain.py", *corpus, "--out", pretrained, "--steps", args.steps, *own, *begin)
    stage(tuned, "finetune.py", *corpus, "--init", pretrained, "--out", tuned)
    beside = [f"--model={model}" for model in args.beside]
    stage(report, "report.py", *corpus, "--out", report, *beside, f"--model={name}={tuned}")
    run("export.py", "--model", tuned, "--out", args.out, "--version", args.version, "--report", report / "report.json")


def stage(folder: Path, script: str, *arguments: object) -> None:
    """Runs a script unless the folder says that it has been run to its end."""
    mark = folder / "finished"
    if not mark.exists():
        folder.mkdir(parents=True, exist_ok=True)
        run(script, *arguments)
        mark.touch()


def run(script: str, *arguments: object) -> None:
    """Runs a script beside this one; a failure ends everything."""
    print(f"== {script}", flush=True)
    subprocess.run([sys.executable, HERE / script, *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
