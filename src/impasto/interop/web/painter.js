/** The worker that runs the network with ONNX Runtime Web: on the graphics processor where WebGPU has 16-bit floats. */

import * as ort from "./runtime/ort.webgpu.bundle.min.mjs";

/** The network, loaded once: a session and the name of its device. */
let loading = null;
/** Paintings are made one after the other; of several that wait only the last is wanted. */
let wanted = null;
let busy = false;

async function load() {
  const model = await (await fetch("model.onnx")).arrayBuffer();
  const adapter = await navigator.gpu?.requestAdapter();
  if (adapter?.features.has("shader-f16")) {
    try {
      return { session: await session(model, "webgpu"), device: "graphics processor" };
    } catch (error) {
      console.warn(error);
    }
  }
  return { session: await session(model, "wasm"), device: "processor" };
}

function session(model, provider) {
  return ort.InferenceSession.create(model, { executionProviders: [provider], logSeverityLevel: 3 });
}

/** Pixels, 4 bytes each, to an input (1, 3, height, width) in −1…1. */
function input({ data, width, height }) {
  const area = width * height;
  const values = new Float32Array(3 * area);
  for (let pixel = 0; pixel < area; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      values[channel * area + pixel] = data[4 * pixel + channel] / 127.5 - 1;
    }
  }
  return new ort.Tensor("float32", values, [1, 3, height, width]);
}

/** The reverse; clamped and rounded as the array stores them. */
function output(values) {
  const area = values.length / 3;
  const data = new Uint8ClampedArray(4 * area).fill(255);
  for (let pixel = 0; pixel < area; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      data[4 * pixel + channel] = (values[channel * area + pixel] + 1) * 127.5;
    }
  }
  return data;
}

async function paint(photo) {
  loading ??= load();
  const { session, device } = await loading;
  const { data: before, width, height, name } = photo;
  postMessage({ status: `Painting ${width} × ${height} pixels …` });
  const begun = performance.now();
  const { paintings } = await session.run({ photos: input(photo) });
  const painted = output(paintings.data);
  const seconds = (performance.now() - begun) / 1000;
  postMessage({ before, painted, width, height, name, seconds, device }, [before.buffer, painted.buffer]);
}

onmessage = async ({ data }) => {
  wanted = data;
  if (busy) return;
  busy = true;
  while (wanted) {
    const photo = wanted;
    wanted = null;
    try {
      await paint(photo);
    } catch (error) {
      console.warn(error);
      postMessage({ error: "This browser could not paint the photo: choose larger strokes, or use a current browser." });
      loading = null;
    }
  }
  busy = false;
};
