// Embed person crops on iOS with TensorFlow Lite. See docs/deploy_on_mobile.md.
//
// Neither compiled nor run: checked against the Swift sources of TensorFlow Lite (Interpreter,
// SignatureRunner, Tensor) and with a Swift grammar parser.
import CoreVideo
import TensorFlowLite
import UIKit

enum PersonEmbedderError: Error {
    case incompatibleModel, boxOutsideImage, unreadableImage
}

/// Input and output of the model, from the JSON of its export (keras_osnet.json).
struct ModelMetadata: Decodable {
    struct Input: Decodable {
        let dtype, pixel_range, layout, channels: String
        let height, width, batch: Int
    }

    struct Output: Decodable {
        let kind: String
        let dim: Int
        let l2_normalized: Bool
    }

    let format: Int
    let input: Input
    let output: Output

    /// Whether PersonEmbedder can run the model.
    var isSupported: Bool {
        format == 4 && input.dtype == "uint8" && input.pixel_range == "0-255"
            && input.layout == "NHWC" && input.channels == "RGB" && input.batch == 1
            && output.kind == "embedding" && output.l2_normalized
    }
}

/// Computes L2-normalized embeddings of person crops. Not thread-safe: use one per thread or queue.
final class PersonEmbedder {
    private let runner: SignatureRunner
    private let height: Int
    private let width: Int

    init(modelPath: String, metadataPath: String, threads: Int = 2) throws {
        let json = try Data(contentsOf: URL(fileURLWithPath: metadataPath))
        let metadata = try JSONDecoder().decode(ModelMetadata.self, from: json)
        guard metadata.isSupported else { throw PersonEmbedderError.incompatibleModel }
        height = metadata.input.height
        width = metadata.input.width
        var options = Interpreter.Options()
        options.threadCount = threads
        options.isXNNPackEnabled = true
        let interpreter = try Interpreter(modelPath: modelPath, options: options)
        runner = try interpreter.signatureRunner(with: "serving_default")
        let image = try runner.input(named: "image")
        guard image.dataType == .uInt8, image.shape.dimensions == [1, height, width, 3] else {
            throw PersonEmbedderError.incompatibleModel
        }
    }

    /// Returns the embedding of the person in a box (in pixels) of an image.
    func embed(_ image: CGImage, box: CGRect) throws -> [Float] {
        let whole = CGRect(x: 0, y: 0, width: image.width, height: image.height)
        guard let crop = image.cropping(to: box.integral.intersection(whole)) else {
            throw PersonEmbedderError.boxOutsideImage
        }
        guard
            let space = CGColorSpace(name: CGColorSpace.sRGB),
            let context = CGContext(
                data: nil, width: crop.width, height: crop.height, bitsPerComponent: 8,
                bytesPerRow: crop.width * 4, space: space,
                bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
        else { throw PersonEmbedderError.unreadableImage }
        context.draw(crop, in: CGRect(x: 0, y: 0, width: crop.width, height: crop.height))
        guard let memory = context.data else { throw PersonEmbedderError.unreadableImage }
        return try run(
            resizedRGB(
                memory, width: crop.width, height: crop.height, bytesPerRow: crop.width * 4,
                red: 0, blue: 2, newWidth: width, newHeight: height))
    }

    /// Returns the embedding of the person in a box of a camera frame in kCVPixelFormatType_32BGRA.
    func embed(_ frame: CVPixelBuffer, box: CGRect) throws -> [Float] {
        guard CVPixelBufferGetPixelFormatType(frame) == kCVPixelFormatType_32BGRA else {
            throw PersonEmbedderError.unreadableImage
        }
        let whole = CGRect(
            x: 0, y: 0, width: CVPixelBufferGetWidth(frame), height: CVPixelBufferGetHeight(frame))
        let crop = box.integral.intersection(whole)
        guard !crop.isEmpty else { throw PersonEmbedderError.boxOutsideImage }
        CVPixelBufferLockBaseAddress(frame, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(frame, .readOnly) }
        guard let memory = CVPixelBufferGetBaseAddress(frame) else {
            throw PersonEmbedderError.unreadableImage
        }
        let bytesPerRow = CVPixelBufferGetBytesPerRow(frame)
        return try run(
            resizedRGB(
                memory + Int(crop.minY) * bytesPerRow + Int(crop.minX) * 4,
                width: Int(crop.width), height: Int(crop.height), bytesPerRow: bytesPerRow,
                red: 2, blue: 0, newWidth: width, newHeight: height))
    }

    private func run(_ rgb: [UInt8]) throws -> [Float] {
        try runner.invoke(with: ["image": Data(rgb)])
        let embedding = try runner.output(named: "embedding").data
        return embedding.withUnsafeBytes { Array($0.bindMemory(to: Float32.self)) }
    }
}

/// Returns the cosine similarity of two L2-normalized embeddings, at most 1.
func cosine(_ one: [Float], _ other: [Float]) -> Float {
    zip(one, other).reduce(0) { $0 + $1.0 * $1.1 }
}

/// Returns the image rotated as its EXIF orientation says.
func upright(_ image: UIImage) -> CGImage? {
    let size = CGSize(
        width: image.size.width * image.scale, height: image.size.height * image.scale)
    let format = UIGraphicsImageRendererFormat()
    format.scale = 1
    format.preferredRange = .standard
    let renderer = UIGraphicsImageRenderer(size: size, format: format)
    return renderer.image { _ in image.draw(in: CGRect(origin: .zero, size: size)) }.cgImage
}

/// Resizes pixels of four bytes, bilinear with antialiasing, and returns bytes R, G, B, R, …
func resizedRGB(
    _ memory: UnsafeMutableRawPointer, width: Int, height: Int, bytesPerRow: Int,
    red: Int, blue: Int, newWidth: Int, newHeight: Int
) -> [UInt8] {
    let old = memory.assumingMemoryBound(to: UInt8.self)
    let columns = taps(from: width, to: newWidth)
    let rows = taps(from: height, to: newHeight)
    let channels = [red, 1, blue]
    let length = newWidth * 3
    var narrow = [Float](repeating: 0, count: height * length)
    for y in 0..<height {
        for x in 0..<newWidth {
            for channel in 0..<3 {
                var sum: Float = 0
                var place = y * bytesPerRow + columns[x].first * 4 + channels[channel]
                for weight in columns[x].weights {
                    sum += weight * Float(old[place])
                    place += 4
                }
                narrow[y * length + x * 3 + channel] = sum
            }
        }
    }
    var bytes = [UInt8](repeating: 0, count: newHeight * length)
    for y in 0..<newHeight {
        for x in 0..<length {
            var sum: Float = 0.5
            for (i, weight) in rows[y].weights.enumerated() {
                sum += weight * narrow[(rows[y].first + i) * length + x]
            }
            bytes[y * length + x] = UInt8(sum)
        }
    }
    return bytes
}

/// Returns, for each output pixel, the source pixels that contribute to it and their weights: a
/// triangle filter, at least one source pixel wide on each side.
private func taps(from old: Int, to new: Int) -> [(first: Int, weights: [Float])] {
    let step = Float(old) / Float(new)
    let reach = max(step, 1)
    return (0..<new).map { place in
        let center = (Float(place) + 0.5) * step
        let first = max(0, Int((center - reach).rounded()))
        let end = min(old, Int((center + reach).rounded()))
        let weights = (first..<end).map { max(0, 1 - abs(Float($0) + 0.5 - center) / reach) }
        let sum = weights.reduce(0, +)
        return (first, weights.map { $0 / sum })
    }
}
