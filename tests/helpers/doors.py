"""Calls of the public functions as users get them wrong, and what each is told."""

import graphs
import numpy as np
import tensorflow.compat.v1 as tf
from partdoors import PARTS
from tiny import LABELS
from world import options

import graphnets as g

X, Y = np.random.default_rng(0).random((20, 4), np.float32), np.arange(20) % 3
SOUND, TWICE = g.Examples(X, Y), g.PHOTO_AUGMENTATION
STEPS = g.TrainingOptions(how_many_training_steps=20)
GRAPH = graphs.inception_like()


def with_value(value, row=7):
    features = X.copy()
    features[row, 2] = value
    return g.Examples(features, Y)


def train(training=SOUND, validation=SOUND, classes=3, options=STEPS, **more):
    return g.train_head(training, validation, classes, options, **more)


def images(*shape, dtype=tf.float32):
    return tf.placeholder(dtype, shape or (None, 227, 227, 3))


def alexnet(x=None, **more):
    return g.AlexNet(images() if x is None else x, **{"weights": "random", **more})


def explainer(w):
    return g.Explainer(w.graph, w.labels)


TABLE = "wanted the table that graphnets.scan gives"
NETWORK = "wanted a network, as graphnets.open_network('vgg16') gives"
NO_FEATURES = (
    r"^2 of 14 photos have no features at conv2, .*damaged.jpg the first; add them, and leave out "
    r"those that cannot be read: photos\[photos.problem == \"\"\]$"
)
OF_GRAPH = "wanted a GraphDef, as graphnets.read_graph_def"
# (public name, call in the world of test_public_doors, pattern of the message)
CALLS = [
    ("scan", lambda w: g.scan(None), "images is None, wanted the path of a folder"),
    ("scan", lambda w: g.scan([w.folder]), "images is of the type list, wanted the path"),
    ("scan", lambda w: g.scan(w.labels), "labels.txt is no folder"),
    ("scan", lambda w: g.scan(w.folder, None), "progress is None, wanted a function such as"),
    ("split", lambda w: g.split(list(w.photos.path)), f"photos is of the type list, {TABLE}"),
    ("split", lambda w: g.split(w.photos[["path"]]), f"no column label, problem, {TABLE}"),
    ("split", lambda w: g.split(w.photos.assign(problem=np.nan)), "a NaN in the column problem"),
    ("split", lambda w: g.split(w.photos, "10"), "testing_percentage is '10', wanted a number"),
    ("split", lambda w: g.split(w.photos, split_seed=1.5), "split_seed is 1.5, wanted a whole"),
    ("check", lambda w: g.check(None), "images is None, wanted the path of a folder"),
    ("check", lambda w: g.check(w.folder, "224"), "size is '224', wanted a whole number"),
    ("check", lambda w: g.check(w.folder, group_by=3), "group_by is 3, wanted a regular expr"),
    ("check", lambda w: g.check(w.folder, move_to=w.folder), "move_to is .*photos, in or around"),
    ("shards", lambda w: list(g.shards(w.photos, 0)), "size is 0, wanted 1 or more"),
    ("ShardSpec", lambda w: g.ShardSpec(bottleneck_dir=""), "bottleneck_dir is '', wanted a path"),
    (
        "extract_shard",
        lambda w: g.extract_shard(g.ShardSpec(), w.photos),
        "photos has no column place",
    ),
    ("on_ray", lambda w: g.on_ray("spark").__enter__(), "cluster is 'spark', wanted 'ray', 'ray:"),
    ("with_copies", lambda w: g.with_copies(w.photos, 1.5), "copies is 1.5, wanted a whole"),
    ("with_copies", lambda w: g.with_copies(w.photos.path, 2), "photos is of the type Series"),
    (
        "with_copies",
        lambda w: g.with_copies(g.with_copies(w.photos, 2), 2),
        "photos that are copies already",
    ),
    ("variants", lambda w: g.variants(w.photos, None, (9, 9), 2), "augmentation is None, wanted"),
    ("variants", lambda w: g.variants(w.photos, TWICE, 9, 2), "size is 9, wanted the height and"),
    ("variants", lambda w: g.variants(w.photos, TWICE, (0, 9), 2), "size is of the type tuple"),
    ("variants", lambda w: g.variants(w.photos, TWICE, (9, 9), "2"), "copies is '2', wanted a"),
    ("variants", lambda w: g.variants(w.photos, TWICE, (9, 9), 1), "damaged.jpg: .*; leave that"),
    ("contact_sheet", lambda w: g.contact_sheet(["a.jpg"], 2), "photo 0 is no array"),
    (
        "contact_sheet",
        lambda w: g.contact_sheet([np.zeros((9, 9))], 2),
        r"photo 0 is of the shape \(9, 9\)",
    ),
    ("contact_sheet", lambda w: g.contact_sheet([np.full((2, 2, 3), np.nan)], 2), "has a NaN"),
    ("contact_sheet", lambda w: g.contact_sheet([np.zeros((2, 2, 3))], 1.5), "columns is 1.5"),
    ("contact_sheet", lambda w: g.contact_sheet([np.zeros((2, 2, 3))], 1, -9), "gap is -9,"),
    ("Augmentation", lambda w: g.Augmentation(rotation="x"), "got rotation 'x'; wanted a number"),
    (
        "Bottlenecks",
        lambda w: g.Bottlenecks("vgg16", None, w.root),
        f"network is 'vgg16', {NETWORK}".replace("(", r"\(").replace(")", r"\)"),
    ),
    ("Bottlenecks", lambda w: g.Bottlenecks(w.network, 3, w.root), "endpoint is 3, wanted a list"),
    ("Bottlenecks", lambda w: g.Bottlenecks(w.network, None, None), "bottleneck_dir is None,"),
    (
        "Bottlenecks",
        lambda w: g.Bottlenecks(w.network, None, w.root, augmentation=True),
        "augmentation is True, wanted a graphnets.Augmentation",
    ),
    (
        "Bottlenecks",
        lambda w: g.Bottlenecks(w.network, None, w.root, seed="a"),
        "seed is 'a', wanted a whole number",
    ),
    ("Bottlenecks", lambda w: w.store.add(w.photos[["path"]]), f"no column key, problem, {TABLE}"),
    ("Bottlenecks", lambda w: w.store.add(w.photos, True), "progress is True, wanted a function"),
    ("Bottlenecks", lambda w: w.store.read(list(w.photos.path)), "photos is of the type list"),
    ("Bottlenecks", lambda w: w.store.read(w.photos), NO_FEATURES),
    ("Bottlenecks", lambda w: w.store.each(w.photos), NO_FEATURES),
    ("Bottlenecks", lambda w: w.store.rows("pool1", w.photos), "2 of 14 .* no features at pool1"),
    ("Bottlenecks", lambda w: w.store.rows(3, w.photos), "no map 3 among those stored whole,"),
    ("Examples", lambda w: train((X, Y)), "training is of the type tuple, wanted"),
    ("Examples", lambda w: train(g.Examples(X, Y[:15])), r"20 rows of .* labels of the shape"),
    ("Examples", lambda w: train(g.Examples(X, np.eye(3)[Y])), r"shape \(20, 3\), wanted one"),
    ("Examples", lambda w: train(g.Examples(X[:0], Y[:0])), r"training.features is \(0, 4\),"),
    ("Examples", lambda w: train(g.Examples(X, Y + 1)), "training.labels has 3 in row 2, wanted"),
    ("Examples", lambda w: train(SOUND, g.Examples(X, Y - 1)), "validation.labels has -1 in row"),
    ("Examples", lambda w: train(g.Examples(X, Y.astype(float))), "training.labels is float64,"),
    (
        "Examples",
        lambda w: train(g.Examples(X, np.array(["a", "b"] * 10))),
        "training.labels is <U1",
    ),
    ("Examples", lambda w: train(g.Examples(X[:, 0], Y)), r"features is \(20,\), wanted \(n,"),
    ("Examples", lambda w: train(g.Examples(X.astype(str), Y)), "features is <U.*, wanted"),
    ("Examples", lambda w: train(SOUND, g.Examples(X[:, :3], Y)), "has 3 columns and .* 4,"),
    ("Examples", lambda w: train(with_value(np.nan)), "training.features has a NaN or an"),
    ("Examples", lambda w: train(SOUND, with_value(-np.inf, 19)), "validation.* number in row 19"),
    ("train_head", lambda w: train(classes="3"), "classes is '3', wanted a whole number"),
    ("train_head", lambda w: train(classes=1), "classes is 1, wanted 2 or more"),
    ("train_head", lambda w: train(options={"seed": 1}), "options is of the type dict, wanted"),
    ("train_head", lambda w: train(summaries_dir=w.labels), "labels.txt cannot be written to"),
    ("train_head", lambda w: train(summaries_dir=""), "summaries_dir is '', wanted a path"),
    ("TrainingOptions", lambda w: g.TrainingOptions("100"), "training_steps is '100', wanted a"),
    ("TrainingOptions", lambda w: g.TrainingOptions(1.5), "training_steps is 1.5, wanted a whole"),
    (
        "TrainingOptions",
        lambda w: g.TrainingOptions(learning_rate="x"),
        "learning_rate is 'x', wanted a number above 0",
    ),
    (
        "TrainingOptions",
        lambda w: g.TrainingOptions(validation_batch_size=0),
        "validation_batch_size is 0, wanted 1 or more, or -1 for all",
    ),
    ("TrainingOptions", lambda w: g.TrainingOptions(head=None), "head is None, wanted 'linear'"),
    ("TrainingOptions", lambda w: g.TrainingOptions(class_weights={}), "class_weights is of the"),
    ("ExportOptions", lambda w: g.ExportOptions(precisions="int8"), "precisions is 'int8', wanted"),
    ("ExportOptions", lambda w: g.ExportOptions(output_dir=3), "output_dir is 3, wanted the path"),
    ("export_classifier", lambda w: g.export_classifier(3, "onnx"), "run is 3, wanted the output"),
    ("export_classifier", lambda w: g.export_classifier(w.root, "pb"), "formats has pb; wanted"),
    (
        "export_classifier",
        lambda w: g.export_classifier(w.root, "saved_model", {"force": True}),
        "options is of the type dict, wanted a graphnets.ExportOptions",
    ),
    (
        "export_classifier",
        lambda w: g.export_classifier(w.root, "saved_model"),
        "has no output_graph.pb; wanted the --output_dir of a `graphnets retrain`",
    ),
    ("RetrainOptions", lambda w: g.RetrainOptions(output_dir=None), "output_dir is None, wanted"),
    ("RetrainOptions", lambda w: g.RetrainOptions(output_graph=3), "output_graph is 3, wanted a"),
    ("RetrainOptions", lambda w: g.RetrainOptions(training={}), "training is of the type dict"),
    ("RetrainOptions", lambda w: g.RetrainOptions(augmentation={}), "augmentation is of the type"),
    ("RetrainOptions", lambda w: g.RetrainOptions(augmented_copies="2"), "augmented_copies is"),
    ("RetrainOptions", lambda w: g.RetrainOptions(test_batch_size=-7), "test_batch_size is -7,"),
    ("RetrainOptions", lambda w: g.RetrainOptions(split_seed="a"), "split_seed is 'a', wanted a"),
    ("RetrainOptions", lambda w: g.RetrainOptions(final_tensor_name=3), "final_tensor_name is 3"),
    ("RetrainOptions", lambda w: g.RetrainOptions(resume="no"), "resume is 'no', wanted True or"),
    (
        "RetrainOptions",
        lambda w: g.RetrainOptions(testing_percentage=None),
        "testing_percentage is None, wanted a number",
    ),
    ("retrain", lambda w: g.retrain(w.folder, "alexnet"), r"open_network\('alexnet'\) gives"),
    ("retrain", lambda w: g.retrain(w.folder, w.network, STEPS), "options is of the type"),
    ("retrain", lambda w: g.retrain(None, w.network, options(w.root)), "images is None,"),
    (
        "retrain",
        lambda w: g.retrain(w.folder, w.network, options(w.root, trainable=3)),
        "trainable is 3, wanted True, False, a layer's name or a list of names",
    ),
    ("compare", lambda w: g.compare(w.folder, None, "conv2"), "network is None, wanted a network"),
    (
        "compare",
        lambda w: g.compare(w.folder, w.network, 3, options(w.root)),
        "depths is 3, wanted a list of names",
    ),
    ("Classifier", lambda w: g.Classifier(GRAPH, w.labels), "graph is of the type GraphDef,"),
    ("Classifier", lambda w: g.Classifier(w.graph, LABELS), "labels is of the type list, wanted"),
    ("Classifier", lambda w: g.Classifier(w.graph, w.root), "cannot be read: Is a directory"),
    ("Classifier", lambda w: g.Classifier(w.graph, w.labels, {}), "options is of the type dict"),
    ("Classifier", lambda w: w.classifier.predict(["a.jpg"], -1), "top_k is -1, wanted 1 or more"),
    ("Classifier", lambda w: w.classifier.predict(["a.jpg"], None), "top_k is None, wanted a"),
    ("Classifier", lambda w: w.classifier.predict(None), "paths is None, wanted the path of a"),
    ("Classifier", lambda w: w.classifier.predict(b"\xff\xd8"), "paths is of the type bytes,"),
    ("Classifier", lambda w: list(w.classifier.predict(X)), "a photo is of the type ndarray,"),
    ("Classifier", lambda w: list(w.classifier.predict([1])), "a photo is 1, wanted its path"),
    ("Classifier", lambda w: w.classifier.scores(None), "a photo is None, wanted its path"),
    ("Explainer", lambda w: g.Explainer(GRAPH, w.labels), "graph is of the type GraphDef,"),
    ("Explainer", lambda w: g.Explainer(w.graph, w.labels, layer=3), "layer is 3, wanted the name"),
    (
        "Explainer",
        lambda w: g.Explainer(w.graph, w.labels, layer="conv9"),
        "graph.pb has no map 'conv9' that leads to final_logits:0; the last of its .* are ",
    ),
    (
        "Explainer",
        lambda w: g.Explainer(w.graph, w.labels, layer="conv1", occlusion=True),
        "layer is 'conv1', and occlusion is of none; leave it out",
    ),
    (
        "Explainer",
        lambda w: g.Explainer(w.graph, w.labels, occlusion="x"),
        "occlusion is 'x', want",
    ),
    ("Explainer", lambda w: explainer(w).explain("a.jpg", "bee"), "classes is 'bee', wanted the"),
    ("Explainer", lambda w: explainer(w).explain("a.jpg", 3), "a class is 3, wanted its number, 0"),
    ("Explainer", lambda w: explainer(w).explain(["a.jpg"], [0, 1]), "2 classes for 1 photos"),
    (
        "Explainer",
        lambda w: explainer(w).explain(None),
        "paths is None, wanted the path of a photo",
    ),
    ("grad_cam", lambda w: g.grad_cam(X, images()), "logits is of the type ndarray, wanted a tens"),
    (
        "grad_cam",
        lambda w: g.grad_cam(images(None, 3), images(None, 3)),
        r"maps is float32 of the shape \(None, 3\), wanted floats \(n, height, width, channels\)",
    ),
    (
        "grad_cam",
        lambda w: g.grad_cam(images(None, 3), images()),
        "Placeholder_1:0 does not lead to Placeholder:0; wanted a map that the logits are comp",
    ),
    (
        "grad_cam",
        lambda w: g.grad_cam(images(None, 3), images(), 3),
        "classes is 3, wanted 0 to 2",
    ),
    (
        "grad_cam",
        lambda w: g.grad_cam(images(None, 3), images(), "bee"),
        "classes is string of the shape .*, wanted a class's number, a tensor of them",
    ),
    ("write_report", lambda w: g.write_report(None), "folder is None, wanted the --output_dir of"),
    ("write_report", lambda w: g.write_report(w.root / "none"), "none is no folder; wanted the --"),
    ("write_report", lambda w: g.write_report(w.folder), "neither metrics.json nor compare.json"),
    *PARTS,
    ("InputOptions", lambda w: g.InputOptions(input_height="9"), "input_height is '9', wanted a"),
    ("InputOptions", lambda w: g.InputOptions(input_mean=[1, 2]), "input_mean is of the type"),
    ("InputOptions", lambda w: g.InputOptions(input_std=np.nan), "input_std is nan, wanted a"),
    ("InputOptions", lambda w: g.InputOptions(None), "input_layer is None, wanted the name of"),
    ("open_network", lambda w: g.open_network(3), "no architecture 3; wanted one of inception_v3"),
    ("open_network", lambda w: g.open_network("vgg16", 3), "weights is 3, wanted a file,"),
    ("open_network", lambda w: g.open_network("vgg16", w.root), "cannot be read: Is a directory"),
    ("open_network", lambda w: g.open_network("vgg16", model_dir=3), "model_dir is 3, wanted a"),
    ("open_network", lambda w: g.open_network("vgg16", seed=-1), "seed is -1, wanted a whole"),
    (
        "open_network",
        lambda w: w.network.build(images(None, 16, 16, 3), "conv2"),
        "names is 'conv2'",
    ),
    ("open_network", lambda w: w.network.cut("conv2", False), "names is 'conv2', wanted a list"),
    ("open_network", lambda w: w.network.parameter("fc9/W"), "no parameter 'fc9/W'; .* conv1/W"),
    ("open_network", lambda w: w.network.tuned({"conv1/X": X}), "no parameter 'conv1/X'; this"),
    ("weight_file", lambda w: g.weight_file("vgg"), "no architecture 'vgg'; wanted one of incep"),
    ("weight_file", lambda w: g.weight_file("vgg16", 3), "the folder of weights is 3, wanted a"),
    ("session_config", lambda w: g.session_config(16), "no precision 16; wanted one of float32"),
    ("run_only", lambda w: g.run_only(16).__enter__(), "no precision 16; wanted one of float32"),
    ("read_graph_def", lambda w: g.read_graph_def(None), "the file is None, wanted a path"),
    ("read_graph_def", lambda w: g.read_graph_def(0), "the file is 0, wanted a path"),
    ("inception_graph_def", lambda w: g.inception_graph_def(3), "the file is 3, wanted a path"),
    ("modernised", lambda w: g.modernised("a.pb"), f"graph_def is 'a.pb', {OF_GRAPH}"),
    ("modernised", lambda w: g.modernised(tf.Graph()), "graph_def is of the type Graph, wanted"),
    (
        "parameter_names",
        lambda w: g.parameter_names(None, "conv"),
        f"graph_def is None, {OF_GRAPH}",
    ),
    ("parameter_names", lambda w: g.parameter_names(GRAPH, ["conv"]), "pattern is of the type"),
    (
        "import_unfrozen",
        lambda w: g.import_unfrozen(GRAPH, "conv", {}, ["softmax"]),
        "trainable_parameters is 'conv', wanted a list of names",
    ),
    (
        "import_unfrozen",
        lambda w: g.import_unfrozen(GRAPH, [], {}, "softmax"),
        "return_elements is 'softmax', wanted a list of names",
    ),
    (
        "import_unfrozen",
        lambda w: g.import_unfrozen(GRAPH, [], None, ["softmax"]),
        "input_map is None, wanted a mapping",
    ),
    (
        "import_unfrozen",
        lambda w: g.import_unfrozen(GRAPH, [], {"Mul": tf.zeros(3, tf.int32)}, ["softmax"]),
        "the graph cannot be imported with these inputs, .*int32",
    ),
    ("with_values", lambda w: g.with_values("a.pb", {}), f"graph_def is 'a.pb', {OF_GRAPH}"),
    ("with_values", lambda w: g.with_values(GRAPH, [1]), "values is of the type list, wanted a"),
    (
        "with_values",
        lambda w: g.with_values(GRAPH, {"softmax/biases": tf.zeros(11)}),
        "the value of 'softmax/biases' is of the type .*Tensor, wanted an array",
    ),
    ("AlexNet", lambda w: g.AlexNet("a.jpg"), r"got string images of the shape \(\), wanted"),
    ("AlexNet", lambda w: g.AlexNet(weights="random"), "got neither images nor features, wanted"),
    ("AlexNet", lambda w: g.AlexNet(X, features=X), "got both images and features, wanted the"),
    ("AlexNet", lambda w: g.AlexNet(object()), "AlexNet's images is of the type object, wanted a"),
    ("AlexNet", lambda w: g.AlexNet(images(), "random"), "feature_extract is 'random', wanted"),
    ("AlexNet", lambda w: alexnet(weights=3), r"weights is 3, wanted a file, {layer: \(W, b\)},"),
    ("AlexNet", lambda w: alexnet(weights={"conv1": X}), r"conv1 has no pair of arrays \(W, b\)"),
    ("AlexNet", lambda w: alexnet(trainable=None), "trainable is None, wanted True, False, a"),
    ("AlexNet", lambda w: alexnet(trainable=[3]), "trainable is of the type list, wanted True"),
    ("AlexNet", lambda w: alexnet(skip=8), "skip is 8, wanted a list of names"),
    ("AlexNet", lambda w: alexnet(classes="43"), "classes is '43', wanted a whole number"),
    ("AlexNet", lambda w: alexnet(classes=4.5), "classes is 4.5, wanted a whole number"),
    ("AlexNet", lambda w: alexnet(reading=["caffe"]), "wanted course or caffe"),
    ("AlexNet", lambda w: alexnet(preprocess="no"), "preprocess is 'no', wanted True or False"),
    ("VGG16", lambda w: g.VGG16(images(), "random"), "feature_extract is 'random', wanted True"),
    (
        "alexnet_endpoints",
        lambda w: g.alexnet_endpoints(images(), True),
        "weights is True, wanted a",
    ),
    ("vgg16_endpoints", lambda w: g.vgg16_endpoints(images(), 3), "weights is 3, wanted a file"),
    (
        "EfficientNetLite0",
        lambda w: g.EfficientNetLite0(images(), "random"),
        "feature_extract is 'random', wanted True",
    ),
    (
        "efficientnet_lite0_endpoints",
        lambda w: g.efficientnet_lite0_endpoints(images(), 3),
        "weights is 3, wanted a file",
    ),
    ("Inception", lambda w: g.Inception(images(), "a.pb"), "feature_extract is 'a.pb', wanted"),
    (
        "Inception",
        lambda w: g.Inception(images(), weights=GRAPH),
        "wanted what graphnets.inception_",
    ),
    ("Inception", lambda w: g.Inception(images(), weights=3), "weights is 3, wanted a .pb file"),
    (
        "inception_endpoints",
        lambda w: g.inception_endpoints(images(), tf.GraphDef()),
        "weights has no DecodeJpeg/contents, .*; wanted the Inception v3 graph",
    ),
    ("draw_signs", lambda w: g.draw_signs(3), "folder is 3, wanted a path"),
    ("draw_signs", lambda w: g.draw_signs(w.labels), "labels.txt/.* cannot be written to"),
    ("draw_signs", lambda w: g.draw_signs(w.root, 1.5), "per_class is 1.5, wanted a whole number"),
    ("draw_signs", lambda w: g.draw_signs(w.root, -1), "per_class is -1, wanted 0 or more"),
    ("draw_signs", lambda w: g.draw_signs(w.root, 1, "a"), "seed is 'a', wanted a whole number"),
    ("ServeOptions", lambda w: g.ServeOptions(max_files="3"), "max_files is '3', wanted a whole"),
    ("ServeOptions", lambda w: g.ServeOptions(hosts="a"), "hosts is 'a', wanted a list of names"),
    ("serving_app", lambda w: g.serving_app(w.graph), "classifier is .*, wanted a graphnets.Class"),
    ("serving_app", lambda w: g.serving_app(w.classifier, {}), "options is of the type dict, want"),
]
