"""Trained networks for other programs: ONNX, torch.export, and the model card."""
