"""Random walks over experiments, runs and the registry: what one request leaves, the next one meets."""

import random

import pytest

STEPS = 150
KEYS = ["a", "b", "A", "k/1"]
VALUES = ["x", "X", "", "q'", "ü"]
NUMBERS = [0, 1, -1, 2.5, "NaN", "Infinity", "-Infinity", 3]
VIEWS = ["ALL", "ACTIVE_ONLY", "DELETED_ONLY"]
FILTERS = [
    "", "metrics.a > 0", "metrics.a <= 1", "metrics.b != 0", "params.a = 'x'", "params.b != 'x'", "params.a LIKE '%x%'",
    "tags.a ILIKE 'X%'", "tags.b IS NULL", "status = 'FINISHED'", "attributes.run_name = 'n1'", "dataset.name = 'd1'",
    "dataset.digest = 'g0' AND metrics.a > -1", "end_time > 0", "metrics.`k/1` < 3",
]
ORDERS = [
    [], ["metrics.a"], ["metrics.a DESC"], ["metrics.b DESC", "params.a"], ["params.a DESC"], ["tags.a"], ["run_name"],
    ["end_time DESC"], ["status"], ["start_time ASC"],
]


class Walk:
    """Requests one after the other about few things, so that they meet."""

    def __init__(self, pair, seed):
        self.pair, self.random = pair, random.Random(seed)
        self.experiments, self.runs, self.models = [], [], []
        self.made = 0
        self.make_experiment()
        self.make_run()
        self.make_model()

    def one(self, things):
        return self.random.choice(things)

    def run(self):
        return self.one(self.runs[-4:])

    def tag(self):
        return {"key": self.one(KEYS), "value": self.one(VALUES)}

    def point(self):
        return {
            "key": self.one(KEYS), "value": self.one(NUMBERS), "timestamp": self.random.randint(0, 5),
            "step": self.random.randint(0, 4),
        }

    def version(self):
        return {"name": self.one(self.models), "version": str(self.random.randint(1, 4))}

    def number(self):
        self.made += 1
        return self.made

    def make_experiment(self):
        name = f"{self.pair.name}e{self.random.randint(0, 6)}"
        made = self.pair.post("experiments/create", name=name)
        if "experiment_id" in made:
            self.experiments.append(made["experiment_id"])

    def make_run(self):
        more = {"start_time": self.number(), "run_name": self.one(["n1", "n2"]), "user_id": self.one(["u", ""])}
        made = self.pair.post("runs/create", experiment_id=self.one(self.experiments), **more)
        if "run" in made:
            self.runs.append(made["run"]["info"]["run_id"])

    def make_model(self):
        name = f"{self.pair.name}m{self.random.randint(0, 2)}"
        self.pair.post("registered-models/create", name=name, description=self.one(["", "d"]), tags=[self.tag()])
        self.models.append(name)

    def make_version(self):
        more = {"source": f"dbfs:/s{self.random.randint(0, 3)}", "run_id": self.one(["", self.run()])}
        self.pair.post("model-versions/create", name=self.one(self.models), **more)

    def log_metric(self):
        self.pair.post("runs/log-metric", run_id=self.run(), **self.point())

    def log_parameter(self):
        self.pair.post("runs/log-parameter", run_id=self.run(), **self.tag())

    def log_batch(self):
        metrics = [self.point() for _ in range(self.random.randint(0, 4))]
        tags = [self.tag() | {"key": key} for key in self.random.sample(KEYS, 2)]
        self.pair.post("runs/log-batch", run_id=self.run(), metrics=metrics, tags=tags)

    def log_inputs(self):
        of = {"name": f"d{self.random.randint(0, 1)}", "digest": "g0"}
        context = [{"key": "mlflow.data.context", "value": self.one(["training", "test"])}]
        datasets = [{"dataset": of | {"source_type": "t", "source": "s"}, "tags": context}]
        self.pair.post("runs/log-inputs", run_id=self.run(), datasets=datasets)

    def tag_run(self):
        key = self.one([*KEYS, "mlflow.runName", "mlflow.note.content"])
        self.pair.post("runs/set-tag", run_id=self.run(), **self.tag() | {"key": key})

    def untag_run(self):
        self.pair.post("runs/delete-tag", run_id=self.run(), key=self.one(KEYS))

    def update_run(self):
        ended = {"status": "FINISHED", "end_time": 5 * self.number()}
        change = self.one([ended, {"status": "FAILED"}, {"run_name": "n1"}])
        self.pair.post("runs/update", run_id=self.run(), **change)

    def delete_run(self):
        self.pair.post(self.one(["runs/delete", "runs/restore"]), run_id=self.run())

    def delete_experiment(self):
        call = self.one(["experiments/delete", "experiments/restore"])
        self.pair.post(call, experiment_id=self.one(self.experiments))

    def tag_experiment(self):
        self.pair.post("experiments/set-experiment-tag", experiment_id=self.one(self.experiments), **self.tag())

    def read(self):
        self.pair.get("runs/get", run_id=self.run())
        self.pair.get("experiments/get", experiment_id=self.one(self.experiments))
        self.pair.get("metrics/get-history", run_id=self.run(), metric_key=self.one(KEYS))

    def search_runs(self):
        experiments = [self.one(self.experiments), self.one(self.experiments)]
        self.pair.post(
            "runs/search", experiment_ids=experiments, filter=self.one(FILTERS),
            order_by=self.one(ORDERS), run_view_type=self.one(VIEWS), max_results=self.one([3, 100]),
        )

    def search_experiments(self):
        filter = f"name LIKE '{self.pair.name}%'" + self.one(["", " AND tags.a = 'x'", " AND tags.b != 'y'"])
        self.pair.post("experiments/search", filter=filter, view_type=self.one(VIEWS), order_by=["name"], max_results=100)

    def change_model(self):
        name = self.one(self.models)
        self.one([
            lambda: self.pair.patch("registered-models/update", name=name, description=self.one(["", "q"])),
            lambda: self.pair.post("registered-models/set-tag", name=name, **self.tag()),
            lambda: self.pair.delete("registered-models/delete-tag", name=name, key=self.one(KEYS)),
            lambda: self.pair.post("registered-models/rename", name=name, new_name=self.one(self.models)),
            lambda: self.pair.delete("registered-models/delete", name=name),
        ])()

    def change_version(self):
        of = self.version()
        move = {"stage": self.one(["Staging", "Production", "none"]), "archive_existing_versions": False}
        self.one([
            lambda: self.pair.post("model-versions/transition-stage", **of, **move),
            lambda: self.pair.patch("model-versions/update", **of, description=self.one(["", "q"])),
            lambda: self.pair.post("model-versions/set-tag", **of, **self.tag()),
            lambda: self.pair.delete("model-versions/delete-tag", **of, key=self.one(KEYS)),
            lambda: self.pair.delete("model-versions/delete", **of),
        ])()

    def alias(self):
        alias = self.one(["a", "b", "C"])
        self.pair.post("registered-models/alias", **self.version(), alias=alias)
        self.pair.get("registered-models/alias", name=self.one(self.models), alias=alias)
        self.pair.delete("registered-models/alias", name=self.one(self.models), alias=self.one(["a", "b"]))

    def read_registry(self):
        self.pair.get("registered-models/get", name=self.one(self.models))
        self.pair.get("model-versions/get", **self.version())
        self.pair.post("registered-models/get-latest-versions", name=self.one(self.models))
        mine = {"filter": f"name LIKE '{self.pair.name}%'"}
        self.pair.get("model-versions/search", **mine, order_by=["name ASC", "version_number ASC"])
        self.pair.get("registered-models/search", **mine, order_by="name DESC")


#: What a walk does, and how often.
OFTEN = {
    Walk.make_experiment: 1, Walk.make_run: 5, Walk.make_model: 2, Walk.make_version: 6, Walk.log_metric: 8,
    Walk.log_parameter: 5, Walk.log_batch: 5, Walk.log_inputs: 3, Walk.tag_run: 5, Walk.untag_run: 2, Walk.update_run: 3,
    Walk.delete_run: 3, Walk.delete_experiment: 1.5, Walk.tag_experiment: 1, Walk.read: 6, Walk.search_runs: 6,
    Walk.search_experiments: 2, Walk.change_model: 3, Walk.change_version: 5, Walk.alias: 3, Walk.read_registry: 4,
}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_walk(pair, seed):
    walk = Walk(pair, seed)
    for step in walk.random.choices(list(OFTEN), list(OFTEN.values()), k=STEPS):
        step(walk)
