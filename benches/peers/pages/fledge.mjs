// Fledge's engine, in a worker as in its page. case: {variant: the build, threads, model, task, and the task's own}
import { CANDIDATES, NEW_TOKENS, prompt, tokens } from "./common.mjs";

const RANK = 8;
/// Tokens of a text that is learnt from.
const LENGTH = 64;
/// Written after a long context.
const FEW_TOKENS = 16;

export default async function ({ variant, threads, model, task, batch, contexts, tokens: lengths, ranks }) {
  const worker = new Worker(`/pages/fledge_worker.js?build=${variant}`);
  const ask = (method, ...parameters) => new Promise((resolve, reject) => {
    worker.onmessage = ({ data: { value, problem } }) => (problem ? reject(new Error(problem)) : resolve(value));
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage({ method, parameters });
  });

  const learn = async (batch, length, rank) => (await ask("learn", batch, length, rank, 1)).step_ms;
  /// One figure at each of several points, as `name@point`.
  const at = async (name, points, figure) => {
    const figures = {};
    for (const point of points) figures[`${name}@${point}`] = await figure(point);
    return figures;
  };

  const tasks = {
    async write(i) {
      const { ids } = await prompt(i);
      const alone = await ask("write", ids, NEW_TOKENS, 1);
      const together = await ask("write", ids, NEW_TOKENS, CANDIDATES);
      return { ...alone, candidates_tps: together.decode_tps };
    },
    learn: async () => ({ step_ms: await learn(batch, LENGTH, RANK) }),
    context: () => at("decode_tps", contexts, async (length) => (await ask("write", tokens(length), FEW_TOKENS, 1)).decode_tps),
    tokens: () => at("step_ms", lengths, (length) => learn(1, length, RANK)),
    rank: () => at("step_ms", ranks, (rank) => learn(1, LENGTH, rank)),
    // The embedded model's vocabulary is smaller than the prompts'.
    async size(i) {
      const written = await ask("write", tokens(16 + i, 8192).slice(i), NEW_TOKENS, 1);
      return { ...written, step_ms: await learn(batch, LENGTH, RANK) };
    },
  };
  return {
    load: () => ask("load", threads, model),
    once: (i) => tasks[task.split("-")[0]](i),
  };
}
