"""A torch.hub checkout as pytorchvideo's and Hiera's are, whose entries build small networks with the published packages."""

dependencies = ["torch"]

SIZE = 64


def _with_clip(network, frames, size=SIZE):
    """The network with a clip that is small, and normalisation as training leaves it: new ones pass nothing on (weights of 0)."""
    from torch import nn

    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
    network.clip_spec = {"frames": frames, "size": size}
    return network


def _convolutions(**options):
    from pytorchvideo.models.resnet import create_resnet

    return create_resnet(model_depth=50, stem_dim_out=8, **options)


def slow_r50(pretrained=False, progress=True, **options):
    network = _convolutions(stem_conv_kernel_size=(1, 7, 7), head_pool_kernel_size=(8, 2, 2), **options)
    return _with_clip(network, 8)


def c2d_r50(pretrained=False, progress=True, **options):
    from torch import nn

    kernels = ((1, 1, 1),) * 4
    pools = {"stage1_pool": nn.MaxPool3d, "head_pool_kernel_size": (4, 4, 4)}
    network = _convolutions(stem_conv_kernel_size=(1, 7, 7), stage_conv_a_kernel_size=kernels, **pools, **options)
    # without a kernel in time, two positions along each side would say too little
    return _with_clip(network, 8, size=128)


def i3d_r50(pretrained=False, progress=True, **options):
    from torch import nn

    kernels = (
        (3, 1, 1),
        [(3, 1, 1), (1, 1, 1)],
        [(3, 1, 1), (1, 1, 1)],
        [(1, 1, 1), (3, 1, 1)],
    )
    pools = {"stage1_pool": nn.MaxPool3d, "head_pool_kernel_size": (4, 2, 2)}
    network = _convolutions(stem_conv_kernel_size=(5, 7, 7), stage_conv_a_kernel_size=kernels, **pools, **options)
    return _with_clip(network, 8)


def csn_r101(pretrained=False, progress=True, **options):
    from pytorchvideo.models.csn import create_csn
    from torch import nn

    network = create_csn(
        model_depth=50, stem_dim_out=8, stem_pool=nn.MaxPool3d, head_pool_kernel_size=(1, 2, 2), **options
    )
    return _with_clip(network, 8)


def r2plus1d_r50(pretrained=False, progress=True, **options):
    from pytorchvideo.models.r2plus1d import create_r2plus1d

    return _with_clip(create_r2plus1d(model_depth=50, stem_dim_out=8, head_pool_kernel_size=(2, 2, 2), **options), 8)


def x3d_s(pretrained=False, progress=True, **options):
    from pytorchvideo.models.x3d import create_x3d

    network = create_x3d(input_clip_length=8, input_crop_size=SIZE, depth_factor=0.5, head_dim_out=32, **options)
    return _with_clip(network, 8)


def slowfast_r50(pretrained=False, progress=True, **options):
    from pytorchvideo.models.slowfast import create_slowfast

    pools = ((8, 2, 2), (32, 2, 2))
    network = create_slowfast(model_depth=18, stem_dim_outs=(16, 2), head_pool_kernel_sizes=pools, **options)
    return _with_clip(network, 32)


def slow_r50_detection(pretrained=False, progress=True, **options):
    from pytorchvideo.models.resnet import create_resnet_with_roi_head

    network = create_resnet_with_roi_head(model_depth=50, stem_dim_out=8, head_pool_kernel_size=(8, 1, 1), **options)
    network.detection_head.proj.weight.data.mul_(0.05)  # a sigmoid of random logits of this size is exactly 1
    return _with_clip(network, 8, size=128)


def slowfast_r50_detection(pretrained=False, progress=True, **options):
    from pytorchvideo.models.slowfast import create_slowfast_with_roi_head

    pools = ((8, 1, 1), (32, 1, 1))
    network = create_slowfast_with_roi_head(
        model_depth=18, stem_dim_outs=(16, 2), head_pool_kernel_sizes=pools, **options
    )
    return _with_clip(network, 32, size=128)


def mvit_base_16x4(pretrained=False, progress=True, **options):
    from pytorchvideo.models.vision_transformers import create_multiscale_vision_transformers

    network = create_multiscale_vision_transformers(
        spatial_size=SIZE,
        temporal_size=8,
        depth=4,
        patch_embed_dim=16,
        embed_dim_mul=[[1, 2.0], [3, 2.0]],
        atten_head_mul=[[1, 2.0], [3, 2.0]],
        pool_q_stride_size=[[1, 1, 2, 2], [3, 1, 2, 2]],
        pool_kv_stride_adaptive=[1, 4, 4],
        pool_kvq_kernel=[3, 3, 3],
        **options,
    )
    return _with_clip(network, 8)


def hiera_base_16x224(pretrained=False, **options):
    from hiera import Hiera

    network = Hiera(
        input_size=(8, SIZE, SIZE),
        embed_dim=16,
        stages=(1, 2, 2, 2),
        q_stride=(1, 2, 2),
        mask_unit_size=(1, 8, 8),
        patch_kernel=(3, 7, 7),
        patch_stride=(2, 4, 4),
        patch_padding=(1, 3, 3),
        sep_pos_embed=True,
        head_init_scale=1.0,
        **options,
    )
    return _with_clip(network, 8)
