"""Which operators and number types a computation needs, forward and backward."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

MPS = frozenset(
    {
        "_local_scalar_dense",
        "_reshape_alias",
        "_softmax",
        "_softmax_backward_data",
        "_to_copy",
        "_unsafe_view",
        "abs",
        "add",
        "add_",
        "addcmul",
        "addcmul_",
        "alias",
        "all",
        "amax",
        "any",
        "arange",
        "argmin",
        "as_strided",
        "avg_pool2d",
        "avg_pool2d_backward",
        "bitwise_and",
        "bitwise_not",
        "bitwise_or",
        "bmm",
        "bucketize",
        "cat",
        "clamp",
        "clamp_",
        "clone",
        "constant_pad_nd",
        "convolution",
        "convolution_backward",
        "copy_",
        "cumsum",
        "detach",
        "detach_",
        "div",
        "div_",
        "empty",
        "empty_like",
        "empty_strided",
        "eq",
        "exp",
        "expand",
        "fill_",
        "floor",
        "floor_divide",
        "full",
        "full_like",
        "gather",
        "ge",
        "gelu",
        "gelu_backward",
        "gt",
        "index",
        "index_put_",
        "index_select",
        "le",
        "leaky_relu",
        "leaky_relu_backward",
        "lerp",
        "lift_fresh",
        "linalg_vector_norm",
        "logical_and_",
        "lt",
        "masked_fill",
        "masked_fill_",
        "max_pool2d_with_indices",
        "max_pool2d_with_indices_backward",
        "mean",
        "minimum",
        "mm",
        "mul",
        "mul_",
        "nan_to_num",
        "narrow",
        "native_layer_norm",
        "native_layer_norm_backward",
        "ne",
        "neg",
        "new_empty_strided",
        "new_zeros",
        "nonzero",
        "ones",
        "ones_like",
        "permute",
        "pixel_shuffle",
        "pixel_unshuffle",
        "pow",
        "pow_",
        "promote_types",
        "randn",
        "reciprocal",
        "rsub",
        "scalar_tensor",
        "scatter_add",
        "select",
        "select_backward",
        "sgn",
        "sigmoid",
        "sigmoid_",
        "sigmoid_backward",
        "sign",
        "silu",
        "silu_backward",
        "slice",
        "slice_backward",
        "split",
        "split_with_sizes",
        "sqrt",
        "squeeze",
        "stack",
        "sub",
        "sub_",
        "sum",
        "t",
        "tanh",
        "tanh_backward",
        "transpose",
        "unbind",
        "unsqueeze",
        "upsample_nearest2d",
        "upsample_nearest2d_backward",
        "view",
        "where",
        "zero_",
        "zeros",
        "zeros_like",
    }
)
"""Operators that Apple's MPS has had, forward and backward, since torch 2.6."""

FORBIDDEN = (torch.float64, torch.complex32, torch.complex64, torch.complex128)
"""Number types that MPS lacks, or supports in few operators."""


class OperatorWalk(TorchDispatchMode):
    """Record every operator, and the type of every tensor it takes or gives."""

    def __init__(self) -> None:
        super().__init__()
        self.operators: set[str] = set()
        self.dtypes: set[torch.dtype] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.operators.add(func.overloadpacket.__name__)
        leaves = tree_leaves((args, kwargs, result))
        self.dtypes |= {leaf.dtype for leaf in leaves if isinstance(leaf, torch.Tensor)}
        return result

    def assert_runs_on_mps(self) -> None:
        """Fail with what MPS cannot do."""
        assert self.operators, "nothing was recorded"
        assert not self.dtypes & set(FORBIDDEN), self.dtypes
        assert not self.operators - MPS, sorted(self.operators - MPS)


def walk(compute: Callable[[], torch.Tensor]) -> OperatorWalk:
    """Record a computation and the gradients of its sum."""
    with OperatorWalk() as recorded:
        compute().sum().backward()
    return recorded
