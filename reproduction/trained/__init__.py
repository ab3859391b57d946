"""Two networks with ImageNet weights beside the same networks with random weights."""

#: The networks' names, by timm's.
NAMES = {"vit_tiny_patch16_224": "ViT-Tiny", "tf_efficientnet_lite0": "EfficientNet-Lite0"}
#: Accuracy of the weights, on images of all classes.
CHECK = "weights-check"
#: Per network, trained or with random weights: its layers by many measures.
LAYERS = "trained-layers"
#: Per trained network and untrained twin: the layers at each other's scale, and how alike they are.
TWINS = "trained-twins"
#: Per trained network and untrained twin: the layers at weights between the two.
PATH = "trained-path"
#: Per trained network and untrained twin: Figure 2's picture of the first module.
CHANNELS = "trained-channels"
#: Per network: both N_theta against bounds on the covering number.
COVERS = "trained-covers"
#: Per network, trained or with random weights, and set of images: σ and Δ.
INVARIANCE = "trained-invariance"
#: Per network, trained or with random weights: its layers without their remotest channels.
REMOTE = "trained-remote"
#: Per network with batch norm: its layers with the statistics of each batch.
NORMS = "trained-batch-norm"
#: Per untrained twin: how alike its layers are to the trained network's, and to another seed's.
SIMILARITY = "trained-similarity"
