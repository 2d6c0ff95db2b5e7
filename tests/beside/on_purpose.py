TOLERATED = frozenset(["POST runs/create .run.outputs: here alone"])
