"""A byte-level BPE built like GPT-2's, smaller, with the prompt format's tags as tokens of their own."""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from corpus import END

KINDS = ("post", "email", "copy")  # types of text; each has its tag
BODY = "<|body|>"
SPECIAL = [END, *(f"<|{kind}|>" for kind in KINDS), BODY]  # ids 0 to 4
VOCABULARY = 8192


def train(texts: Iterable[str]) -> Tokenizer:
    """Learns the merges from the pretraining text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=3,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def load(path: Path) -> Tokenizer:
    """Reads a tokenizer.json and makes sure that every tag is one token with the id that we count on."""
    tokenizer = Tokenizer.from_file(str(path))
    for number, tag in enumerate(SPECIAL):
        assert tokenizer.encode(tag).ids == [number], f"{tag} is not token {number} of {path}"
    return tokenizer


def prompt(text: str, kind: str = "post") -> str:
    """What the model is given to continue. The space makes the first word the same token as inside a text."""
    return f"<|{kind}|> {text}{BODY}"
