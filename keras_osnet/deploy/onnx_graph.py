"""Changes to the graph of an ONNX file, so that other software takes it."""

from typing import Any

from keras_osnet._utils.optional import require

_BATCH = "batch"
"""Name of the open dimension, by which ONNX Runtime's Core ML provider and others fix it."""


def rename_ends(graph: Any, names: tuple[str, str]) -> None:
    """Rename the input and the output of a GraphProto, and their open batch dimension.

    Tensors inside that have one of the names get another.
    """
    ends = (graph.input[0], graph.output[0])
    inside = {each.name for each in (*graph.value_info, *graph.initializer)}
    inside |= {name for node in graph.node for name in node.output}
    renamed = {name: f"{name}/inside" for name in names if name in inside}
    renamed |= {end.name: name for end, name in zip(ends, names, strict=True)}
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = renamed.get(value.name, value.name)
    for node in graph.node:
        for tensors in (node.input, node.output):
            tensors[:] = [renamed.get(each, each) for each in tensors]
    for end in ends:
        batch = end.type.tensor_type.shape.dim[0]
        if not batch.HasField("dim_value"):
            batch.dim_param = _BATCH


def join_dense_layers(model: Any) -> None:
    """Write the product and the sum of each dense layer of a ModelProto as one `Gemm`.

    From the two, OpenCV 4 computes (N, 1, dim) of N images and not (N, dim).
    """
    onnx = require("onnx", "Exporting to ONNX", "deploy")
    inferred = onnx.shape_inference.infer_shapes(model).graph
    vectors = {
        value.name
        for value in (*inferred.value_info, *inferred.output)
        if len(value.type.tensor_type.shape.dim) == 2
    }
    graph = model.graph
    constants = {each.name: len(each.dims) for each in graph.initializer}
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for index, product in enumerate(graph.node):
        after = readers.get(product.output[0], []) if product.op_type == "MatMul" else []
        if len(after) != 1 or after[0].op_type != "Add" or product.output[0] not in vectors:
            continue
        total = after[0]
        bias = next((each for each in total.input if constants.get(each) == 1), None)
        if bias is not None:
            joined = onnx.helper.make_node(
                "Gemm", [*product.input, bias], list(total.output), name=product.name
            )
            graph.node.remove(total)
            graph.node[index].CopyFrom(joined)
