"""Export of trained networks: ONNX, torch.export, and the model card."""
