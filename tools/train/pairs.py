"""Prompts and texts: sentences of the corpus under prompts made for them, and the project's own posts, e-mails and copy.

The corpus' short texts are sentences without a title, so a prompt is made from a term that the sentence is about. The
filters are strict: what is left must stand alone and must not be about an agency, a textbook's figure or a brand.
"""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import corpus
import tokenizer as bpe

TEXTS = Path(__file__).parent / "texts"

WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*")
STOP = frozenset(
    """a about above across after again against all almost also although always am among an and another any anyone anything are
    around as ask at away back be became because become becomes been before began being below best better between both but by
    called came can cannot case certain clear come comes could day days did different do does doing done don't down during each
    early easily either else end enough especially etc even ever every everyone everything example examples far few find first
    following for form found four from full further gave general get gets give given gives giving go goes going good got great
    had has have having he help helped helping helps her here high him his how however i idea if i'm important in include
    included includes including instead into is isn't it it's its itself just keep kind know known large last later lead least
    less let let's like likely likewise little long longer look lot lots made main make makes making many matter may maybe me
    means might more most much must my need needed needs never new next no non nor not nothing now number of off often old on
    once one ones only open or other others our out over own part particular people per perhaps place plan point possible put
    quite rather real really recent right said same saw say says second see seen set several she should show shows simple
    simply since small so some someone something sometimes soon start state still such sure take taken takes taking than that
    that's the their them themselves then there therefore these they they're thing things think third this those though three
    through thus time times to together told too took toward towards trying two type types under understand unless until up
    upon us use used useful uses using usually various very want wants was way ways we well went were what whatever when where
    whether which while who whole whom whose why will with within without won't work would year years yes yet you you're your
    yourself able based consider create created current ensure fact focus good include instance known level often order
    provide provided provides providing result results specific term terms today various within somewhere regardless available crucial efficient
    degree relative meaning anywhere everywhere necessary possible capable aware""".split()
)
VERBAL = frozenset("to can could may might must shall should will would not never i you we they he she it who that cannot don't".split())
FORMS = (
    "{term}",
    "{term}",
    "Advice on {term}",
    "Thoughts on {term}",
    "Tips on {term}",
    "A post about {term}",
    "Why {term} {matter}",
    "What to know about {term}",
    "How to think about {term}",
)
GOVERNMENT = re.compile(
    r"\b(agenc\w*|government\w*|federal\w*|feds?|gov|gsa|18f|usa|u\.s\.|us|congress\w*|citizens?|public sector|civic|taxpayers?|"
    r"bureau|white house|presiden\w*|department|office of|administration|webinar\w*|challenge\.gov|digitalgov|directive|"
    r"memorandum|hackathon\w*|api|apis|github|html|css|javascript|jekyll|drupal|repository|veterans?|nasa|noaa|cdc|fda|"
    r"slides?|dap|plain language|communit(?:y|ies) of practice|404|page)\b",
    re.I,
)
TEXTBOOK = re.compile(
    r"\b(figure|table|chapter|exhibit|exercise|textbook|section|students?|instructor|this module|covid\w*|pandemic|percent|"
    r"respondents|survey|researchers?|study|studies|professor|century|for example|for instance|as shown|following|above|below)\b",
    re.I,
)
DANGLING = re.compile(
    r"^(this|that|these|those|it|its|they|their|he|she|his|her|such|another|other|others|both|also|however|therefore|thus|"
    r"moreover|furthermore|in addition|for this|as a result|although|though|but|and|or|so|then|in other words|second|third|"
    r"finally|next|similarly|likewise|for the|in this|in these|at this|on the other|instead|here|there|one such|some of)\b",
    re.I,
)
BUSINESS = re.compile(
    r"\b(customers?|business\w*|compan\w+|markets?|marketing|sell\w*|sales|buy\w*|price\w*|products?|brand\w*|teams?|team\w+|"
    r"colleagues?|employees?|hir(?:e|ing)|leaders?\w*|manag\w+|invest\w*|money|budgets?|clients?|feedback|trust|meetings?|"
    r"stor(?:y|ies)|audience|goals?|startups?|innovati\w+|risks?|fail\w*|success\w*)\b",
    re.I,
)
NAME = re.compile(r"(?<![.!?:\"“] )(?<!^)\b(?!I\b|I['’]|CEO|CFO|HR|PR|B2B|FAQ)[A-Z][\w’']+")


@dataclass(frozen=True)
class Pair:
    """What a person would type, and what the model should answer."""

    prompt: str
    text: str
    source: str
    kind: str = "post"


def stable(text: str, salt: str = "") -> int:
    """A number that depends on the text alone, today and on any machine."""
    return int.from_bytes(hashlib.sha256((salt + text).encode()).digest()[:8], "big")


def stands_alone(text: str) -> bool:
    """Whether a sentence can be read without the page it came from."""
    return (
        55 <= len(text) <= 275
        and text[0].isupper()
        and text[-1] in ".!?"
        and not DANGLING.search(text)
        and not GOVERNMENT.search(text)
        and not TEXTBOOK.search(text)
        and not NAME.search(text)
        and not re.search(r"[\[\](){}<>|*_#/\d;=]", text)
        and not re.search(r"\bas (?:shows|seen in)\b|\s[.,]", text)
        and text.count('"') % 2 == 0
    )


def titled(folder: Path) -> list[Pair]:
    """Titles and summaries of public-service articles, without what is about the service itself."""
    pairs = []
    for row in corpus.rows(folder / "gov" / "short_posts.jsonl"):
        title, text = row["title"].strip(), row["text"].strip()
        words = WORD.findall(title)
        plain = 2 <= len(words) <= 9 and not re.search(r"[A-Z]{2}|\d|[|:#@]", title)
        about_us = GOVERNMENT.search(f"{title} {text}") or re.search(r"\b(we|our|i|join|register|tts|usability\.gov)\b", text, re.I)
        if plain and not about_us and 40 <= len(text) <= 270 and text[-1] in ".!?" and not re.search(r"[A-Z]{3}|http|www", text):
            pairs.append(Pair(title, text, row["source"]))
    return pairs


def mined(folder: Path) -> list[Pair]:
    """Sentences of the business books and public-service writing under prompts made from their terms."""
    rows = [row for row in corpus.rows(folder / "shorts" / "business_shorts.jsonl") if not row["gov"]]
    rows = [row for row in rows if stands_alone(row["text"]) and (row["source"] in corpus.BUSINESS or BUSINESS.search(row["text"]))]
    lower = {word for row in rows for word in row["text"].split()[1:]}
    rows = [row for row in rows if row["text"].split()[0].strip(",").lower() in lower]  # else it begins with a name
    term = terms(row["text"] for row in rows)
    pairs = []
    for row in rows:
        text = row["text"]
        if prompt := how_to(text) if stable(text, "form") % 4 == 0 else None:
            pairs.append(Pair(prompt, text, row["source"]))
        elif found := term(text):
            plural = found.endswith("s") and not found.endswith(("ss", "ics"))
            form = FORMS[stable(text) % len(FORMS)].format(term=found, matter="matter" if plural else "matters")
            pairs.append(Pair(form if stable(text, "case") % 3 == 0 else form[0].upper() + form[1:], text, row["source"]))
    return pairs


def chunks(folder: Path) -> list[Pair]:
    """One to three successive sentences of the books, under a term that they use: they teach that a prompt is to be taken up.

    Of the fiction only what names nobody, for its plain words and its scenes.
    """
    found = []
    for document in corpus.documents(folder):
        if document.group in ("business", "fiction"):
            found += [(document.group, text) for text in cut(document.text) if stands_alone(text)]
    lower = {word for _, text in found for word in text.split()[1:]}
    found = [(group, text) for group, text in found if text.split()[0].strip(",").lower() in lower]
    term = terms(text for _, text in found)
    return [Pair(prompt, text, group) for group, text in found if (prompt := term(text))]


def prompted(folder: Path) -> list[Pair]:
    """Every pair that the corpus gives, all of them posts."""
    return titled(folder) + mined(folder) + chunks(folder)


def cut(text: str) -> Iterator[str]:
    """The paragraphs' sentences, gathered into pieces of differing length, a post's at most."""
    for paragraph in text.split("\n"):
        piece = ""
        for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z])", paragraph.strip()):
            room = 90 + stable(sentence) % 150
            if piece and len(piece) + len(sentence) > room:
                yield piece
                piece = ""
            piece = f"{piece} {sentence}".strip()
        if piece:
            yield piece


def how_to(text: str) -> str | None:
    """`How to raise prices` from a sentence that says `... to raise their prices ...`."""
    found = re.search(r"\bto ([a-z]{3,}) (?:the |a |an |their |your |its |our |more |new )?([a-z]{4,})(?: ([a-z]{4,}))?\b", text)
    if not found or found[1] in STOP or found[2] in STOP or found[1].endswith(("ing", "ed", "ly", "s")):
        return None
    words = [found[1], found[2]] + ([found[3]] if found[3] and found[3] not in STOP and not found[3].endswith("ly") else [])
    return "How to " + " ".join(words)


def terms(texts: Iterable[str]) -> Callable[[str], str | None]:
    """A function that names what a text is about: the recurring noun phrase with most weight, the earlier the better.

    There is no tagger here. A word counts as a noun if it mostly ends a run of content words and seldom follows `to`, `can`
    or a pronoun; a phrase is a run that ends in a noun and begins with nothing that looks like a verb.
    """
    split = [tokens(text) for text in texts]
    seen, closing, verbal = Counter(), Counter(), Counter()
    for words in split:
        for before, word, after in zip(["", *words], words, [*words[1:], ""]):
            seen[word] += 1
            closing[word] += after in STOP or not WORD.match(after)
            verbal[word] += before in VERBAL

    def noun(word: str) -> bool:
        return content(word) and closing[word] > 0.6 * seen[word] and verbal[word] < 0.1 * seen[word] and not word.endswith("ed")

    def candidates(words: list[str]) -> list[tuple[int, str]]:
        """Positions and phrases of one to three words; a longer noun phrase hides the shorter ones that it ends with."""
        found = []
        for end, word in enumerate(words):
            after = words[end + 1] if end + 1 < len(words) else ""
            if not noun(word) or noun(after):
                continue
            start = end
            while start > 0 and end - start < 2 and content(words[start - 1]) and verbal[words[start - 1]] < 0.1 * seen[words[start - 1]]:
                start -= 1
            if start == end or words[start - 1 if start else 0] not in VERBAL:
                found.append((start, " ".join(words[start : end + 1])))
        return found

    count = Counter(term for words in split for term in {term for _, term in candidates(words)})

    def best(text: str) -> str | None:
        words = tokens(text)
        scored = {
            term: min(math.log(len(split) / count[term]), 6.5) * (1.0, 1.4, 1.3)[term.count(" ")] - at / 8
            for at, term in candidates(words)
            if count[term] >= 3
        }
        return max(scored, key=scored.__getitem__) if scored else None

    return best


def tokens(text: str) -> list[str]:
    """Lower-case words, and punctuation as words of its own."""
    return re.findall(r"[a-z][a-z'’-]*|[^\sa-z]", text.lower())


def content(word: str) -> bool:
    """Whether a word can be part of a term."""
    return len(word) > 2 and bool(WORD.match(word)) and word not in STOP and not word.endswith(("ly", "'s", "'ve", "'re", "'ll", "n't"))


def held_out(kind: str) -> frozenset[str]:
    """The prompts, in lower case, that no model is trained on (texts/*/held_out.txt, texts/post/asked.json)."""
    lines = (TEXTS / kind / "held_out.txt").read_text(encoding="utf-8").splitlines()
    asked = json.loads((TEXTS / "post" / "asked.json").read_text(encoding="utf-8")).values()
    return frozenset(line.strip().lower() for line in (*lines, *asked) if line.strip())


def written(kind: str, name: str) -> list[Pair]:
    """The project's own texts of a kind: `varied` or `plain` (texts/README.md)."""
    rows = corpus.rows(TEXTS / kind / f"{name}.jsonl")
    return [Pair(row["prompt"], row["text"], row.get("topic", kind), kind) for row in rows]


def own() -> tuple[list[Pair], list[Pair], list[Pair]]:
    """(plain, varied, held out): the project's own texts of all kinds, parted by their prompts."""
    held = []

    def training(name: str) -> list[Pair]:
        kept = []
        for kind in bpe.KINDS:
            unseen = held_out(kind)
            for pair in written(kind, name):
                (held if pair.prompt.lower() in unseen else kept).append(pair)
        return kept

    return training("plain"), training("varied"), held
