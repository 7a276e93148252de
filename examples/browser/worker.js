// Run the model beside the page, so that the page answers meanwhile.
//
// A message without `image` is answered with the model's metadata, one with `image` with its
// vector: { id, result }, or { id, error }.

import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { readMetadata, toInput } from "./metadata.js";
import { resize } from "./resize.js";

const MODEL = "../model.tflite";
const RUNTIME = "../node_modules/@litertjs/core/wasm/";
const COMMAND = "keras-osnet export --weights synthetic -o model.tflite";

const opened = openModel();
opened.catch(() => {}); // each message is answered with it

self.onmessage = async ({ data: { id, image } }) => {
  try {
    const { model, metadata } = await opened;
    self.postMessage({ id, result: image ? await embed(image, model, metadata) : metadata });
  } catch (error) {
    self.postMessage({ id, error: error.message });
  }
};

async function openModel() {
  if (!self.isSecureContext) {
    throw new Error(`Open this page by https or on localhost. Received: ${self.location.origin}`);
  }
  const response = await fetch(MODEL, { cache: "no-cache" });
  if (!response.ok) {
    throw new Error(`There is no model beside this page. Write it in its folder: ${COMMAND}`);
  }
  const file = new Uint8Array(await response.arrayBuffer());
  const metadata = await readMetadata(file);
  const { input, output } = metadata;
  if (output.kind !== "embedding") {
    throw new Error(`The model must return embeddings. Received: ${output.kind}`);
  }
  if (input.batch !== 1 || !input.height || !input.width) {
    throw new Error(
      "The model must take one image of a fixed size at once (`--batch 1`). " +
        `Received: batch ${input.batch}, height ${input.height}, width ${input.width}`,
    );
  }
  // In a worker, the runtime looks for its Wasm beside the worker's script unless told otherwise.
  self.Module = { locateFile: (name) => RUNTIME + name };
  await loadLiteRt(RUNTIME);
  return { model: await loadAndCompile(file, { accelerator: "wasm" }), metadata };
}

/** Return the embedding of an image file, a Float32Array of length 1 in the L2 norm. */
async function embed(image, model, { input, output }) {
  const pixels = resize(await decode(image), input.height, input.width);
  const colors = input.layout === "NCHW" ? [1, 3] : [1];
  const shape = [...colors, input.height, input.width, ...(input.layout === "NCHW" ? [] : [3])];
  const tensor = new Tensor(toInput(pixels, input), shape);
  const [result] = await model.run([tensor]);
  const vector = result.toTypedArray().slice();
  tensor.delete();
  result.delete();
  if (vector.length !== output.dim || !vector.every(Number.isFinite)) {
    throw new Error("The model's output is not an embedding.");
  }
  const length = Math.hypot(...vector);
  return vector.map((value) => value / Math.max(length, 1e-12));
}

/** Return the pixels of an image file, upright by its EXIF, without its color profile. */
async function decode(file) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}
