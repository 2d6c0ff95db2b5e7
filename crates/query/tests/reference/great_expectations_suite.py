"""What Great Expectations finds in a small table: the reference for tests/it/expectations.rs.

    python -m venv venv && venv/bin/pip install great_expectations==1.24.1 pandas==3.1.1
    venv/bin/python great_expectations_suite.py > great_expectations_suite.json

The table has nulls, a NaN, an empty column, values on bounds, repeated unexpected values and more than
20 unexpected ones.
"""

import io
import json
import logging
import warnings

import great_expectations as gx
import pandas as pd
from great_expectations.core.expectation_suite import ExpectationSuite

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

HEAD = [
    (1, "a", 0.5, "2013-01-01T00:00:00Z", "true"),
    (2, "b", 1.5, "2013-01-02T00:00:00Z", "false"),
    (3, "", None, "", "true"),
    (None, "zz", -2.0, "2014-01-01T00:00:00Z", "true"),
    (50, "a", 7.25, "2013-06-01T00:00:00Z", "false"),
    (60, "q", 1e9, "2013-06-02T00:00:00Z", "true"),
    (2, "zz", 3.0, "2013-12-31T00:00:00Z", "true"),
]
TAIL = [(100 + i % 7, "xy"[i % 2], i / 4, "2013-03-01T12:30:00Z", "true") for i in range(30)]


def expectations():
    def of(kind, **kwargs):
        return {"type": f"expect_{kind}", "kwargs": kwargs}

    yield of("column_to_exist", column="i")
    yield of("column_to_exist", column="nope")
    yield of("column_to_exist", column="s", column_index=1)
    yield of("column_to_exist", column="s", column_index=2)
    for column in ["i", "s", "f", "t", "e", "b"]:
        yield of("column_values_to_not_be_null", column=column)
    yield of("column_values_to_not_be_null", column="i", mostly=0.97)
    yield of("column_values_to_not_be_null", column="i", mostly=0.98)
    for bounds in [
        {"min_value": 1, "max_value": 10},
        {"min_value": 2, "max_value": 60, "mostly": 0.13},
        {"min_value": 2, "max_value": 60, "mostly": 0.14},
        {"min_value": 2, "strict_min": True},
        {"max_value": 106, "strict_max": True},
        {"min_value": 1.5},
    ]:
        yield of("column_values_to_be_between", column="i", **bounds)
    yield of("column_values_to_be_between", column="f", min_value=-2.0, max_value=7.25)
    yield of("column_values_to_be_between", column="f", min_value=-2.0, strict_min=True)
    yield of(
        "column_values_to_be_between",
        column="t",
        min_value="2013-01-01T00:00:00Z",
        max_value="2013-12-31T00:00:00Z",
    )
    yield of("column_values_to_be_between", column="nope", min_value=1)
    yield of("column_values_to_be_between", column="s", min_value=1)
    yield of("column_values_to_be_in_set", column="s", value_set=["a", "b"])
    yield of("column_values_to_be_in_set", column="s", value_set=["a", "b", "x", "y"], mostly=0.9)
    yield of("column_values_to_be_in_set", column="i", value_set=[1, 2, 3, 100, 101])
    yield of("column_values_to_be_in_set", column="e", value_set=["a"])
    yield of("column_values_to_be_in_set", column="b", value_set=[True])
    yield of("table_row_count_to_be_between", min_value=37, max_value=37)
    yield of("table_row_count_to_be_between", min_value=38)
    yield of("table_row_count_to_be_between", max_value=10)
    yield of("column_values_to_be_of_type", column="f", type_="float64")
    yield of("column_values_to_be_of_type", column="f", type_="int64")
    yield of("column_values_to_be_of_type", column="s", type_="str")
    yield of("column_values_to_be_of_type", column="b", type_="bool")


def main():
    rows = [["" if value is None else str(value) for value in row] + [""] for row in HEAD + TAIL]
    text = "\n".join(",".join(row) for row in [list("isftbe"), *rows]) + "\n"
    frame = pd.read_csv(io.StringIO(text))
    frame["t"] = pd.to_datetime(frame["t"])
    # pandas reads integers beside nulls as floats, which is its own affair.
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("p").add_dataframe_asset("a")
    batch = asset.add_batch_definition_whole_dataframe("w").get_batch({"dataframe": frame})
    suite = {"name": "reference", "expectations": list(expectations())}
    result = batch.validate(ExpectationSuite(**suite)).to_json_dict()
    for entry in result["results"]:
        entry["expectation_config"]["kwargs"].pop("batch_id", None)
        info = entry["exception_info"]
        raised = info["raised_exception"] if "raised_exception" in info else True
        entry["exception_info"] = {"raised_exception": raised}
    result["meta"] = {}
    print(json.dumps({"csv": text, "suite": suite, "result": result}, indent=1))


if __name__ == "__main__":
    main()
