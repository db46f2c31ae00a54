"""A blind reading: texts of two models for the same prompts, shuffled, so that the reader does not know whose is whose.

    python blind.py --model A=FOLDER --model B=FOLDER --out DIR

DIR/reading.md holds twenty held-out prompts with two posts each; whoever reads writes down which one they would rather publish.
DIR/key.json says who wrote which; it is opened afterwards.
"""

import argparse
import json
import random
from pathlib import Path

import pairs
from report import Writer
from texts.check import KINDS

PROMPTS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", required=True, help="NAME=FOLDER, twice")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    rng = random.Random(args.seed)
    held = [pair for pair in pairs.own()[2] if pair.kind == "post"]
    asked = rng.sample(list({pair.prompt: pair for pair in held}.values()), PROMPTS)
    writers = {name: Writer(Path(folder)) for name, _, folder in (model.rpartition("=") for model in args.model)}
    page, key = ["# Which of the two would you rather publish?", ""], []
    for number, pair in enumerate(asked, 1):
        texts = [(name, writer.write(KINDS[0], pair, seed=7000 + number).text) for name, writer in writers.items()]
        rng.shuffle(texts)
        page += [f"## {number}. {pair.prompt}", ""]
        page += [f"{letter}. " + text.replace("\n", " / ") for letter, (_, text) in zip("AB", texts, strict=True)] + [""]
        key.append({letter: name for letter, (name, _) in zip("AB", texts, strict=True)})
    (args.out / "reading.md").write_text("\n".join(page), encoding="utf-8")
    (args.out / "key.json").write_text(json.dumps(key, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
