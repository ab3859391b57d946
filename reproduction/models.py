"""How to get a model of Table 1 (untrained, small, pretrained, from a file) and its features."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from reproduction.grid import default_device
from reproduction.table_1 import Architecture, find
from sslib.features import feature_matrices
from sslib.taps import resolve_modules


def untrained(
    arch: str | Architecture,
    seed: int,
    *,
    num_classes: int = 1000,
    options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """The model with random weights, as timm initialises them, in eval mode on the CPU.

    >>> model = untrained("ResNet34", seed=0, num_classes=10)
    >>> model.fc.out_features, model.training
    (10, False)

    Args:
        seed: not negative. Equal seeds give equal weights; the global random state is left as
            found.
        num_classes: outputs of the classifier, 0 for none. It draws random numbers too, so under
            one seed another number of classes gives other weights everywhere.
        options: more arguments of timm's constructor, such as ``{"weight_init": "jax"}``.

    Raises:
        ValueError: an unknown architecture, a bad seed or number of classes.
    """
    arch = find(arch)
    for argument, value in (("seed", seed), ("num_classes", num_classes)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f"{argument}: expected an integer of at least 0, got {value!r}")
    # The CPU's generator alone: torch.manual_seed would also reseed the GPUs.
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)
        return _constructor(arch, options or {})(num_classes=num_classes, **(options or {})).eval()


def _constructor(arch: Architecture, options: Mapping[str, Any]) -> Callable[..., nn.Module]:
    """timm's function for the model; where it refuses options that it sets itself, the class with
    its settings.
    """
    import timm
    from timm.layers import GroupNorm1
    from timm.models.metaformer import MetaFormer
    from timm.models.mlp_mixer import Affine, MlpMixer, ResBlock
    from timm.models.vgg import VGG

    if arch.timm_name == "resmlp_12_224" and options:
        return partial(MlpMixer, mlp_ratio=4, block_layer=ResBlock, norm_layer=Affine)
    if arch.timm_name == "mixer_b16_224" and options:
        return MlpMixer
    if arch.timm_name == "poolformer_s12" and options:
        return partial(
            MetaFormer,
            downsample_norm=None,
            mlp_act=nn.GELU,
            mlp_bias=True,
            norm_layers=GroupNorm1,
            layer_scale_init_values=1e-5,
            res_scale_init_values=None,
            use_mlp_head=False,
        )
    if arch.timm_name == "vgg11" and options:
        return VGG
    return partial(timm.create_model, arch.timm_name)


_TOKENS = {"img_size": 32, "patch_size": 8, "embed_dim": 128}

_DEPTHS = (1, 1, 2, 1)

#: Small versions of Table 1's models for 32-pixel images: arguments of timm's constructors.
SMALL: dict[str, dict[str, Any]] = {
    "vit_small_patch16_224": {**_TOKENS, "depth": 6, "num_heads": 4},
    "vit_base_patch16_224": {**_TOKENS, "embed_dim": 192, "depth": 6, "num_heads": 6},
    "poolformer_s12": {"depths": _DEPTHS, "dims": (32, 64, 128, 192)},
    "pvt_v2_b3": {"depths": _DEPTHS, "embed_dims": (32, 64, 128, 192), "num_heads": (1, 2, 4, 6)},
    "resnet34": {"layers": (1, 1, 1, 1), "channels": (32, 64, 128, 256)},
    "resnet50": {"layers": (1, 1, 1, 1), "channels": (16, 32, 64, 128)},
    "vgg11": {
        "cfg": [32, "M", 64, "M", 128, 128, "M", 256, 256, "M", 256, 256, "M"],
        "mlp_ratio": 1 / 16,
    },
    "resmlp_12_224": {**_TOKENS, "num_blocks": 6},
    "mixer_b16_224": {**_TOKENS, "num_blocks": 6},
}


def small(arch: str | Architecture, seed: int, *, num_classes: int = 10) -> nn.Module:
    """A small version of a Table 1 model for 32-pixel images (`SMALL`), random weights, in eval
    mode on the CPU.

    It has the architecture's own parts, in fewer and narrower blocks.

    >>> sum(p.numel() for p in small("MLP-Mixer", 0).parameters()) < 10**6
    True

    Raises:
        ValueError: as `untrained` does, and for an architecture that has no small version.
    """
    arch = find(arch)
    if arch.timm_name not in SMALL:
        raise ValueError(
            f"arch: {arch.timm_name!r} has no small version; expected one of {', '.join(SMALL)}"
        )
    return untrained(arch, seed, num_classes=num_classes, options=SMALL[arch.timm_name])


def pretrained(arch: str | Architecture, *, weights: str | None = None) -> nn.Module:
    """The model with timm's pretrained weights, downloaded or from timm's cache, in eval mode on
    the CPU.

    >>> model = pretrained("ViT (small)")  # doctest: +SKIP
    >>> model.pretrained_cfg["tag"]        # doctest: +SKIP
    'dino'

    Args:
        weights: timm's tag, such as "augreg_in21k_ft_in1k"; None means the one the released scripts
            load (``Architecture.weights``) or, where they load none, timm's default. The model's
            ``pretrained_cfg["tag"]`` says which it was.

    Raises:
        ValueError: an unknown architecture or tag.
        RuntimeError: the weights cannot be had.
    """
    import timm

    arch = find(arch)
    known = [name.partition(".")[2] for name in timm.list_pretrained(f"{arch.timm_name}.*")]
    tag = arch.weights if weights is None else weights
    if tag is not None and tag not in known:
        raise ValueError(
            f"weights: {tag!r} is no tag of {arch.timm_name}; expected one of {', '.join(known)}"
        )
    name = arch.timm_name if tag is None else f"{arch.timm_name}.{tag}"
    try:
        with torch.random.fork_rng(devices=[]), torch.device("cpu"), _quiet("huggingface_hub"):
            return timm.create_model(name, pretrained=True).eval()
    except Exception as error:  # the hub, urllib and timm each raise their own
        reason = (str(error).strip().splitlines() or [""])[0].split(". ")[0]
        raise RuntimeError(
            f"The pretrained weights of {name} could not be loaded "
            f"({type(error).__name__}: {reason}): without a network, fetch timm's .safetensors "
            f"file elsewhere and load it with from_checkpoint({arch.timm_name!r}, path), or put it "
            f"as {arch.timm_name}.safetensors into a folder and give that folder as weights."
        ) from error


@contextmanager
def _quiet(library: str) -> Iterator[None]:
    """Only errors of a library's log: the hub's tells of every retry, our error says it once."""
    log = logging.getLogger(library)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def from_checkpoint(arch: str | Architecture, path: str | Path) -> nn.Module:
    """The model with the weights of a .safetensors file that uses timm's names, in eval mode on the
    CPU.

    The classifier gets as many classes as the file has for it; it is left out if the file has none.
    Files of other kinds are refused, since unpickling can run code.

    >>> import tempfile
    >>> from safetensors.torch import save_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = f"{folder}/weights.safetensors"
    ...     save_file(untrained("ResNet34", 0, num_classes=10).state_dict(), file)
    ...     model = from_checkpoint("ResNet34", file)
    >>> model.fc.out_features
    10

    Raises:
        ValueError: the file is missing, not safetensors, or does not fit the model: the keys are
            named.
    """
    import timm

    arch = find(arch)
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(
            f"path: expected a .safetensors file, got {str(path)!r}; "
            "save the state_dict with safetensors.torch.save_file"
        )
    if not path.is_file():
        raise ValueError(f"path: there is no file {str(path)!r}")
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"path: {str(path)!r} is not a readable safetensors file ({error})"
        ) from None
    head = state.get(f"{timm.get_pretrained_cfg(arch.timm_name).classifier}.weight")
    model = untrained(arch, 0, num_classes=head.shape[0] if head is not None and head.ndim else 0)
    expected = model.state_dict()
    # Older files lack batch norm's counter; torch then keeps 0, and eval mode does not use it.
    faults = {
        "missing": [
            key for key in expected if key not in state and not key.endswith("num_batches_tracked")
        ],
        "unexpected": [key for key in state if key not in expected],
        "of another shape": [
            f"{key} {tuple(state[key].shape)} for {tuple(expected[key].shape)}"
            for key in state
            if key in expected and state[key].shape != expected[key].shape
        ],
    }
    if any(faults.values()):
        told = "; ".join(
            f"{len(keys)} {kind}: {', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''}"
            for kind, keys in faults.items()
            if keys
        )
        raise ValueError(
            f"path: the weights in {str(path)!r} are not those of {arch.timm_name} ({told})"
        )
    model.load_state_dict(state)
    return model


def load(arch: str | Architecture, weights: str | Path = "untrained", seed: int = 0) -> nn.Module:
    """The model with the weights that a notebook's parameter names: one way in for all three kinds.

    Raises as `untrained`, `pretrained` and `from_checkpoint` do.

    >>> load("ResNet34", "untrained", seed=1).num_classes
    1000

    Args:
        weights: "untrained" (`seed` counts), "pretrained", or a folder that holds ``<timm
            name>.safetensors``.
    """
    arch = find(arch)
    if weights == "untrained":
        return untrained(arch, seed)
    if weights == "pretrained":
        return pretrained(arch)
    return from_checkpoint(arch, Path(weights) / f"{arch.timm_name}.safetensors")


def modules_of(architecture: Architecture, network: nn.Module) -> dict[str, list[str]]:
    """The module names of a model "as printed" (Table 1) and "as released" (what the training
    script draws from).
    """
    return {
        "printed": list(architecture.modules),
        "released": resolve_modules(network, architecture.released_modules),
    }


def features_of(
    architecture: Architecture,
    network: nn.Module,
    images: Tensor | Iterable[Tensor],
    *,
    modules: Sequence[str] | None = None,
    training: bool = False,
    device: str | None = None,
) -> dict[str, Tensor]:
    """F of a network's modules in one pass over the images; on the CPU wherever the network ran.

    Args:
        architecture: what the network is.
        network: with any weights.
        images: as for ``feature_matrices``.
        modules: their names; None means every one printed or released.
        training: whether the network runs in training mode.
        device: where it runs; None means ``default_device()``.

    Raises:
        ValueError: as ``feature_matrices`` does.
    """
    groups = modules_of(architecture, network).values()
    names = modules or list(dict.fromkeys(name for group in groups for name in group))
    # "auto" tells PVT's stages (B, C, H, W) from their blocks (B, N, C); at 224 pixels no map is
    # ambiguous
    features = feature_matrices(
        network, images, names, training=training, device=device or default_device()
    )
    return {module: F.cpu() for module, F in features.items()}
