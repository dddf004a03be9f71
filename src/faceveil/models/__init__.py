"""The networks, made by the build hook: ONNX files, their licences, and `manifest.json`."""
