"""Where the training text comes from, under which licence, and how it is cut into documents.

The corpus folder (see README.md) holds four collections. Nothing here changes a text; it is only read, cut and held out.
"""

import json
import lzma
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

END = "<|endoftext|>"
PIECE = 20_000  # characters; novels are cut so that one of them cannot fill a whole sample
BUSINESS = ("business-ethics", "entrepreneurship", "introduction-business", "principles-marketing")


@dataclass(frozen=True)
class Source:
    """A collection and what is owed to those who made it."""

    name: str
    licence: str
    attribution: str


SOURCES = (
    Source(
        "OpenStax textbooks",
        "CC BY 4.0",
        "Contains text from Entrepreneurship / Principles of Marketing / Introduction to Business / Business Ethics / "
        "Principles of Economics 3e / Writing Guide with Handbook / Introduction to Sociology 3e / Psychology 2e, "
        "(c) OpenStax, Rice University, CC BY 4.0, https://openstax.org",
    ),
    Source("18F and Digital.gov", "CC0 1.0", "Works of the US Government, GSA: 18f.gsa.gov and digital.gov"),
    Source("Project Gutenberg", "public domain in the USA", "Works of fiction and essays from the first half of the 20th century"),
    Source("Fledge texts", "CC0 1.0", "Short posts, e-mails and marketing copy written for this project: tools/train/texts"),
)


@dataclass(frozen=True)
class Document:
    """A text that is read from beginning to end."""

    group: str
    text: str


def read(path: Path) -> str:
    """The text of a plain or xz-compressed file."""
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8").read()
    return path.read_text(encoding="utf-8")


def rows(path: Path) -> list[dict]:
    """The rows of a JSONL file."""
    return [json.loads(line) for line in path.open(encoding="utf-8")]


def documents(corpus: Path, fiction_mb: float = 10.0, old_mb: float = 0.0) -> list[Document]:
    """Every document, always in the same order: fiction, textbooks, public-service writing, short texts."""
    found = [Document("fiction", text) for text in fiction(corpus / "books" / "gutenberg-modern.txt.xz", fiction_mb)]
    for path in sorted((corpus / "openstax").glob("*.txt")):
        if path.name != "SOURCE.txt":
            group = "business" if path.stem in BUSINESS else "textbook"
            found += [Document(group, text) for text in whole(path)]
    for name in ("18f", "digitalgov"):
        found += [Document(name, text) for text in whole(corpus / "gov" / f"{name}.txt")]
    for row in rows(corpus / "gov" / "short_posts.jsonl"):
        found.append(Document("short", "\n".join(row[key] for key in ("title", "text") if row.get(key))))
    for row in rows(corpus / "shorts" / "business_shorts.jsonl"):
        if not row["gov"]:
            found.append(Document("short", row["text"]))
    if old_mb > 0:
        found += [Document("fiction", text) for text in fiction(corpus / "books" / "gutenberg-200mb.txt.xz", old_mb)]
    return found


def whole(path: Path) -> Iterator[str]:
    """The documents of a file in which END stands between them."""
    return (text for part in read(path).split(END) if (text := part.strip()))


def fiction(path: Path, megabytes: float) -> Iterator[str]:
    """Shuffled pieces of books, up to a size: ordinary English, and scenes rather than definitions."""
    books = whole(path)
    pieces = [book[at : at + PIECE] for book in books for at in range(0, len(book), PIECE)]
    random.Random(0).shuffle(pieces)
    size = 0
    for piece in pieces:
        if size > megabytes * 1e6:
            return
        size += len(piece)
        yield piece


def split(found: list[Document]) -> tuple[list[Document], list[Document]]:
    """(training, held out): one document in a hundred is held out.

    Of those only whole books' chapters and pages count, because the short texts were mined from the long ones; a short
    text that occurs in a held-out document leaves the training set too.
    """
    order = found.copy()
    random.Random(1).shuffle(order)
    cut = len(order) // 100
    held = [d for d in order[:cut] if d.group not in ("short", "fiction")]
    everything = "\n".join(d.text for d in held)
    kept = [d for d in order[cut:] if d.group != "short" or d.text not in everything]
    return kept, held
