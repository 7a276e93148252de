// Read the description that keras-osnet stores in a `.tflite` file: size and range of its images.

const FORMAT = 4;
const NAME = "keras_osnet.json";
const TEXT = new TextDecoder("utf-8", { fatal: true });

/** Signatures and lengths of the parts of a ZIP archive. */
const ENTRY = { signature: 0x04034b50, size: 30 };
const LISTED = { signature: 0x02014b50, size: 46 };
const END = { signature: 0x06054b50, size: 22 };

/**
 * Read the metadata of a model, and compare the digest in it with the file.
 *
 * @param {Uint8Array} file A `.tflite` file that `keras-osnet export` wrote.
 * @returns {Promise<object>} The JSON; see `keras_osnet.runtime.metadata.ModelMetadata`.
 * @throws {Error} The file has no metadata, that of another version, or is damaged.
 */
export async function readMetadata(file) {
  let text, start;
  try {
    ({ text, start } = readEntry(file, NAME));
  } catch {
    throw new Error(
      "The model's file is damaged or has no metadata; write it with `keras-osnet export`.",
    );
  }
  const metadata = JSON.parse(text);
  if (metadata.format !== FORMAT) {
    throw new Error(
      `The model's metadata must have format ${FORMAT}; export the model again, or update this ` +
        `page. Received: format ${metadata.format} of keras-osnet ${metadata.library_version}`,
    );
  }
  if ((await digestOf(file.subarray(0, start), text, metadata.digest)) !== metadata.digest) {
    throw new Error("The model's file is damaged: its SHA-256 digest is not the one in it.");
  }
  return metadata;
}

/**
 * Convert pixels to the tensor that the model takes.
 *
 * @param {Uint8Array} pixels RGB, row by row: height * width * 3 values of 0-255.
 * @param {object} input `input` of the metadata.
 * @returns {Uint8Array | Float32Array} In the model's range, layout and order of colors.
 */
export function toInput(pixels, input) {
  const values = new (input.dtype === "uint8" ? Uint8Array : Float32Array)(pixels.length);
  const area = input.height * input.width;
  for (let pixel = 0; pixel < area; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      const color = input.channels === "BGR" ? 2 - channel : channel;
      let value = pixels[pixel * 3 + color];
      if (input.pixel_range !== "0-255") value /= 255;
      if (input.pixel_range === "normalized") {
        value = (value - input.mean[color]) / input.std[color];
      }
      values[input.layout === "NCHW" ? channel * area + pixel : pixel * 3 + channel] = value;
    }
  }
  return values;
}

/**
 * Return the text of a file in the ZIP archive behind a flatbuffer, and where the archive starts.
 * A RangeError or TypeError means that there is none.
 */
function readEntry(file, name) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const expect = (part, at) => {
    if (view.getUint32(at, true) !== part.signature) throw new RangeError(`no ZIP part at ${at}`);
  };
  let end = file.length - END.size;
  while (view.getUint32(end, true) !== END.signature) end--;
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  let start = at;
  let text;
  for (let i = 0; i < count; i++) {
    expect(LISTED, at);
    const size = view.getUint32(at + 20, true);
    const names = at + LISTED.size;
    const namesEnd = names + view.getUint16(at + 28, true);
    const entry = view.getUint32(at + 42, true);
    start = Math.min(start, entry);
    if (TEXT.decode(file.subarray(names, namesEnd)) === name) {
      expect(ENTRY, entry);
      const content =
        entry + ENTRY.size + view.getUint16(entry + 26, true) + view.getUint16(entry + 28, true);
      text = TEXT.decode(file.subarray(content, content + size));
    }
    at = namesEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  if (text === undefined) throw new RangeError(`no ${name} in the archive`);
  return { text, start };
}

/** Return the SHA-256 of the flatbuffer and its metadata, the digest in it replaced by zeros. */
async function digestOf(flatbuffer, text, digest) {
  const unsigned = new TextEncoder().encode(text.replaceAll(digest, "0".repeat(64)));
  const hashed = await crypto.subtle.digest(
    "SHA-256",
    await new Blob([flatbuffer, unsigned]).arrayBuffer(),
  );
  return Array.from(new Uint8Array(hashed), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
