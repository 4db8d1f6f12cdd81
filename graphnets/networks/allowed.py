"""The ops that a stranger's graph may have, in groups, each with the reason why it is safe.

What no group names is refused, so also whatever another version of TensorFlow adds. Not here though
they only compute: sparse and ragged tensors, gradients, summaries, integer kernels of oneDNN,
string and example parsing beyond what serving needs; no classifier of pictures has them.

None of these ops reads or writes a file, talks to a host, runs Python or keeps anything from one
run of the graph to the next. All but RANDOM, CALLS, LOOPS, ARRAYS and CHECKS are pure functions of
their inputs.
"""

from __future__ import annotations

from types import MappingProxyType

GIVEN = (
    "gives what the graph holds or the caller feeds, or a tensor's shape",
    """
    Const EnsureShape Identity IdentityN NoOp OnesLike Placeholder PlaceholderV2
    PlaceholderWithDefault PreventGradient Rank Shape ShapeN Size StopGradient ZerosLike
""",
)
NUMBERS = (
    "computes number by number; as many come out as the larger input has, broadcast",
    """
    Abs AccumulateNV2 Acos Acosh Add AddN AddV2 Angle ApproximateEqual Asin Asinh Atan Atan2
    Atanh BesselI0e BesselI1e Betainc BitwiseAnd BitwiseOr BitwiseXor Bucketize Cast Ceil
    ClipByValue Complex ComplexAbs Conj Cos Cosh Digamma Div DivNoNan Elu Equal Erf Erfc Erfinv
    Exp Expm1 Floor FloorDiv FloorMod Greater GreaterEqual Igamma Igammac Imag Inv Invert
    IsFinite IsInf IsNan LeakyRelu LeftShift Less LessEqual Lgamma Log Log1p LogSoftmax
    LogicalAnd LogicalNot LogicalOr Maximum Minimum Mod Mul MulNoNan Ndtri Neg NextAfter
    NotEqual Polygamma PopulationCount Pow Real RealDiv Reciprocal Relu Relu6 RightShift Rint
    Round Rsqrt Select SelectV2 Selu Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Square
    SquaredDifference Sub Tan Tanh TruncateDiv TruncateMod Xdivy Xlog1py Xlogy Zeta
""",
)
SUMS = (
    "sums up, counts, compares or sorts; no more comes out than went in",
    """
    All Any ArgMax ArgMin Cumprod Cumsum CumulativeLogsumexp EuclideanNorm InTopK InTopKV2
    InvertPermutation L2Loss ListDiff LowerBound Max Mean Min NthElement Prod SegmentMax
    SegmentMean SegmentMin SegmentProd SegmentSum SoftmaxCrossEntropyWithLogits
    SparseSoftmaxCrossEntropyWithLogits Sum TopK TopKV2 Unique UniqueV2 UniqueWithCounts
    UniqueWithCountsV2 UpperBound
""",
)
LAYERS = (
    "is a network's layer: linear algebra, convolution, pooling, normalisation",
    """
    AvgPool AvgPool3D BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchNormWithGlobalNormalization
    BiasAdd BiasAddV1 Cholesky Conv Conv2D Conv2DBackpropInput Conv2DBackpropInputV2 Conv3D
    Conv3DBackpropInput Conv3DBackpropInputV2 Cross DepthwiseConv2dNative
    DepthwiseConv2dNativeBackpropInput Dilation2D Einsum FFT FFT2D FusedBatchNorm
    FusedBatchNormV2 FusedBatchNormV3 FusedPadConv2D FusedResizeAndPadConv2D IFFT IFFT2D IRFFT
    IRFFT2D LRN MatMul MatrixDeterminant MatrixInverse MatrixSolve MatrixTriangularSolve MaxPool
    MaxPool3D MaxPoolV2 MaxPoolWithArgmax RFFT RFFT2D
""",
)
ROUNDED = (
    "rounds to the numbers of few bits that a network was trained for, and back",
    """
    Dequantize FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel
    QuantizeAndDequantize QuantizeAndDequantizeV2 QuantizeAndDequantizeV3
    QuantizeAndDequantizeV4 QuantizeDownAndShrinkRange QuantizeV2 QuantizedAdd QuantizedAvgPool
    QuantizedBiasAdd QuantizedConcat QuantizedConv2D QuantizedMatMul QuantizedMaxPool
    QuantizedMul QuantizedRelu QuantizedRelu6 QuantizedReshape RequantizationRange Requantize
""",
)
PLACES = (
    "puts values in other places; each comes out once, or not at all",
    """
    BatchToSpace BatchToSpaceND Bitcast Concat ConcatOffset ConcatV2 ConjugateTranspose
    DataFormatDimMap DataFormatVecPermute DepthToSpace DynamicPartition DynamicStitch ExpandDims
    MatrixBandPart MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixSetDiag
    MatrixSetDiagV2 MatrixSetDiagV3 Pack ParallelDynamicStitch Reshape Reverse ReverseSequence
    ReverseV2 Roll Slice SpaceToBatch SpaceToBatchND SpaceToDepth Split SplitV Squeeze
    StridedSlice TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub
    TensorScatterUpdate TensorStridedSliceUpdate Transpose Unpack UnravelIndex
""",
)
SIZES = (
    "makes a tensor of a size that other tensors tell; constant ones are checked as it is read",
    """
    Bincount BroadcastArgs BroadcastTo DenseBincount Diag DiagPart ExtractImagePatches Fill
    Gather GatherNd GatherV2 HistogramFixedWidth LinSpace MatrixDiag MatrixDiagV2 MatrixDiagV3
    MirrorPad OneHot Pad PadV2 Range ScatterNd SparseToDense Tile UnsortedSegmentMax
    UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum Where
""",
)
PICTURES = (
    "is a function of pictures in memory: their size, colours and boxes",
    """
    AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation CombinedNonMaxSuppression
    CropAndResize DrawBoundingBoxes DrawBoundingBoxesV2 ExtractGlimpse ExtractGlimpseV2 HSVToRGB
    ImageProjectiveTransformV2 ImageProjectiveTransformV3 NonMaxSuppression NonMaxSuppressionV2
    NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5 RGBToHSV ResizeArea
    ResizeBicubic ResizeBilinear ResizeNearestNeighbor ScaleAndTranslate
""",
)
FILES_BYTES = (
    "reads a picture, text or record out of bytes in memory, or writes one into them",
    """
    AsString DecodeAndCropJpeg DecodeBase64 DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePng
    DecodeRaw DecodeWebP EncodeBase64 EncodeJpeg EncodePng ExtractJpegShape ParseExample
    ParseExampleV2 ParseSingleExample RegexFullMatch RegexReplace StaticRegexFullMatch
    StaticRegexReplace StringJoin StringLength StringLower StringStrip StringToNumber
    StringUpper Substr
""",
)
RANDOM = (
    "draws random numbers, whose generator no other graph sees",
    """
    Multinomial RandomGamma RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt
    StatelessMultinomial StatelessRandomGetAlg StatelessRandomGetKeyCounter
    StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomNormalV2
    StatelessRandomUniform StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2
    StatelessRandomUniformInt StatelessRandomUniformIntV2 StatelessRandomUniformV2
    StatelessTruncatedNormal StatelessTruncatedNormalV2 TruncatedNormal
""",
)
CALLS = (
    "calls functions of the graph's own, whose ops are held to the same list; none calls itself",
    """
    Case If PartitionedCall StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile
    While
""",
)
LOOPS = (
    "takes one of two ways, or goes round; a loop without end is stopped by its session",
    """
    ControlTrigger Enter Exit LoopCond Merge NextIteration Switch
""",
)
ARRAYS = (
    "keeps a list of tensors while the graph runs once, as loops over pictures do",
    """
    EmptyTensorList TensorArrayCloseV3 TensorArrayConcatV3 TensorArrayGatherV3 TensorArrayReadV3
    TensorArrayScatterV3 TensorArraySizeV3 TensorArraySplitV3 TensorArrayV3 TensorArrayWriteV3
    TensorListConcatV2 TensorListElementShape TensorListFromTensor TensorListGather
    TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack TensorListReserve
    TensorListResize TensorListScatterIntoExistingList TensorListScatterV2 TensorListSetItem
    TensorListSplit TensorListStack
""",
)
CHECKS = (
    "fails unless what it is given is as it says, and does nothing else",
    """
    Assert CheckNumerics CheckNumericsV2
""",
)

GROUPS = (
    GIVEN, NUMBERS, SUMS, LAYERS, ROUNDED, PLACES, SIZES, PICTURES, FILES_BYTES, RANDOM, CALLS,
    LOOPS, ARRAYS, CHECKS,
)  # fmt: skip

# {op: why it is safe}
ALLOWED = MappingProxyType({op: reason for reason, ops in GROUPS for op in ops.split()})
