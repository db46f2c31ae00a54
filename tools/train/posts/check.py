"""Checks posts.jsonl and prints what is in it. Ends with status 1 if a post is too long, doubled or malformed.

    python check.py
"""

import json
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

HERE = Path(__file__).parent
FIELDS = ["topic", "voice", "prompt", "text"]
VOICES = "advice question story list contrarian announcement metaphor confession tip observation".split()
LIMIT = 280  # X's weighted count
OVERLAP = 0.35  # share of the shorter post's five-word runs that another post may have too
LIGHT = ((0x0000, 0x10FF), (0x2000, 0x200D), (0x2010, 0x201F), (0x2032, 0x2037))  # code points that weigh one
PICTURE = r"[\U0001F1E6-\U0001FAFF\u2190-\u21FF\u2300-\u2BFF\u00A9\u00AE\u203C\u2049\u2122\u2139\u3030\u303D]"
EMOJI = re.compile(rf"{PICTURE}[\U0001F3FB-\U0001F3FF]?\uFE0F?(?:\u200D{PICTURE}[\U0001F3FB-\U0001F3FF]?\uFE0F?)*")


def weighted(text: str) -> int:
    """X's weighted count of a text without links: an emoji sequence weighs two."""
    text = unicodedata.normalize("NFC", text)
    rest = EMOJI.sub("", text)
    light = sum(any(low <= ord(c) <= high for low, high in LIGHT) for c in rest)
    return 2 * len(EMOJI.findall(text)) + 2 * len(rest) - light


def runs(text: str, length: int = 5) -> set[tuple[str, ...]]:
    """All runs of five words."""
    words = re.findall(r"[\w']+", text.lower())
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


def doubles(texts: list[str]) -> Iterator[tuple[float, int, int]]:
    """Pairs of posts that share too many runs."""
    by_run = defaultdict(list)
    found = [runs(text) for text in texts]
    for number, own in enumerate(found):
        for run in own:
            by_run[run].append(number)
    shared = Counter(pair for numbers in by_run.values() for pair in combinations(numbers, 2))
    for (a, b), count in shared.items():
        share = count / min(len(found[a]), len(found[b]))
        if share > OVERLAP:
            yield share, a, b


def offences(rows: list[dict]) -> Iterator[str]:
    """What must not be."""
    for number, row in enumerate(rows, 1):
        if list(row) != FIELDS or not all(isinstance(v, str) and v == v.strip() and v for v in row.values()):
            yield f"line {number}: fields"
        elif row["voice"] not in VOICES:
            yield f"line {number}: voice {row['voice']}"
        elif weighted(row["text"]) > LIMIT:
            yield f"line {number}: weighs {weighted(row['text'])}"
    texts = [row["text"] for row in rows]
    for text, count in Counter(map(str.lower, texts)).items():
        if count > 1:
            yield f"{count} times: {text}"
    for share, a, b in doubles(texts):
        yield f"{share:.0%} shared:\n    {texts[a]!r}\n    {texts[b]!r}"


def describe(rows: list[dict]) -> None:
    """Balance and habits."""
    lengths = sorted(weighted(row["text"]) for row in rows)
    topics = Counter(row["topic"] for row in rows)
    prompts = defaultdict(set)
    for row in rows:
        prompts[row["topic"]].add(row["prompt"].lower())
    held = {line.strip().lower() for line in (HERE / "held_out.txt").open(encoding="utf-8")}
    unknown = held - {prompt for own in prompts.values() for prompt in own}
    print(f"{len(rows)} posts, {len(topics)} topics of {min(topics.values())} to {max(topics.values())} posts")
    print(f"{sum(map(len, prompts.values()))} prompts, {min(map(len, prompts.values()))} to {max(map(len, prompts.values()))} a topic")
    print(f"weighted length: {lengths[0]} to {lengths[-1]}, median {lengths[len(lengths) // 2]}")
    print(f"held out: {len(held)} prompts, {sum(row['prompt'].lower() in held for row in rows)} posts, unknown: {sorted(unknown)}")
    print("voices:", ", ".join(f"{voice} {count}" for voice, count in Counter(row["voice"] for row in rows).most_common()))
    for name, pattern in (("question", r"\?"), ("hashtag", r"#\w"), ("emoji", PICTURE), ("line break", "\n"), ("you", r"(?i)\byou")):
        print(f"with {name}: {sum(bool(re.search(pattern, row['text'])) for row in rows) / len(rows):.0%}")
    opening = Counter(" ".join(row["text"].split()[:2]) for row in rows)
    print("openings:", ", ".join(f"{words} {count}" for words, count in opening.most_common(15)))


def main() -> int:
    rows = [json.loads(line) for line in (HERE / "posts.jsonl").open(encoding="utf-8")]
    describe(rows)
    found = list(offences(rows))
    print("\n".join(found) if found else "no offences")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
