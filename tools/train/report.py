"""What models can do on prompts that they have never seen, side by side: report.json for the card, report.md for people.

    python report.py --corpus CORPUS --out DIR --model "Seedling 1=FOLDER" --model "Seedling 4=FOLDER"

A folder is Hugging Face's or one that export.py wrote; its fledge.json, if it has one, says how it is prompted. Texts are drawn at
the page's default settings with fixed seeds, and the first of them are shown unpicked. Beside the models stand the held-out texts
themselves, where that makes sense: that is what "perfect" looks like under the same ruler.
"""

import argparse
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer

import corpus
import finetune
import model as network
import pairs
import pretrain
import tokenizer as bpe
from texts.check import KINDS, Kind

SHOWN = {"email": 5, "copy": 5}  # held-out prompts of which texts are printed; of posts, two for each prompt of asked.json
SAMPLES = 2  # for each held-out prompt
ASKED = 5  # for each prompt of texts/post/asked.json: what a person might type about twenty clearly different topics
SAMPLING = {"temperature": 0.8, "top_p": 0.95, "top_k": 0, "repetition_penalty": 1.1}  # the page's defaults
TOKENS = {"post": 80, "email": 160, "copy": 80}  # the page's defaults


@dataclass(frozen=True)
class Sample:
    """A text that a model wrote, or a held-out one."""

    kind: str
    topic: str
    prompt: str
    text: str
    ended: bool = True  # by itself, within its kind's limit


class Writer:
    """A model with its tokenizer and its prompt format."""

    def __init__(self, folder: Path) -> None:
        self.model = network.load(folder).to(network.DEVICE).eval()
        self.tokenizer: Tokenizer = bpe.load(folder / "tokenizer.json")
        about = folder / "fledge.json"
        card = json.loads(about.read_text(encoding="utf-8")) if about.exists() else {}
        self.formats = {kind: bpe.prompt("{prompt}", kind) for kind in bpe.KINDS} if not card else card.get("formats", {})
        self.plain = card.get("prompt_format", "{prompt}")

    def format(self, kind: str, prompt: str) -> str:
        """The prompt as the model reads it."""
        return self.formats.get(kind, self.plain).replace("{prompt}", prompt)

    def write(self, kind: Kind, pair: pairs.Pair, seed: int) -> Sample:
        """One text at the page's default settings."""
        ids = torch.tensor([self.tokenizer.encode(self.format(kind.name, pair.prompt)).ids], device=network.DEVICE)
        torch.manual_seed(seed)
        out = self.model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=True, max_new_tokens=TOKENS[kind.name], pad_token_id=0, **SAMPLING
        )
        new = out[0, ids.shape[1] :].tolist()
        text = self.tokenizer.decode(new).strip()
        return Sample(kind.name, pair.source, pair.prompt, text, 0 in new and kind.length(text) <= kind.limit)

    def bits_per_byte(self, held: list[pairs.Pair]) -> float:
        """Of held-out texts under their prompts; the end-of-text token counts as one byte."""
        tokenizer = self.tokenizer
        prompts = tokenizer.encode_batch([self.format(pair.kind, pair.prompt) for pair in held])
        texts = tokenizer.encode_batch([pair.text for pair in held])
        found = [finetune.Sequence([*p.ids, *t.ids, 0], len(p.ids)) for p, t in zip(prompts, texts)]
        nats = finetune.evaluate(self.model, found) * sum(len(s.ids) - s.prompt for s in found)
        self.model.eval()
        return nats / sum(len(pair.text.encode()) + 1 for pair in held) / math.log(2)

    def bits_per_byte_of_documents(self, documents: list[str]) -> float:
        """Of running text, in windows of one context."""
        ids = pretrain.encode(self.tokenizer, documents)
        nats = pretrain.evaluate(self.model, ids, limit=len(ids)) * len(ids)
        return nats / sum(len(text.encode()) + 1 for text in documents) / math.log(2)


def words(text: str) -> list[str]:
    """Lower-case words."""
    return re.findall(r"[\w']+", text.lower())


def stem(word: str) -> str:
    """A crude stem: plural and verb endings off."""
    return re.sub(r"(?<=\w{3})(?:ing|ies|ed|es|s|y)$", "", word)


def grams(found: list[str], length: int) -> list[tuple[str, ...]]:
    """All runs of so many words."""
    return [tuple(found[i : i + length]) for i in range(len(found) - length + 1)]


def distinct(texts: list[str], length: int) -> float:
    """Share of different ones among all runs of so many words."""
    runs = [run for text in texts for run in grams(words(text), length)]
    return len(set(runs)) / max(1, len(runs))


class Copies:
    """Finds the longest run of words that a text shares with the training texts."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = [words(text) for text in texts]
        self.known: dict[int, set[tuple[str, ...]]] = {}

    def longest(self, text: str) -> int:
        length = 0
        own = words(text)
        while length < len(own) and any(run in self.of(length + 1) for run in grams(own, length + 1)):
            length += 1
        return length

    def of(self, length: int) -> set[tuple[str, ...]]:
        if length not in self.known:
            self.known[length] = {run for text in self.texts for run in grams(text, length)}
        return self.known[length]


class Nearest:
    """Names the class of training posts whose centroid is nearest to a text by TF-IDF (words by their stems, logarithmic counts)."""

    def __init__(self, posts: list[pairs.Pair], class_of: Callable[[str], str]) -> None:
        counted = [(class_of(post.source), Counter(map(stem, words(f"{post.prompt} {post.text}")))) for post in posts]
        spread = Counter(word for _, count in counted for word in count)
        self.class_of = class_of
        self.weight = {word: math.log(len(counted) / number) for word, number in spread.items()}
        self.sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for name, count in counted:
            for word, value in self.unit(count).items():
                self.sums[name][word] += value
        self.norm = {name: math.sqrt(sum(v * v for v in total.values())) for name, total in self.sums.items()}

    def unit(self, count: Counter) -> dict[str, float]:
        vector = {word: (1 + math.log(n)) * self.weight.get(word, 0.0) for word, n in count.items()}
        norm = math.sqrt(sum(v * v for v in vector.values())) or 1.0
        return {word: v / norm for word, v in vector.items()}

    def right(self, sample: Sample) -> bool:
        own = self.unit(Counter(map(stem, words(sample.text))))
        score = {
            name: sum(value * total.get(word, 0.0) for word, value in own.items()) / self.norm[name] for name, total in self.sums.items()
        }
        return max(score, key=score.__getitem__) == self.class_of(sample.topic)


def takes_up(sample: Sample) -> bool:
    """Whether the text uses a content word of its prompt."""
    asked = {stem(word) for word in words(sample.prompt) if pairs.content(word)}
    return bool(asked & {stem(word) for word in words(sample.text)})


def share(found: list[bool]) -> float:
    """How many of them are true."""
    return sum(found) / len(found)


def figures(samples: list[Sample], copies: Copies, topics: Nearest, subjects: Nearest) -> dict[str, float]:
    """What can be counted in texts of one kind."""
    texts = [sample.text for sample in samples]
    spans = sorted(copies.longest(text) for text in texts)
    found = {
        "ends by itself within its limit": share([sample.ended for sample in samples]),
        "uses a content word of the prompt": share([takes_up(sample) for sample in samples]),
        **{f"distinct-{n}": distinct(texts, n) for n in (1, 2, 3)},
        "longest copied run of words, median": spans[len(spans) // 2],
        "longest copied run of words, maximum": spans[-1],
    }
    if samples[0].kind == "post":
        found[f"nearest of {len(subjects.sums)} subjects is right (chance {1 / len(subjects.sums):.0%})"] = share(
            [subjects.right(sample) for sample in samples]
        )
        found[f"nearest of {len(topics.sums)} topics is right (chance {1 / len(topics.sums):.0%})"] = share(
            [topics.right(sample) for sample in samples]
        )
    return found


def shown(name: str, value: float) -> str:
    """A figure as it is printed."""
    if "copied run" in name:
        return str(int(value))
    if "bits" in name or "perplexity" in name or "distinct" in name:
        return f"{value:.3f}"
    return f"{value:.0%}"


def table(columns: dict[str, dict[str, float]]) -> list[str]:
    """A Markdown table, one column a model."""
    rows = list(dict.fromkeys(name for column in columns.values() for name in column))
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (1 + len(columns)) + "|"]
    for row in rows:
        cells = [shown(row, column[row]) if row in column else "" for column in columns.values()]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--model", action="append", required=True, help="NAME=FOLDER; the last one is the one that the card is about")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)

    plain, varied, held = pairs.own()
    copies = Copies(pair.text for pair in plain + varied + pairs.prompted(args.corpus))
    posts = [pair for pair in plain + varied if pair.kind == "post"]
    grouped = json.loads((pairs.TEXTS / "subjects.json").read_text(encoding="utf-8"))
    subject_of = {topic: subject for subject, members in grouped.items() for topic in members}
    topics, subjects = Nearest(posts, lambda topic: topic), Nearest(posts, subject_of.__getitem__)
    asked = json.loads((pairs.TEXTS / "post" / "asked.json").read_text(encoding="utf-8"))
    apart = Nearest([pair for pair in posts if pair.source in asked], lambda topic: topic)
    on_topic = f"asked prompts: nearest of {len(asked)} topics is right (chance {1 / len(asked):.0%})"
    _, documents = corpus.split(corpus.documents(args.corpus))
    business = [document.text for document in documents if document.group == "business"]

    result: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    examples: dict[str, list[Sample]] = {}
    for name, _, folder in (model.rpartition("=") for model in args.model):
        writer = Writer(Path(folder))
        examples[name] = []
        for kind in KINDS:
            own = [pair for pair in held if pair.kind == kind.name]
            unique = list({pair.prompt: pair for pair in own}.values())
            samples = [writer.write(kind, pair, 1000 * n + seed) for n, pair in enumerate(unique) for seed in range(SAMPLES)]
            bits = writer.bits_per_byte(own)
            result[kind.name][name] = {
                "held-out texts, bits a byte": bits,
                "held-out texts, perplexity a byte": 2**bits,
                **figures(samples, copies, topics, subjects),
            }
            if kind.name == "post":
                bits = writer.bits_per_byte_of_documents(business)
                result["post"][name]["general business text, bits a byte"] = bits
                result["post"][name]["general business text, perplexity a byte"] = 2**bits
                questions = [pairs.Pair(prompt, "", topic) for topic, prompt in asked.items()]
                answers = [writer.write(kind, pair, 5000 + 100 * n + seed) for n, pair in enumerate(questions) for seed in range(ASKED)]
                result["post"][name][on_topic] = share([apart.right(sample) for sample in answers])
                result["post"][name]["asked prompts: uses a content word of the prompt"] = share([takes_up(s) for s in answers])
                samples = [sample for at, sample in enumerate(answers) if at % ASKED < SAMPLES]
            examples[name] += samples[: SHOWN.get(kind.name, len(asked)) * SAMPLES]
            print(name, kind.name, json.dumps(result[kind.name][name]), flush=True)
    counts = {}
    for kind in KINDS:
        own = [pair for pair in held if pair.kind == kind.name]
        counts[kind.name] = len({pair.prompt for pair in own})
        real = [Sample(kind.name, pair.source, pair.prompt, pair.text) for pair in own]
        result[kind.name]["held-out texts"] = figures(real, copies, topics, subjects)
        if kind.name == "post":
            result[kind.name]["held-out texts"][on_topic] = share([apart.right(sample) for sample in real if sample.topic in asked])

    newest = list(examples)[-1]
    page = [f"# {newest}", ""]
    for kind in KINDS:
        page += [f"## {kind.name}: {SAMPLES} texts for each of {counts[kind.name]} held-out prompts", "", *table(result[kind.name]), ""]
    page += ["## Samples, unpicked", ""]
    for sample in examples[newest]:
        page.append(f"- **{sample.prompt}** ({sample.kind}): " + sample.text.replace("\n", " / ") + ("" if sample.ended else " *(cut)*"))
    (args.out / "report.md").write_text("\n".join(page) + "\n", encoding="utf-8")
    about = [
        f"{kind.name}, {SAMPLES} texts for each of {counts[kind.name]} held-out prompts: {figure}: {shown(figure, value)}"
        for kind in KINDS
        for figure, value in result[kind.name][newest].items()
    ]
    (args.out / "report.json").write_text(json.dumps({"lines": about, "figures": result}, indent=2) + "\n", encoding="utf-8")
    print("\n".join(page))


if __name__ == "__main__":
    main()
