"""The little world in which a model lives: shops, visits, and a change of mind in the middle.

Everything is drawn from one seeded generator, so every run of the loop sees the same visits.
"""

import json
import math
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path

PER_DAY = 60
"""Visits a day, evenly spread."""
SERVES_FROM = 12
"""The model is trained on the days before this one, and serves from it on."""
TURNS = 17
"""From this day on it is warmer, and warmth keeps people away."""
DAYS = 40
"""Days of the world."""
KNOWN_AFTER = timedelta(hours=2)
"""How long after a visit its outcome is known."""
START = datetime(2024, 1, 1, tzinfo=timezone.utc)


def instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def day(number: int) -> str:
    return instant(START + timedelta(days=number))


def visits() -> list[dict]:
    draws = random.Random(7)
    everything = []
    for number in range(DAYS * PER_DAY):
        at = START + number * timedelta(days=1) / PER_DAY
        turned = number // PER_DAY >= TURNS
        celsius = round(10 + 10 * draws.random() + (4 if turned else 0), 3)
        amount = round(20 + 60 * draws.random(), 2)
        pull = 19 - celsius if turned else celsius - 15
        shop = f"shop-{int(draws.random() * 6)}"
        bought = draws.random() < 1 / (1 + math.exp(-pull))
        everything.append(
            {"id": f"{number:032x}", "shop": shop, "at": at, "celsius": celsius, "amount": amount, "bought": bought}
        )
    return everything


FEATURES = """
entities:
  - {name: shop, join_keys: [shop]}
sources:
  - {name: spending, dataset: visits, timestamp: at}
  - {name: outcomes, dataset: visits, timestamp: at, created: known}
feature_views:
  - name: shop_recent
    entities: [shop]
    source: spending
    ttl: 1d
    aggregates:
      - {name: mean_amount, function: mean, column: amount, window: 6h}
      - {name: visits, function: count, window: 6h}
feature_services:
  - name: purchase
    label: {source: outcomes, expression: bought, dtype: bool}
    features: ['shop_recent:mean_amount', 'shop_recent:visits']
    request:
      - {name: temp, dtype: float64, expression: celsius}
      - {name: hour, dtype: float64, expression: "date_part('hour', event_timestamp)"}
  # The same by name, trained on other units than those that it is served.
  - name: purchase_fahrenheit
    label: {source: outcomes, expression: bought, dtype: bool}
    features: ['shop_recent:mean_amount', 'shop_recent:visits']
    request:
      - {name: temp, dtype: float64, expression: celsius * 1.8 + 32.0}
      - {name: hour, dtype: float64, expression: "date_part('hour', event_timestamp)"}
"""

EXPECTATIONS = {
    "name": "visits",
    "expectations": [
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "shop"}},
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "celsius", "min_value": -40, "max_value": 60}},
    ],
}

# Monitors for a life of weeks, not years.
_FAMILY = (
    "{window_days: 2, persistence: 3, looks: 20, alpha: 0.02, block_days: 1, replicates: 999, min_rows: 100}"
)
WATCH = f"{{features: {_FAMILY}, predictions: {_FAMILY}, quality: {_FAMILY}}}"

HOUR = 3_600_000_000
PLAN = f"""{{
            shadow: {{micros: {24 * HOUR}, min_pairs: 30}},
            steps: [
              {{weight: 2500, bake: {{micros: {12 * HOUR}}}}},
              {{weight: 5000, bake: {{micros: {12 * HOUR}}}}},
              {{weight: 10000, bake: {{micros: {12 * HOUR}}}}}],
            margin: 0.15, harm_margin: 0.15, horizon_micros: {6 * HOUR},
            max_data_time_micros: {14 * 24 * HOUR}, on_inconclusive: rollback,
            guards: {{max_error_rate: 0.05, max_latency_ratio: 1000.0, max_fallback_rate: 0.05,
                      max_out_of_range_rate: 0.5, max_output_shift: 4.0}}}}"""

FIRST = f"""
stages:
  visits:
    uses: import
    with: {{dataset: visits, path: visits.csv}}
  check:
    uses: validate
    needs: [visits]
    with: {{dataset: visits, suite: expectations.json}}
  features:
    uses: features
    with: {{project: shops, definitions: features.yaml}}
  carry:
    uses: materialise
    needs: [visits, features]
    with: {{project: shops, service: purchase, from: {day(SERVES_FROM)}, until: {day(DAYS)}}}
  keep:
    uses: pipeline
    with: {{pipeline: retrain, path: retrain.yaml}}
  endpoint:
    uses: endpoint
    needs: [features]
    with:
      endpoint: purchases
      model: purchase
      project: shops
      service: purchase
      labels: {{positive: 1, horizon_micros: {6 * HOUR}, missing: {{kind: excluded}}}}
      retraining:
        - name: drift
          trigger: {{on: alarm}}
          strategy: {{pipeline: retrain}}
          action:
            then: rollout
            plan: {PLAN}
          cool_down_micros: {30 * 24 * HOUR}
  train:
    uses: train
    needs: [check, features]
    with:
      project: shops
      service: purchase
      from: {day(0)}
      until: {day(SERVES_FROM - 3)}
      validation_days: 2
      max_trees: 20
      watch: {WATCH}
  register:
    uses: register
    needs: [train]
    with: {{model: purchase, digest: "${{steps.train.digest}}"}}
  gate:
    uses: gate
    needs: [register]
    with:
      model: purchase
      version: "${{steps.register.version}}"
      digest: "${{steps.register.digest}}"
      project: shops
      service: purchase
      from: {day(SERVES_FROM - 3)}
      until: {day(SERVES_FROM)}
      max_ece: 0.6
      max_slice_log_loss: 5.0
  rollout:
    uses: rollout
    needs: [gate, endpoint, carry, keep]
    if: steps.gate.passed
    with:
      endpoint: purchases
      version: "${{steps.register.version}}"
      digest: "${{steps.register.digest}}"
"""

RETRAIN = f"""
vars:
  - endpoint: purchases
    policy: drift
    service: purchase
stages:
  train:
    uses: train
    with:
      project: shops
      service: "${{service}}"
      days: 4
      days_before: 2
      validation_days: 1
      max_trees: 20
      watch: {WATCH}
  register:
    uses: register
    needs: [train]
    with: {{model: purchase, digest: "${{steps.train.digest}}"}}
  gate:
    uses: gate
    needs: [register]
    with:
      model: purchase
      version: "${{steps.register.version}}"
      digest: "${{steps.register.digest}}"
      project: shops
      service: "${{service}}"
      endpoint: "${{endpoint}}"
      days: 2
      max_ece: 0.6
      max_slice_log_loss: 5.0
      margin: 5.0
  rollout:
    uses: rollout
    needs: [gate]
    if: steps.gate.passed
    with:
      endpoint: "${{endpoint}}"
      policy: "${{policy}}"
      version: "${{steps.register.version}}"
      digest: "${{steps.register.digest}}"
concurrency: {{group: "loop-${{endpoint}}", when_full: attach}}
"""


def lay_out(directory: Path, everything: list[dict]) -> Path:
    """Writes the files of the world; the path of its first pipeline."""
    rows = ["shop,at,known,celsius,amount,bought"]
    for visit in everything:
        known = visit["at"] + KNOWN_AFTER
        rows.append(
            f"{visit['shop']},{instant(visit['at'])},{instant(known)},{visit['celsius']},{visit['amount']},"
            f"{str(visit['bought']).lower()}"
        )
    (directory / "visits.csv").write_text("\n".join(rows) + "\n")
    (directory / "expectations.json").write_text(json.dumps(EXPECTATIONS))
    (directory / "features.yaml").write_text(FEATURES)
    (directory / "retrain.yaml").write_text(RETRAIN)
    first = directory / "first.yaml"
    first.write_text(FIRST)
    return first
