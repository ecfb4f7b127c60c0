"""Kernels that count activations at the speed of reading memory: on the CPU, on a GPU, or by torch.

`levels` turns a criterion into one level per row, `dispatch` chooses the kernel.
"""
