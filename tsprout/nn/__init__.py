"""Tensors in, tensors out: delay embedding, dynamic convolutions, conditioning, backbones and adapters."""
