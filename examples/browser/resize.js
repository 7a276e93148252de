// Resize pixels to the values that Pillow's `Image.resize(size, BILINEAR)` gives, with which the
// weights were trained. A canvas resizes by other filters.

/** Pillow's weights are integers with 22 bits after the point. */
const BITS = 22;

/**
 * Resize the pixels of a canvas, without their alpha.
 *
 * @param {{data: Uint8ClampedArray, width: number, height: number}} image RGBA, an ImageData.
 * @param {number} height of the result.
 * @param {number} width of the result.
 * @returns {Uint8Array} RGB, row by row: height * width * 3 values of 0-255.
 */
export function resize(image, height, width) {
  const rgb = withoutAlpha(image.data);
  const across = (pixels) => pass(pixels, image.width, width, 3);
  const down = (pixels, columns) => pass(pixels, image.height, height, columns * 3);
  // Each pass rounds, so that the order matters by up to 1 of 255. This is Pillow 13's; earlier
  // versions always go across first.
  const shrinks = image.height - height;
  return shrinks > 0 && shrinks > 2 * (image.width - width)
    ? across(down(rgb, image.width))
    : down(across(rgb), width);
}

function withoutAlpha(rgba) {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    rgb[to++] = rgba[from];
    rgb[to++] = rgba[from + 1];
    rgb[to++] = rgba[from + 2];
  }
  return rgb;
}

/** Resize one side of an array of shape (any, oldSide, inner). */
function pass(values, oldSide, newSide, inner) {
  const outer = values.length / (oldSide * inner);
  const result = new Uint8Array(outer * newSide * inner);
  const sources = weightsOf(oldSide, newSide);
  for (let block = 0, to = 0; block < outer; block++) {
    for (const { first, weights } of sources) {
      const start = (block * oldSide + first) * inner;
      for (let i = 0; i < inner; i++, to++) {
        let sum = 1 << (BITS - 1); // one half
        for (let k = 0, from = start + i; k < weights.length; k++, from += inner) {
          sum = (sum + weights[k] * values[from]) | 0;
        }
        result[to] = sum >> BITS;
      }
    }
  }
  return result;
}

/** Return, for each index of the new side, the first index of the old side and its weights. */
function weightsOf(oldSide, newSide) {
  const scale = oldSide / newSide;
  const reach = Math.max(scale, 1); // a smaller image averages more pixels: antialiasing
  return Array.from({ length: newSide }, (_, index) => {
    const center = (index + 0.5) * scale;
    const first = Math.max(Math.trunc(center - reach + 0.5), 0);
    const last = Math.min(Math.trunc(center + reach + 0.5), oldSide);
    const triangle = Array.from({ length: last - first }, (_, i) =>
      Math.max(1 - Math.abs((first + i - center + 0.5) * (1 / reach)), 0),
    );
    const sum = triangle.reduce((total, weight) => total + weight, 0);
    const weights = Int32Array.from(triangle, (weight) => (weight / sum) * (1 << BITS) + 0.5);
    return { first, weights };
  });
}
