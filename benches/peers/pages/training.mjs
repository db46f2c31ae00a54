// onnxruntime-web/training 1.19.2, the last release that could train: a step on the graphs of make_training.py.
// case: {threads, batch}
import { SHAPE, tokens } from "./common.mjs";

const LENGTH = 64;

export default async function ({ threads, batch }) {
  let session, feeds;
  return {
    async load() {
      const ort = await import("/lib/ort-training/dist/ort.training.wasm.min.mjs");
      ort.env.wasm.wasmPaths = "/lib/ort-training/dist/";
      ort.env.wasm.numThreads = threads;
      const at = (file) => `/models/ort-training-${batch}/${file}`;
      session = await ort.TrainingSession.create(
        { checkpointState: at("checkpoint"), trainModel: at("training_model.onnx"), optimizerModel: at("optimizer_model.onnx") },
        { executionProviders: ["wasm"] });
      const count = batch * LENGTH, text = tokens(count + 1, SHAPE.V);
      const i64 = (ids) => new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [count]);
      const [ids, labels] = session.trainingInputNames;
      feeds = { [ids]: i64(text.slice(0, count)), [labels]: i64(text.slice(1)) };
      return { used_threads: ort.env.wasm.numThreads };
    },
    async once() {
      const begun = performance.now();
      await session.runTrainStep(feeds);
      await session.runOptimizerStep();
      await session.lazyResetGrad();
      return { step_ms: performance.now() - begun };
    },
  };
}
