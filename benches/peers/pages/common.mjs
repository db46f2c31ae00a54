// What the pages share. Each page exports a function from a case to `{ load, once }`: `load` gets the engine ready and
// says what it is, `once(i)` runs the case's task one time and returns its figures.

/// GPT-2 124M: entries of the vocabulary, layers, heads, width.
export const SHAPE = { V: 50257, L: 12, H: 12, D: 768 };
export const NEW_TOKENS = 64;

/// Texts that are written at once, for the choice between candidates.
export const CANDIDATES = 4;

let prompts;
/// A prompt of 16 tokens, another one each time, so that no cache of prefixes helps.
export const prompt = async (i) => {
  prompts ??= await (await fetch("/models/gpt2-random/prompts.json")).json();
  return prompts[i % prompts.length];
};

/// From the time of the call and of each token: the time to the first, and the speed of the others.
export const stream = (begun, times) => ({
  prefill_ms: times[0] - begun,
  decode_tps: (times.length - 1) * 1000 / (times.at(-1) - times[0]),
});

/// Any tokens, the same ones each time.
export const tokens = (count, vocabulary = SHAPE.V) => {
  let x = 2654435769;
  return Array.from({ length: count }, () => {
    x ^= x << 13; x ^= x >>> 17; x ^= x << 5;
    return (x >>> 0) % vocabulary;
  });
};
