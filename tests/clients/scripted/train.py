"""A training script as people have them: scikit-learn, converted by skl2onnx, logged with mlflow. It knows
neither the server nor the pipeline that runs it.
"""

import argparse
import json

import mlflow
import pandas as pd
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FEATURES = ["temp", "hour"]

parser = argparse.ArgumentParser()
parser.add_argument("--until", required=True)
parser.add_argument("--C", type=float, default=1.0)
given = parser.parse_args()

visits = pd.read_csv("visits.csv", parse_dates=["at"])
visits = visits[visits["at"] < given.until]
X = pd.DataFrame({"temp": visits["celsius"], "hour": visits["at"].dt.hour})
y = visits["bought"].astype(int)

mlflow.set_experiment("scripts")
with mlflow.start_run() as run:
    model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(C=given.C))
    model.fit(X.to_numpy(), y)
    mlflow.log_params({"C": given.C, "rows": len(X)})
    mlflow.log_metric("training_log_loss", log_loss(y, model.predict_proba(X.to_numpy())))
    inputs = [(name, FloatTensorType([None, 1])) for name in FEATURES]
    graph = convert_sklearn(model, initial_types=inputs, options={"zipmap": False}, target_opset=17)
    mlflow.onnx.log_model(graph, name="model")

with open("logged", "w") as file:
    json.dump({"run": run.info.run_id}, file)
