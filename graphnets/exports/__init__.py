"""The classifier for other runtimes: TFLite, ONNX, SavedModel, TensorFlow.js."""
