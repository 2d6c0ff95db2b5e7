#!/usr/bin/env python3
"""Writes models/<name>.onnx and models/<name>.json: small models and what Python onnxruntime answers.

needs: numpy onnx onnxruntime scikit-learn skl2onnx lightgbm xgboost onnxmltools
usage: make_models.py   (writes beside itself; every seed is fixed)

The JSON holds input and output tensors {name, dtype, shape, data}; NaN is null, infinities are
"inf" and "-inf". ZipMap outputs are written as the probability matrix that the evaluator gives.
"""
import json, os, sys, warnings
import numpy as np, onnx, onnxruntime as ort
from onnx import TensorProto as T, helper as H, numpy_helper as NH

warnings.filterwarnings("ignore")
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")
DTYPES = {"f4": "float32", "f8": "float64", "i8": "int64", "i4": "int32", "b1": "bool"}
ML = "ai.onnx.ml"


def cell(value):
    if isinstance(value, (float, np.floating)):
        if np.isnan(value):
            return None
        if np.isinf(value):
            return "inf" if value > 0 else "-inf"
        # The shortest text that reads back as the same float32 or float64.
        return float(str(np.float32(value))) if isinstance(value, np.float32) else float(value)
    return value.item() if isinstance(value, np.generic) else value


def tensor(name, array):
    array = np.asarray(array)
    dtype = DTYPES.get(array.dtype.str[1:], "string")
    return {"name": name, "dtype": dtype, "shape": list(array.shape), "data": [cell(v) for v in array.reshape(-1)]}


def plain(value):
    """ZipMap's list of maps as a matrix."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return np.array([list(row.values()) for row in value], dtype=np.float32)
    return value


def save(name, model, inputs):
    model.ir_version = min(model.ir_version, 10)
    data = model.SerializeToString()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    outputs = zip((o.name for o in session.get_outputs()), session.run(None, inputs))
    with open(os.path.join(OUT, name + ".onnx"), "wb") as file:
        file.write(data)
    record = {"inputs": [tensor(k, v) for k, v in inputs.items()], "outputs": [tensor(k, plain(v)) for k, v in outputs]}
    with open(os.path.join(OUT, name + ".json"), "w") as file:
        json.dump(record, file)
    print(f"{name}: {len(data)} bytes", file=sys.stderr)


# --- scikit-learn -------------------------------------------------------------------------------

def fix_numpy_integers():
    """scikit-learn 1.9 hands numpy integers and truth values to onnx for histogram gradient boosting."""
    original = H.make_attribute

    def make_attribute(key, value, *args, **kwargs):
        if isinstance(value, list):
            value = [v.item() if isinstance(v, np.generic) else v for v in value]
            value = [int(v) if isinstance(v, bool) else v for v in value]
        return original(key, value, *args, **kwargs)

    H.make_attribute = make_attribute
    onnx.helper.make_attribute = make_attribute


def sk(name, estimator, X, y, rows=24, zipmap=False, target_opset=None):
    from skl2onnx import to_onnx
    estimator.fit(X, y)
    options = {"zipmap": zipmap} if hasattr(estimator, "predict_proba") else None
    model = to_onnx(estimator, X[:1].astype(np.float32), options=options, target_opset=target_opset)
    save(name, model, {model.graph.input[0].name: X[:rows].astype(np.float32)})


def holes(X, seed, share=0.1):
    X = X.copy()
    X[np.random.default_rng(seed).random(X.shape) < share] = np.nan
    return X


def sklearn_models():
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
    from sklearn.ensemble import (AdaBoostClassifier, BaggingClassifier, ExtraTreesClassifier, GradientBoostingClassifier,
                                  GradientBoostingRegressor, HistGradientBoostingClassifier,
                                  HistGradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor)
    from sklearn.feature_selection import SelectKBest
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier, SGDClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import (Binarizer, KBinsDiscretizer, MaxAbsScaler, MinMaxScaler, Normalizer,
                                       PolynomialFeatures, PowerTransformer, RobustScaler, StandardScaler)
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
    X, y = load_breast_cancer(return_X_y=True)
    X = X[:, :8].astype(np.float32)
    D, t = load_diabetes(return_X_y=True)
    D = D.astype(np.float32)
    I, k = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(I))
    I, k = I[order].astype(np.float32), k[order]
    s = np.array(["setosa", "versicolor", "virginica"])[k]
    sk("logistic", make_pipeline(StandardScaler(), LogisticRegression()), X, y)
    sk("logistic_zipmap", make_pipeline(StandardScaler(), LogisticRegression()), X, y, zipmap=True)
    sk("logistic_labels", make_pipeline(StandardScaler(), LogisticRegression()), I, s)
    sk("logistic_opset9", make_pipeline(MinMaxScaler(), LogisticRegression()), I, k, target_opset={"": 9, ML: 1})
    sk("gradient_boosting", GradientBoostingClassifier(n_estimators=30, max_depth=3, random_state=0), X, y)
    sk("gradient_boosting_labels", GradientBoostingClassifier(n_estimators=10, random_state=0), I, s)
    sk("gradient_boosting_regressor", GradientBoostingRegressor(n_estimators=30, random_state=0), D, t)
    sk("hist_boosting", HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=15), holes(X, 1), y, rows=48)
    sk("hist_boosting_labels", HistGradientBoostingClassifier(max_iter=8, max_leaf_nodes=7), holes(I, 2), s, rows=48)
    sk("hist_boosting_regressor", HistGradientBoostingRegressor(max_iter=20, max_leaf_nodes=15), holes(D, 3), t, rows=48)
    sk("random_forest", RandomForestClassifier(20, max_depth=5, random_state=0), X, y)
    sk("random_forest_labels", RandomForestClassifier(12, max_depth=4, random_state=0), I, s)
    sk("random_forest_regressor", RandomForestRegressor(15, max_depth=5, random_state=0), D, t)
    sk("extra_trees", ExtraTreesClassifier(10, max_depth=4, random_state=0), I, k)
    sk("decision_tree", DecisionTreeClassifier(random_state=0), I, k)
    sk("decision_tree_regressor", DecisionTreeRegressor(max_depth=6, random_state=0), D, t)
    sk("linear_regression", LinearRegression(), D, t)
    sk("linear_two_targets", LinearRegression(), D, np.stack([t, -2 * t + 1], axis=1))
    sk("imputer_scaler_ridge", make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), Ridge()), holes(D, 4), t)
    sk("imputer_minmax_logistic", make_pipeline(SimpleImputer(), MinMaxScaler(), LogisticRegression()), holes(X, 5), y)
    sk("robust_ridge_classifier", make_pipeline(RobustScaler(), SelectKBest(k=3), RidgeClassifier()), I, k)
    sk("normalizer", make_pipeline(Normalizer(), LogisticRegression()), I, k)
    sk("ada_boost", AdaBoostClassifier(n_estimators=4, random_state=0), X, y)
    sk("bagging", BaggingClassifier(DecisionTreeClassifier(max_depth=3), n_estimators=4, random_state=0), X, y)
    sk("calibrated", CalibratedClassifierCV(LogisticRegression(max_iter=500), cv=2), X, y)
    sk("polynomial_sgd", make_pipeline(PolynomialFeatures(2), MaxAbsScaler(), SGDClassifier(loss="log_loss", random_state=0)), I, k)
    sk("bins", make_pipeline(Binarizer(), KBinsDiscretizer(3, encode="ordinal"), LinearRegression()), D, t)
    sk("power", make_pipeline(PowerTransformer(), LogisticRegression()), I, k)
    sk("perceptron", make_pipeline(StandardScaler(), MLPClassifier((16, 8), max_iter=40, random_state=0)), I, k)


def columns():
    """A column transformer over text and numbers, one input per column."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
    import pandas
    rng = np.random.default_rng(7)
    n = 400
    frame = pandas.DataFrame({
        "carrier": rng.choice(["AA", "B6", "DL", "UA", "ÅÄ"], n), "origin": rng.choice(["EWR", "JFK", "LGA"], n),
        "month": rng.integers(1, 13, n), "distance": rng.gamma(2, 500, n), "delay": rng.normal(5, 20, n)})
    y = ((frame.delay > 10) ^ (frame.carrier == "AA")).astype(int).values
    frame.loc[rng.random(n) < 0.1, "delay"] = np.nan
    types = [("carrier", StringTensorType([None, 1])), ("origin", StringTensorType([None, 1])), ("month", Int64TensorType([None, 1])),
             ("distance", FloatTensorType([None, 1])), ("delay", FloatTensorType([None, 1]))]
    text, numbers = ["carrier", "origin"], ["distance", "delay"]
    onehot = ColumnTransformer([("text", OneHotEncoder(handle_unknown="ignore"), text), ("month", OneHotEncoder(handle_unknown="ignore"), ["month"]),
                                ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers)])
    ordinal = ColumnTransformer([("text", OrdinalEncoder(), text), ("numbers", SimpleImputer(), numbers)])
    few = [t for t in types if t[0] != "month"]
    for name, transform, estimator, types in [
            ("columns_logistic", onehot, LogisticRegression(max_iter=500), types),
            ("columns_boosting", onehot, GradientBoostingClassifier(n_estimators=20, random_state=0), types),
            ("columns_ordinal", ordinal, GradientBoostingClassifier(n_estimators=10, random_state=0), few)]:
        names = [t[0] for t in types]
        pipe = Pipeline([("transform", transform), ("estimator", estimator)]).fit(frame[names], y)
        model = convert_sklearn(pipe, initial_types=types, options={id(pipe): {"zipmap": False}}, target_opset={"": 17, ML: 3})
        kinds = {"carrier": object, "origin": object, "month": np.int64}
        rows = {c: frame[[c]].values[:32].astype(kinds.get(c, np.float32)) for c in names}
        if transform is onehot:
            rows["carrier"][3] = "never seen"
        save(name, model, rows)


def boosters():
    from onnxmltools import convert_lightgbm, convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
    import lightgbm, xgboost
    X, y = load_breast_cancer(return_X_y=True)
    X = holes(X[:, :8].astype(np.float32), 8)
    D, t = load_diabetes(return_X_y=True)
    I, k = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(I))
    I, k = I[order].astype(np.float32), k[order]
    D = D.astype(np.float32)
    for name, X, y, task in [("binary", X, y, "Classifier"), ("multi", I, k, "Classifier"), ("regressor", D, t, "Regressor")]:
        types = [("input", FloatTensorType([None, X.shape[1]]))]
        est = getattr(xgboost, "XGB" + task)(n_estimators=10, max_depth=4, n_jobs=1).fit(X, y)
        save("xgboost_" + name, convert_xgboost(est, initial_types=types, target_opset=15), {"input": X[:32]})
        est = getattr(lightgbm, "LGBM" + task)(n_estimators=10, num_leaves=15, n_jobs=1, verbose=-1).fit(X, y)
        save("lightgbm_" + name, convert_lightgbm(est, initial_types=types, target_opset=15, zipmap=False), {"input": X[:32]})


# --- by hand: what the exporters above do not reach ------------------------------------------------

def one(op, inputs, outputs, domain="", opset=17, extra=(), rows=None, **attributes):
    """A model of one node. inputs: name -> (array, is it a constant). rows: declared number of rows, if fixed."""
    kinds = {"f4": T.FLOAT, "f8": T.DOUBLE, "i8": T.INT64, "i4": T.INT32, "b1": T.BOOL}
    def info(name, array):
        kind = kinds.get(array.dtype.str[1:], T.STRING)
        return H.make_tensor_value_info(name, kind, [rows, *array.shape[1:]] if array.ndim else [])
    node = H.make_node(op, list(inputs), [o for o, _ in outputs], domain=domain, **attributes)
    graph = H.make_graph([node, *extra], op, [info(k, a) for k, (a, const) in inputs.items() if not const],
                         [H.make_tensor_value_info(o, kind, None) for o, kind in outputs],
                         [NH.from_array(a, k) for k, (a, const) in inputs.items() if const])
    ml = 5 if op == "TreeEnsemble" else 4 if op == "LabelEncoder" and opset > 17 else 3
    model = H.make_model(graph, opset_imports=[H.make_opsetid("", min(opset, 21)), H.make_opsetid(ML, ml)])
    return model, {k: a for k, (a, const) in inputs.items() if not const}


def grow(rng, trees, depth, features, modes, targets, weights_per_leaf):
    """Random trees as attribute lists; thresholds are quarters, so that values often equal them."""
    a = {k: [] for k in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids", "missing_value_tracks_true")}
    w = {k: [] for k in ("treeids", "nodeids", "ids", "weights")}
    for tree in range(trees):
        count = 2 ** (depth + 1) - 1
        for node in range(count):
            leaf = node >= 2 ** depth - 1
            a["treeids"].append(tree); a["nodeids"].append(node)
            a["featureids"].append(0 if leaf else int(rng.integers(features)))
            a["modes"].append("LEAF" if leaf else str(rng.choice(modes)))
            a["values"].append(0.0 if leaf else float(rng.integers(-4, 5) / 4))
            a["truenodeids"].append(0 if leaf else 2 * node + 1)
            a["falsenodeids"].append(0 if leaf else 2 * node + 2)
            a["missing_value_tracks_true"].append(0 if leaf else int(rng.integers(2)))
            if leaf:
                for target in weights_per_leaf(rng, targets):
                    w["treeids"].append(tree); w["nodeids"].append(node); w["ids"].append(int(target))
                    w["weights"].append(float(np.float32(rng.normal())))
    return {"nodes_" + k: v for k, v in a.items()}, w


def grid(rng, rows, features, dtype=np.float32):
    X = (rng.integers(-6, 7, (rows, features)) / 4).astype(dtype)
    if dtype in (np.float32, np.float64):
        X[rng.random(X.shape) < 0.15] = np.nan
    return X


def trees():
    rng = np.random.default_rng(11)
    modes = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
    def every(rng, n): return range(n)
    def some(rng, n): return sorted(rng.choice(n, rng.integers(1, n + 1), replace=False))
    def first(rng, n): return [0]
    def second(rng, n): return [1]
    def regressor(name, nodes, w, n, X, **attributes):
        weights = {"target_" + k: v for k, v in w.items()}
        save(name, *one("TreeEnsembleRegressor", {"X": (X, False)}, [("Y", T.FLOAT)], ML, n_targets=n, **nodes, **weights, **attributes))
    def classifier(name, nodes, w, labels, X, **attributes):
        weights = {"class_" + k: v for k, v in w.items()}
        kind = {"classlabels_strings": labels} if isinstance(labels[0], str) else {"classlabels_int64s": labels}
        outputs = [("label", T.STRING if isinstance(labels[0], str) else T.INT64), ("scores", T.FLOAT)]
        save(name, *one("TreeEnsembleClassifier", {"X": (X, False)}, outputs, ML, **nodes, **weights, **kind, **attributes))
    X = grid(rng, 40, 4)
    for mode in modes:
        regressor("tree_" + mode.lower(), *grow(rng, 3, 4, 4, [mode], 1, every), 1, X)
    regressor("tree_mixed_modes", *grow(rng, 19, 5, 4, modes, 1, every), 1, X, base_values=[0.5])
    for aggregate in ("AVERAGE", "MIN", "MAX"):
        regressor("tree_" + aggregate.lower(), *grow(rng, 5, 3, 4, modes, 1, every), 1, X, aggregate_function=aggregate, base_values=[1.5])
        regressor(f"tree_{aggregate.lower()}_targets", *grow(rng, 5, 3, 4, modes, 3, some), 3, X, aggregate_function=aggregate, base_values=[1.5, -1.0, 0.25])
        regressor(f"tree_{aggregate.lower()}_dense", *grow(rng, 5, 3, 4, modes, 3, every), 3, X, aggregate_function=aggregate)
    for transform in ("SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"):
        regressor("tree_targets_" + transform.lower(), *grow(rng, 4, 3, 4, modes, 3, some), 3, X, post_transform=transform)
    regressor("tree_one_logistic", *grow(rng, 4, 3, 4, modes, 1, every), 1, X, post_transform="LOGISTIC")
    nodes, w = grow(rng, 4, 3, 4, modes, 1, every)
    regressor("tree_float64", nodes, w, 1, grid(rng, 24, 4, np.float64))
    for kind in (np.int64, np.int32, np.float64):
        nodes, w = grow(rng, 4, 3, 4, modes, 3, some)
        classifier("tree_classifier_" + np.dtype(kind).name, nodes, w, [0, 1, 2], 4 * grid(rng, 24, 4, kind))
    nodes, w = grow(rng, 4, 3, 4, modes, 1, every)
    nodes["nodes_values_as_tensor"] = NH.from_array(np.array(nodes.pop("nodes_values")) / 3)
    w["weights_as_tensor"] = NH.from_array(np.array(w.pop("weights")))
    regressor("tree_float64_tensors", nodes, w, 1, grid(rng, 24, 4, np.float64) / 3)
    binary = [("one", first), ("other", second), ("both", every), ("some", some)]
    for name, choose in binary:
        for transform in ("NONE", "LOGISTIC", "SOFTMAX"):
            for base in ([], [0.25], [0.25, -0.5]):
                nodes, w = grow(rng, 3, 2, 4, modes, 2, choose)
                if transform == "SOFTMAX":
                    w["weights"] = [abs(v) for v in w["weights"]]
                attributes = {"base_values": base} if base else {}
                # Where leaves have weights for both classes onnxruntime answers 0 and 1 whatever the labels.
                labels = [3, 7] if choose in (first, second) else [0, 1]
                classifier(f"tree_two_{name}_{transform.lower()}_{len(base)}", nodes, w, labels, X, post_transform=transform, **attributes)
    for transform in ("NONE", "LOGISTIC"):
        nodes, w = grow(rng, 3, 2, 4, modes, 2, first)
        w["weights"] = [abs(v) / 4 for v in w["weights"]]
        classifier("tree_two_positive_" + transform.lower(), nodes, w, [3, 7], X, post_transform=transform)
    nodes, w = grow(rng, 3, 2, 4, modes, 2, every)
    classifier("tree_two_texts", nodes, w, ["no", "yes"], X)
    nodes, w = grow(rng, 3, 2, 4, modes, 3, some)
    classifier("tree_three_some", nodes, w, [1, 2, 5], X, post_transform="SOFTMAX")
    classifier("tree_three_base", nodes, w, ["a", "b", "c"], X, base_values=[0.1, 0.2, -0.3])
    leaves = {"nodes_splits": NH.from_array(np.array([0.5, -0.25, 1.0], np.float32)), "nodes_featureids": [0, 1, 2],
              "nodes_modes": NH.from_array(np.array([0, 1, 3], np.uint8)), "nodes_truenodeids": [1, 0, 2], "nodes_falsenodeids": [2, 1, 3],
              "nodes_trueleafs": [0, 1, 1], "nodes_falseleafs": [0, 1, 1], "leaf_targetids": [0, 1, 0, 1],
              "leaf_weights": NH.from_array(np.array([1.0, 2.0, -3.0, 0.5], np.float32)), "tree_roots": [0], "n_targets": 2}
    save("tree_ensemble_v5", *one("TreeEnsemble", {"X": (X, False)}, [("Y", T.FLOAT)], ML, **leaves))


def small_operators():
    rng = np.random.default_rng(13)
    f = (rng.normal(size=(6, 4)) * 2).astype(np.float32)
    nan = grid(rng, 6, 4)
    i = rng.integers(-5, 6, (6, 4))
    b = rng.random((6, 4)) < 0.5
    row, column = f[:1], np.ascontiguousarray(f[:, :1])
    def op(name, op, inputs, kind=T.FLOAT, **attributes):
        pairs = {f"in{n}": a if isinstance(a, tuple) else (a, False) for n, a in enumerate(inputs)}
        save("op_" + name, *one(op, pairs, [("out", kind)], **attributes))
    for name in ("Add", "Sub", "Mul", "Div"):
        op(name.lower(), name, [f, (row[0], True)])
        op(name.lower() + "_columns", name, [f, column])
    op("add_int64", "Add", [i, i], T.INT64)
    op("pow", "Pow", [np.abs(f), (np.float32([0.5, 2, -1, 3]), True)])
    op("min", "Min", [nan, f, row.repeat(6, 0)]); op("max", "Max", [f, nan]); op("sum", "Sum", [f, column, f])
    for name in ("Abs", "Neg", "Relu", "Sigmoid", "Tanh", "Exp", "Reciprocal", "Floor", "Ceil", "Round", "Sign"):
        op(name.lower(), name, [f])
    op("sqrt", "Sqrt", [np.abs(f)]); op("log", "Log", [np.abs(f)])
    for name in ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal"):
        op("is_" + name.lower(), name, [nan, grid(rng, 6, 4)], T.BOOL)
    op("equal_text", "Equal", [f.round(0).astype(str).astype(object), f.round(1).astype(str).astype(object)], T.BOOL, opset=21)
    op("and", "And", [b, ~b], T.BOOL); op("or", "Or", [b, b[:, :1].copy()], T.BOOL); op("not", "Not", [b], T.BOOL); op("isnan", "IsNaN", [nan], T.BOOL)
    op("where", "Where", [b, f, (np.float32([0, 1, 2, 3]), True)])
    op("clip", "Clip", [f, (np.float32(-1), True), (np.float32(1), True)])
    for to in (T.DOUBLE, T.INT64, T.INT32, T.BOOL):
        op(f"cast_{to}", "Cast", [nan if to != T.INT32 else f], to, to=to)
    op("cast_text", "Cast", [np.array([["1.5"], ["-2"], ["NaN"]], dtype=object)], to=T.FLOAT)
    op("cast_to_text", "Cast", [i], T.STRING, to=T.STRING)
    op("concat", "Concat", [f, column, f], axis=1); op("transpose", "Transpose", [f.reshape(6, 2, 2)], perm=[0, 2, 1])
    op("gather", "Gather", [f, (np.array([[3, 0], [-1, 1]]), True)], axis=1)
    op("slice", "Slice", [f, (np.array([3]), True), (np.array([0]), True), (np.array([1]), True), (np.array([-2]), True)])
    op("reshape", "Reshape", [f, (np.array([0, 2, -1]), True)]); op("flatten", "Flatten", [f.reshape(6, 2, 2)])
    op("squeeze", "Squeeze", [column, (np.array([1]), True)]); op("unsqueeze", "Unsqueeze", [f, (np.array([1, -1]), True)])
    op("shape", "Shape", [f], T.INT64)
    op("matmul", "MatMul", [f, (rng.normal(size=(4, 3)).astype(np.float32), True)])
    op("gemm", "Gemm", [f, (rng.normal(size=(3, 4)).astype(np.float32), True), (np.float32([1, 2, 3]), True)], alpha=0.5, beta=2.0, transB=1)
    op("gemm_left", "Gemm", [(f, True), rng.normal(size=(6, 3)).astype(np.float32)], transA=1, rows=6)
    for name in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"):
        if name == "ReduceSum":
            op("reducesum", name, [f.reshape(6, 2, 2), (np.array([2]), True)], keepdims=0)
        else:
            op(name.lower(), name, [f.reshape(6, 2, 2)], axes=[-1], keepdims=1)
    op("argmax", "ArgMax", [np.round(f)], T.INT64, axis=1, keepdims=0); op("argmin", "ArgMin", [np.round(f)], T.INT64, axis=1)
    op("argmax_last", "ArgMax", [np.round(f)], T.INT64, axis=1, select_last_index=1)
    op("softmax", "Softmax", [f]); op("softmax_middle", "Softmax", [f.reshape(6, 2, 2)], axis=1)
    op("softmax_opset11", "Softmax", [f.reshape(6, 2, 2)], axis=1, opset=11)
    for norm in ("MAX", "L1", "L2"):
        op("normalizer_" + norm.lower(), "Normalizer", [f], domain=ML, norm=norm)
    op("scaler_int64", "Scaler", [i], domain=ML, offset=[1.0], scale=[0.5])
    op("scaler_float64", "Scaler", [f.astype(np.float64)], domain=ML, offset=[1.0, 2.0, 3.0, 4.0], scale=[0.5, 0.1, 2.0, 1.0])
    op("imputer_int64", "Imputer", [i], T.INT64, domain=ML, imputed_value_int64s=[100], replaced_value_int64=-5)
    op("binarizer", "Binarizer", [f], domain=ML, threshold=0.25)
    op("vectorizer", "FeatureVectorizer", [f, column], domain=ML, inputdimensions=[4, 1])
    op("extractor", "ArrayFeatureExtractor", [i, (np.array([2, 0]), True)], T.INT64, domain=ML)
    text = np.array([["a"], ["ü"], ["zz"], [""]], dtype=object)
    op("onehot_text", "OneHotEncoder", [text], domain=ML, cats_strings=["zz", "a", "ü"])
    op("onehot_float", "OneHotEncoder", [f], domain=ML, cats_int64s=[-1, 0, 1, 2])
    op("labels_text_float", "LabelEncoder", [text], domain=ML, keys_strings=["a", "ü"], values_floats=[0.5, 1.5], default_float=-9.0)
    op("labels_text_int", "LabelEncoder", [text], T.INT64, domain=ML, keys_strings=["a", "ü"], values_int64s=[5, 6])
    op("labels_int_text", "LabelEncoder", [i], T.STRING, domain=ML, keys_int64s=[1, 2, 1], values_strings=["one", "two", "uno"], default_string="?")
    op("labels_int_float", "LabelEncoder", [i], domain=ML, keys_int64s=[1, 2], values_floats=[0.1, 0.2])
    op("labels_float_int", "LabelEncoder", [np.round(f)], T.INT64, domain=ML, keys_floats=[1.0, -0.0, 2.0], values_int64s=[1, 0, 2], default_int64=-7)
    op("labels_nan", "LabelEncoder", [nan], domain=ML, opset=21, keys_floats=[float("nan"), 0.5], values_floats=[77.0, 5.0], default_float=0.0)
    op("labels_tensor", "LabelEncoder", [f.round(0).astype(np.float64)], T.INT64, domain=ML, opset=21,
       keys_tensor=NH.from_array(np.array([1.0, 2.0])), values_tensor=NH.from_array(np.array([10, 20])), default_tensor=NH.from_array(np.array([-3])))
    for transform in ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT"):
        X = np.abs(f) / 30 if transform == "PROBIT" else f
        c = [0.1, 0.2, 0.1, 0.05] * 3
        save("linear_" + transform.lower(), *one("LinearClassifier", {"X": (X, False)}, [("label", T.STRING), ("scores", T.FLOAT)], ML,
             coefficients=[c[n] * (1 + n % 5) for n in range(12)], intercepts=[0.1, 0.2, 0.15], classlabels_strings=["a", "b", "c"], post_transform=transform))
    for transform in ("NONE", "LOGISTIC"):
        save("linear_single_" + transform.lower(), *one("LinearClassifier", {"X": (f, False)}, [("label", T.INT64), ("scores", T.FLOAT)], ML,
             coefficients=[0.5, -0.5, 0.25, 1.0], intercepts=[0.1], classlabels_ints=[4, 9], post_transform=transform))
    zero = [H.make_node("ConstantOfShape", ["size"], ["zeros"], value=H.make_tensor("v", T.FLOAT, [1], [2.5])), H.make_node("Add", ["zeros", "in0"], ["out"])]
    save("op_constant_of_shape", *one("Shape", {"in0": (f, False)}, [("size", T.INT64), ("out", T.FLOAT)][:1], extra=zero))


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    for old in os.listdir(OUT):
        os.remove(os.path.join(OUT, old))
    fix_numpy_integers()
    sklearn_models(); columns(); boosters(); trees(); small_operators()
    total = sum(os.path.getsize(os.path.join(OUT, name)) for name in os.listdir(OUT))
    print(f"{len(os.listdir(OUT))} files, {total} bytes", file=sys.stderr)
