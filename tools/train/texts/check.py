"""Checks the texts and prints what is in them. Ends with status 1 if one is too long, doubled or malformed.

    python check.py
"""

import json
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

HERE = Path(__file__).parent
LIGHT = ((0x0000, 0x10FF), (0x2000, 0x200D), (0x2010, 0x201F), (0x2032, 0x2037))  # code points that weigh one
PICTURE = r"[\U0001F1E6-\U0001FAFF\u2190-\u21FF\u2300-\u2BFF\u00A9\u00AE\u203C\u2049\u2122\u2139\u3030\u303D]"
EMOJI = re.compile(rf"{PICTURE}[\U0001F3FB-\U0001F3FF]?\uFE0F?(?:\u200D{PICTURE}[\U0001F3FB-\U0001F3FF]?\uFE0F?)*")


def weighted(text: str) -> int:
    """X's weighted count of a text without links: an emoji sequence weighs two."""
    text = unicodedata.normalize("NFC", text)
    rest = EMOJI.sub("", text)
    light = sum(any(low <= ord(c) <= high for low, high in LIGHT) for c in rest)
    return 2 * len(EMOJI.findall(text)) + 2 * len(rest) - light


@dataclass(frozen=True)
class Kind:
    """What a type of text must be like."""

    name: str
    fields: tuple[str, ...]
    voices: str
    unit: str
    limit: int
    overlap: float  # share of the shorter text's five-word runs that another text may have too; e-mails greet and close alike

    def length(self, text: str) -> int:
        """By the measure that the page uses."""
        return {"by X's count": weighted, "words": lambda t: len(t.split()), "characters": len}[self.unit](text)


KINDS = (
    Kind(
        "post",
        ("topic", "voice", "prompt", "text"),
        "advice question story list contrarian announcement metaphor confession tip observation",
        "by X's count",
        280,
        0.35,
    ),
    Kind("email", ("voice", "prompt", "text"), "friendly formal brief warm apologetic firm", "words", 120, 0.45),
    Kind("copy", ("voice", "prompt", "text"), "playful calm bold plain luxurious urgent", "characters", 300, 0.35),
)


def runs(text: str, length: int = 5) -> set[tuple[str, ...]]:
    """All runs of five words."""
    words = re.findall(r"[\w']+", text.lower())
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


def doubles(texts: list[str], overlap: float) -> Iterator[tuple[float, int, int]]:
    """Pairs of texts that share too many runs."""
    by_run = defaultdict(list)
    found = [runs(text) for text in texts]
    for number, own in enumerate(found):
        for run in own:
            by_run[run].append(number)
    shared = Counter(pair for numbers in by_run.values() for pair in combinations(numbers, 2))
    for (a, b), count in shared.items():
        share = count / min(len(found[a]), len(found[b]))
        if share > overlap:
            yield share, a, b


def offences(kind: Kind, rows: list[dict]) -> Iterator[str]:
    """What must not be."""
    for number, row in enumerate(rows, 1):
        if tuple(row) != kind.fields or not all(isinstance(v, str) and v == v.strip() and v for v in row.values()):
            yield f"{kind.name} {number}: fields"
        elif row["voice"] not in kind.voices.split():
            yield f"{kind.name} {number}: voice {row['voice']}"
        elif kind.length(row["text"]) > kind.limit:
            yield f"{kind.name} {number}: {kind.length(row['text'])} {kind.unit}"
        elif re.search(r"https?:|www\.|@\w", row["text"]):
            yield f"{kind.name} {number}: a link or an address"
    texts = [row["text"] for row in rows]
    for text, count in Counter(map(str.lower, texts)).items():
        if count > 1:
            yield f"{count} times: {text}"
    for share, a, b in doubles(texts, kind.overlap):
        yield f"{share:.0%} shared:\n    {texts[a]!r}\n    {texts[b]!r}"


def describe(kind: Kind, rows: list[dict]) -> None:
    """Balance and habits."""
    lengths = sorted(kind.length(row["text"]) for row in rows)
    prompts = {row["prompt"].lower() for row in rows}
    held = {line.strip().lower() for line in (HERE / kind.name / "held_out.txt").open(encoding="utf-8") if line.strip()}
    print(f"== {kind.name}: {len(rows)} texts, {len(prompts)} prompts")
    print(f"length {kind.unit}: {lengths[0]} to {lengths[-1]}, median {lengths[len(lengths) // 2]}")
    print(f"held out: {len(held)} prompts, {sum(row['prompt'].lower() in held for row in rows)} texts, unknown: {sorted(held - prompts)}")
    if "topic" in kind.fields:
        topics = Counter(row["topic"] for row in rows)
        print(f"{len(topics)} topics of {min(topics.values())} to {max(topics.values())} texts:")
        print("   ", ", ".join(f"{topic} {count}" for topic, count in sorted(topics.items())))
    print("voices:", ", ".join(f"{voice} {count}" for voice, count in Counter(row["voice"] for row in rows).most_common()))
    for name, pattern in (("question", r"\?"), ("hashtag", r"#\w"), ("emoji", PICTURE), ("line break", "\n"), ("you", r"(?i)\byou")):
        print(f"with {name}: {sum(bool(re.search(pattern, row['text'])) for row in rows) / len(rows):.0%}", end="; ")
    opening = Counter(" ".join(row["text"].split()[:2]) for row in rows)
    print("\nopenings:", ", ".join(f"{words} {count}" for words, count in opening.most_common(15)))


def main() -> int:
    found = []
    for kind in KINDS:
        rows = [json.loads(line) for path in sorted((HERE / kind.name).glob("*.jsonl")) for line in path.open(encoding="utf-8")]
        describe(kind, rows)
        found += offences(kind, rows)
    print("\n".join(found) if found else "no offences")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
