"""Trains a LoRA adapter for a base of any size from a taste file: what somebody taught and rated in the page.

    python train.py --taste taste.zip --base FOLDER_OR_NAME --out DIR [--method kto|dpo] [--continue]
    accelerate launch --num_processes N train.py ...
    torchrun --nproc_per_node N train.py ...

DIR then holds the adapter in PEFT's form, and, where the page can run the base, `taste.zip` for its Import.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import taste

if TYPE_CHECKING:
    from trl import DPOTrainer, KTOTrainer


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--taste", type=Path, required=True, help="the file that the page's Export wrote")
    parser.add_argument("--base", required=True, help="a Hugging Face folder, or a model's name on the hub")
    parser.add_argument("--out", type=Path, required=True, help="the folder for the adapter")
    parser.add_argument("--method", choices=("kto", "dpo"), default="kto", help="from single ratings, or from pairs (default: kto)")
    parser.add_argument("--continue", dest="go_on", action="store_true", help="start from the taste's own adapter")
    shape = parser.add_argument_group("the adapter's shape, by default the taste's")
    shape.add_argument("--rank", type=int)
    shape.add_argument("--alpha", type=float)
    shape.add_argument("--targets", nargs="+", metavar="NAME", help="matrices by name, or all-linear")
    how = parser.add_argument_group("how it is trained")
    how.add_argument("--epochs", type=float, default=3.0)
    how.add_argument("--learning-rate", type=float, default=1e-4)
    how.add_argument("--beta", type=float, default=0.1, help="how strongly it is held near its start (default: 0.1)")
    how.add_argument("--batch", type=int, default=4, help="texts or pairs at once in each process (default: 4; KTO needs 2)")
    how.add_argument("--accumulate", type=int, default=1, help="batches to a step (default: 1)")
    how.add_argument("--max-length", type=int, help="tokens of prompt and text (default: 1024, or what the base can read)")
    how.add_argument("--dtype", choices=("float32", "bfloat16"), help="of the base (default: bfloat16 on a GPU that has it)")
    how.add_argument("--seed", type=int, default=1)
    return parser.parse_args(argv)


def shape_of(args: argparse.Namespace, given: taste.Taste) -> taste.Shape:
    """The shape of the adapter to be trained."""
    asked = (args.rank, args.alpha, args.targets)
    if args.go_on:
        if given.adapter is None:
            raise taste.Refused("The taste has no adapter yet, so there is nothing to continue.")
        if any(value is not None for value in asked):
            raise taste.Refused("--continue keeps the shape of the taste's adapter: leave --rank, --alpha and --targets out.")
    rank = given.shape.rank if args.rank is None else args.rank
    # Without a word on alpha the scale alpha / rank stays, since the learning rate goes with it.
    alpha = given.shape.alpha * rank / given.shape.rank if args.alpha is None else args.alpha
    if rank < 1 or alpha <= 0:
        raise taste.Refused("--rank and --alpha must be greater than zero.")
    return taste.Shape(rank, alpha, tuple(args.targets or given.shape.targets))


def check(args: argparse.Namespace, given: taste.Taste) -> None:
    """What can be said before torch is loaded."""
    if args.method == "dpo" and not taste.rows(given.files[taste.PREFERENCES]):
        raise taste.Refused(
            "The taste holds no pairs for DPO: choose between candidates in the page, edit a text, or rate several texts for "
            "one prompt differently; or use --method kto."
        )
    if args.method == "kto" and taste.rows(given.files[taste.KTO]) < 2:
        raise taste.Refused("KTO compares the texts of a batch with each other, and the taste holds fewer than two rated ones.")
    if args.method == "kto" and args.batch < 2:
        raise taste.Refused("KTO compares the texts of a batch with each other: --batch must be 2 or more.")


def main(argv: Sequence[str] | None = None) -> "DPOTrainer | KTOTrainer":
    """The whole program in one process of perhaps many; also what Ray Train's workers call. Returns what was trained."""
    args = arguments(argv)
    try:
        given = taste.read(args.taste)
        shape = shape_of(args, given)
        check(args, given)
        # torch and TRL take seconds to load: what is wrong with the input is said before.
        import training

        return training.train(args, given, shape)
    except taste.Refused as refused:
        # Every process comes to the same end; one of them says why.
        if os.environ.get("RANK", "0") == "0":
            print(f"train.py: {refused}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main().accelerator.end_training()
