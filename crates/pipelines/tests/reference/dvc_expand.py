"""Resolves a dvc.yaml with the real DVC and writes what it makes of it.

Run in a fresh folder: pip install dvc; python dvc_expand.py > dvc_expand.json
"""

import contextlib
import json
import os
import sys
import tempfile

import dvc
from dvc.parsing import DataResolver
from dvc.repo import Repo
from dvc.utils.serialize import parse_yaml

FILES = {
    "params.yaml": "data: {raw: data/raw}\ntrain: {depth: 3, rate: 0.1}\nflags: {fast: true, slow: false, names: [a, b c], deep: {x: 1}}\n",
    "extra.yaml": "epochs: 7\nunused: 1\n",
    "dvc.yaml": """
vars:
  - extra.yaml:epochs
  - models: {us: {depth: 6, kind: gbt}, eu: {depth: 4, kind: linear}}
    seeds: [1, 2]
stages:
  prepare:
    cmd:
      - python prepare.py ${data.raw} data/clean
      - echo \\${HOME}
    deps: [prepare.py, '${data.raw}']
    outs: [data/clean]
  options:
    cmd: python options.py ${flags}
  train:
    foreach: ${models}
    do:
      cmd: python train.py --epochs ${epochs} --depth ${item.depth} > models/${key}.onnx
      deps: [train.py, data/clean]
      params: [train.depth]
      outs: ['models/${key}.onnx']
  scalars:
    foreach: ${seeds}
    do:
      cmd: python seed.py ${item}
  mixed:
    foreach: [{n: 1}, {n: 2}]
    do:
      cmd: echo ${item.n} ${seeds[1]} ${train[rate]}
  sweep:
    matrix:
      seed: ${seeds}
      kind: [gbt, {name: linear}]
      fast: [true]
    cmd: python sweep.py ${item.seed} ${item.fast} ${key}
""",
}


def main():
    with tempfile.TemporaryDirectory() as root:
        os.chdir(root)
        for name, text in FILES.items():
            with open(name, "w") as file:
                file.write(text)
        with contextlib.redirect_stdout(sys.stderr):
            repo = Repo.init(no_scm=True)
        resolver = DataResolver(repo, root, parse_yaml(FILES["dvc.yaml"], "dvc.yaml"))
        stages = resolver.resolve()["stages"]
        os.chdir("/")
    print(json.dumps({"dvc": dvc.__version__, "files": FILES, "stages": stages}, indent=1, sort_keys=True))


main()
