"""What a model can do, on prompts that it has never seen: report.json for the card, report.md for people.

    python report.py --corpus CORPUS --model DIR --out DIR

Samples are drawn at temperature 0.8 and top-p 0.95 with fixed seeds and shown unpicked. Beside each figure stands what the
held-out posts themselves score, where that makes sense: that is what "perfect" looks like under the same ruler.
"""

import argparse
import json
import math
import re
from collections import Counter, defaultdict
from pathlib import Path

import torch
from tokenizers import Tokenizer

import finetune
import model as network
import pairs
import tokenizer as bpe
from posts.check import weighted

POSTS = Path(__file__).parent / "posts"
SHOWN = 20  # prompts of which samples are printed
SAMPLES = 4  # for each held-out prompt; the first two are printed
TEMPERATURE, TOP_P, LENGTH, LIMIT = 0.8, 0.95, 96, 280


def sample(model: torch.nn.Module, tokenizer: Tokenizer, prompt: str, seed: int) -> tuple[str, bool]:
    """A post, and whether it came to its own end."""
    ids = torch.tensor([tokenizer.encode(bpe.prompt(prompt)).ids], device=network.DEVICE)
    torch.manual_seed(seed)
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=True,
        temperature=TEMPERATURE,
        top_p=TOP_P,
        top_k=0,
        max_new_tokens=LENGTH,
        pad_token_id=0,
    )
    new = out[0, ids.shape[1] :].tolist()
    return tokenizer.decode(new), 0 in new


def words(text: str) -> list[str]:
    """Lower-case words."""
    return re.findall(r"[\w']+", text.lower())


def distinct(texts: list[str], length: int) -> float:
    """Share of different ones among all runs of so many words."""
    runs = [run for text in texts for run in grams(words(text), length)]
    return len(set(runs)) / max(1, len(runs))


def grams(found: list[str], length: int) -> list[tuple[str, ...]]:
    """All runs of so many words."""
    return [tuple(found[i : i + length]) for i in range(len(found) - length + 1)]


class Copies:
    """Finds the longest run of words that a text shares with the training texts."""

    def __init__(self, texts: list[str]) -> None:
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


class Topics:
    """Names the topic whose training posts are nearest to a text by TF-IDF."""

    def __init__(self, posts: list[pairs.Pair]) -> None:
        counts: dict[str, Counter] = defaultdict(Counter)
        for post in posts:
            counts[post.source].update(map(stem, words(f"{post.prompt} {post.text}")))
        spread = Counter(word for count in counts.values() for word in count)
        self.weight = {word: math.log(len(counts) / number) for word, number in spread.items()}
        self.topics = {topic: self.unit(count) for topic, count in counts.items()}

    def unit(self, count: Counter) -> dict[str, float]:
        vector = {word: (1 + math.log(n)) * self.weight.get(word, 0.0) for word, n in count.items()}
        norm = math.sqrt(sum(v * v for v in vector.values())) or 1.0
        return {word: v / norm for word, v in vector.items()}

    def rank(self, text: str, topic: str) -> int:
        """1 if the topic is the nearest of all."""
        own = self.unit(Counter(map(stem, words(text))))
        score = {t: sum(v * other.get(word, 0.0) for word, v in own.items()) for t, other in self.topics.items()}
        return 1 + sum(value >= score[topic] for t, value in score.items() if t != topic)


def stem(word: str) -> str:
    """A crude stem: plural and verb endings off."""
    return re.sub(r"(?<=\w{3})(?:ing|ies|ed|es|s|y)$", "", word)


def figures(texts: list[tuple[str, str, str]], topics: Topics, copies: Copies) -> dict[str, float]:
    """Figures of (topic, prompt, text) triples."""
    own = [text for _, _, text in texts]
    ranks = [topics.rank(text, topic) for topic, _, text in texts]
    spans = sorted(copies.longest(text) for text in own)
    takes_up = [bool({stem(w) for w in words(prompt) if pairs.content(w)} & {stem(w) for w in words(text)}) for _, prompt, text in texts]
    return {
        **{f"distinct_{n}": distinct(own, n) for n in (1, 2, 3)},
        "nearest_topic": sum(r == 1 for r in ranks) / len(ranks),
        "topic_in_five": sum(r <= 5 for r in ranks) / len(ranks),
        "takes_up_prompt": sum(takes_up) / len(takes_up),
        "copied_words_median": spans[len(spans) // 2],
        "copied_words_max": spans[-1],
        "characters_mean": sum(map(len, own)) / len(own),
    }


def perplexity(model: torch.nn.Module, tokenizer: Tokenizer, held: list[pairs.Pair]) -> dict[str, float]:
    """Held-out loss, the end-of-text token counting as one byte."""
    found = finetune.sequences(tokenizer, held)
    nats = finetune.evaluate(model, found)
    tokens = sum(len(s.ids) - s.prompt for s in found)
    per_byte = nats * tokens / sum(len(pair.text.encode()) + 1 for pair in held)
    model.eval()
    return {"nats_per_token": nats, "bits_per_byte": per_byte / math.log(2), "perplexity_per_byte": math.exp(per_byte)}


def lines(result: dict) -> list[str]:
    """The figures in words, for the model card."""
    made, real = result["samples"], result["posts"]
    return [
        f"held-out posts: {result['nats_per_token']:.3f} nats a token, {result['bits_per_byte']:.3f} bits a byte "
        f"(perplexity {result['perplexity_per_byte']:.3f} a byte)",
        f"of {result['count']} samples on {result['prompts']} held-out prompts, {result['ends']:.0%} end by themselves within {LIMIT} characters",
        f"distinct-1/2/3: {made['distinct_1']:.2f} / {made['distinct_2']:.2f} / {made['distinct_3']:.2f}",
        f"nearest of 100 topics by TF-IDF is the right one: {made['nearest_topic']:.0%} (held-out posts {real['nearest_topic']:.0%}); "
        f"among the nearest five: {made['topic_in_five']:.0%} ({real['topic_in_five']:.0%})",
        f"uses a content word of the prompt: {made['takes_up_prompt']:.0%} ({real['takes_up_prompt']:.0%})",
        f"longest run of words copied from a training text: median {made['copied_words_median']}, "
        f"longest {made['copied_words_max']} (held-out posts {real['copied_words_median']} and {real['copied_words_max']})",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--title", default="Report")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)

    model, tokenizer = network.load(args.model).to(network.DEVICE).eval(), bpe.load(args.model / "tokenizer.json")
    training, others, held = finetune.data(args.corpus, POSTS)
    topics, copies = Topics(training), Copies([pair.text for pair in training + others])
    topic_of = {pair.prompt: pair.source for pair in held}

    made, ends = [], []
    for number, (prompt, topic) in enumerate(topic_of.items()):
        for seed in range(SAMPLES):
            text, ended = sample(model, tokenizer, prompt, 1000 * number + seed)
            made.append((topic, prompt, text))
            ends.append(ended and weighted(text) <= LIMIT)
    result = {
        **perplexity(model, tokenizer, held),
        "count": len(made),
        "prompts": len(topic_of),
        "ends": sum(ends) / len(ends),
        "samples": figures(made, topics, copies),
        "posts": figures([(p.source, p.prompt, p.text) for p in held], topics, copies),
    }
    result["lines"] = lines(result)
    (args.out / "report.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")

    page = [f"# {args.title}", "", *(f"- {line}" for line in result["lines"]), "", "## Samples, unpicked", ""]
    for at in range(0, SHOWN * SAMPLES, SAMPLES):
        page += [f"**{made[at][1]}**", ""]
        for (_, _, text), ended in zip(made[at : at + 2], ends[at : at + 2]):
            page.append("- " + text.replace("\n", " / ") + ("" if ended else " *(cut)*"))
        page.append("")
    (args.out / "report.md").write_text("\n".join(page), encoding="utf-8")
    print("\n".join(page))


if __name__ == "__main__":
    main()
