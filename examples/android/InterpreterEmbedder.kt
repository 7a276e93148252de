// Embed person crops on Android with the older TensorFlow Lite Interpreter. See
// docs/deploy_on_mobile.md.
//
// Compiled against the Interpreter of LiteRT 2.3.0 and stubs of the Android classes; not run.
package com.example.people

import android.content.Context
import java.io.FileInputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer
import java.nio.channels.FileChannel
import org.tensorflow.lite.Interpreter

/** Runs the same file, with the same JSON; takes the bytes of `resizedRgb`, returns an L2-normalized embedding. */
class InterpreterEmbedder(context: Context, threads: Int = 2) : AutoCloseable {
    private val dim = ModelMetadata(context).dim
    private val interpreter = Interpreter(
        context.assets.openFd("osnet_x0_25.tflite").use { asset ->
            FileInputStream(asset.fileDescriptor).channel.use {
                it.map(FileChannel.MapMode.READ_ONLY, asset.startOffset, asset.declaredLength)
            }
        },
        Interpreter.Options().setNumThreads(threads),
    )

    @Synchronized
    fun embed(rgb: ByteArray): FloatArray {
        val image = ByteBuffer.allocateDirect(rgb.size).order(ByteOrder.nativeOrder())
        image.put(rgb).rewind()
        val embedding = FloatBuffer.allocate(dim)
        interpreter.runSignature(
            mapOf("image" to image), mapOf("embedding" to embedding), "serving_default"
        )
        return embedding.array()
    }

    override fun close() = interpreter.close()
}
