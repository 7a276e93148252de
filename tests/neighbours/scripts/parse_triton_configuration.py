"""Parse Triton's `config.pbtxt`: FILE. Print it as JSON."""

import json
import sys
from pathlib import Path

from google.protobuf import json_format, text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

configuration = text_format.Parse(Path(sys.argv[1]).read_text("utf-8"), ModelConfig())
print(json.dumps(json_format.MessageToDict(configuration)))
