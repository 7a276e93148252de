// Embed person crops on Android with LiteRT's CompiledModel. See docs/deploy_on_mobile.md.
//
// Compiled against the Kotlin sources of LiteRT 2.3.0 and stubs of the Android classes.
// `resizedRgb` was run on a desktop JVM: it differs from Pillow by at most one level of 255. So was
// `ModelMetadata`, with Android's JSON library: it takes uint8 files and refuses float32, NCHW, BGR.
// This file has not been run on Android.
package com.example.people

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Rect
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min
import kotlin.math.roundToInt
import org.json.JSONObject

/** Size of the images and of the embedding, from the JSON of the model's export. */
class ModelMetadata(context: Context) {
    private val facts = JSONObject(
        context.assets.open("keras_osnet.json").bufferedReader().use { it.readText() }
    )
    private val input = facts.getJSONObject("input")
    private val output = facts.getJSONObject("output")
    val height = input.getInt("height")
    val width = input.getInt("width")
    val dim = output.getInt("dim")

    init {
        check(facts, "format", 4)
        check(input, "dtype", "uint8")
        check(input, "pixel_range", "0-255")
        check(input, "layout", "NHWC")
        check(input, "channels", "RGB")
        check(input, "batch", 1)
        check(output, "kind", "embedding")
        check(output, "l2_normalized", true)
    }

    private fun check(section: JSONObject, field: String, wanted: Any) =
        require(section.get(field) == wanted) {
            "keras_osnet.json must have $wanted as $field. Received: ${section.get(field)}"
        }
}

/** Computes L2-normalized embeddings of person crops. */
class PersonEmbedder(context: Context, threads: Int = 2) : AutoCloseable {
    private val metadata = ModelMetadata(context)
    private val height = metadata.height
    private val width = metadata.width

    private val model = CompiledModel.create(
        context.assets,
        "osnet_x0_25.tflite",
        CompiledModel.Options(Accelerator.CPU).apply {
            cpuOptions = CompiledModel.CpuOptions(numThreads = threads)
        },
    )
    private val image = model.createInputBuffer("image", "serving_default")
    private val embedding = model.createOutputBuffer("embedding", "serving_default")

    /** Returns the embedding of the person in a box of a frame. */
    @Synchronized
    fun embed(frame: Bitmap, box: Rect): FloatArray {
        val crop = Rect(box)
        require(crop.intersect(0, 0, frame.width, frame.height) && !crop.isEmpty) {
            "The box must overlap the frame. Received: $box"
        }
        val pixels = IntArray(crop.width() * crop.height())
        frame.getPixels(
            pixels, 0, crop.width(), crop.left, crop.top, crop.width(), crop.height()
        )
        image.writeInt8(resizedRgb(pixels, crop.width(), crop.height(), width, height))
        model.run(mapOf("image" to image), mapOf("embedding" to embedding), "serving_default")
        return embedding.readFloat()
    }

    override fun close() {
        image.close()
        embedding.close()
        model.close()
    }
}

/** Returns the cosine similarity of two L2-normalized embeddings, at most 1. */
fun cosine(one: FloatArray, other: FloatArray): Float {
    var sum = 0f
    for (i in one.indices) sum += one[i] * other[i]
    return sum
}

/** Resizes ARGB pixels, bilinear with antialiasing, and returns them as bytes R, G, B, R, … */
fun resizedRgb(
    pixels: IntArray, width: Int, height: Int, newWidth: Int, newHeight: Int
): ByteArray {
    val columns = taps(width, newWidth)
    val rows = taps(height, newHeight)
    val length = newWidth * 3
    val narrow = FloatArray(height * length)
    for (y in 0 until height) {
        for (x in 0 until newWidth) {
            val tap = columns[x]
            var red = 0f
            var green = 0f
            var blue = 0f
            for (i in tap.weights.indices) {
                val pixel = pixels[y * width + tap.first + i]
                red += tap.weights[i] * (pixel shr 16 and 255)
                green += tap.weights[i] * (pixel shr 8 and 255)
                blue += tap.weights[i] * (pixel and 255)
            }
            narrow[y * length + x * 3] = red
            narrow[y * length + x * 3 + 1] = green
            narrow[y * length + x * 3 + 2] = blue
        }
    }
    val bytes = ByteArray(newHeight * length)
    for (y in 0 until newHeight) {
        val tap = rows[y]
        for (x in 0 until length) {
            var sum = 0.5f
            for (i in tap.weights.indices) {
                sum += tap.weights[i] * narrow[(tap.first + i) * length + x]
            }
            bytes[y * length + x] = sum.toInt().toByte()
        }
    }
    return bytes
}

/** The source pixels that contribute to one output pixel, and their weights. */
private class Tap(val first: Int, val weights: FloatArray)

/** A triangle filter around each output pixel, at least one source pixel wide on each side. */
private fun taps(old: Int, new: Int): List<Tap> {
    val step = old.toFloat() / new
    val reach = max(step, 1f)
    return List(new) { place ->
        val center = (place + 0.5f) * step
        val first = max(0, (center - reach).roundToInt())
        val end = min(old, (center + reach).roundToInt())
        val weights = FloatArray(end - first) {
            max(0f, 1 - abs(first + it + 0.5f - center) / reach)
        }
        val sum = weights.sum()
        Tap(first, FloatArray(weights.size) { weights[it] / sum })
    }
}
