//! `pipeline.yaml` and `retrain.yaml`: the loop, as steps.

use mainstay_query::import::TextFormat;

use super::roles::{Days, Roles, yaml};

/// `pipeline.yaml`: from the file to a version that answers.
pub(super) fn first(roles: &Roles, path: &str, format: TextFormat) -> String {
    format!("{}{}{}", data(roles, path, format), learn(roles), serve(roles))
}

fn data(roles: &Roles, path: &str, format: TextFormat) -> String {
    let (name, service, until) = (roles.name.as_str(), &roles.identifier, roles.days.until);
    let carry = if roles.keys.is_empty() {
        String::new()
    } else {
        format!(
            "  # Puts the newest values of each key where requests find them. Run it again when there are newer rows.
  carry:
    uses: materialise
    needs: [rows, features]
    with: {{project: {name}, service: {service}, from: {until}, until: {until}}}
"
        )
    };
    format!(
        "# From a file to a model that answers: `mainstay run` runs it.
stages:
  # The file becomes a new version of a dataset. Rows that cannot be read are kept apart, with reasons.
  rows:
    uses: import
    with:
      dataset: {name}
      path: {path}
{form}      types: {{{time}: timestamp}}
  # Stops here if the data is not what it is expected to be.
  check:
    uses: validate
    needs: [rows]
    with: {{dataset: {name}, suite: expectations.json}}
  features:
    uses: features
    with: {{project: {name}, definitions: features.yaml}}
{carry}  # The pipeline that an alarm starts.
  keep:
    uses: pipeline
    with: {{pipeline: {name}-retrain, path: retrain.yaml}}
",
        path = yaml(path),
        form = form(format),
        time = yaml(&roles.time),
    )
}

/// How the file is written, where that is not what an import takes for granted.
fn form(format: TextFormat) -> String {
    let TextFormat { delimiter, decimal_comma, date_order } = format;
    // What people see as a blank is named; YAML knows it in double quotes.
    let delimiter = delimiter.map(|delimiter| format!("      delimiter: {:?}\n", delimiter.to_string()));
    let decimal = decimal_comma.then(|| "      decimal_comma: true\n".to_owned());
    let dates = date_order.map(|order| format!("      date_order: {}\n", order.as_str()));
    [delimiter, decimal, dates].into_iter().flatten().collect()
}

fn learn(roles: &Roles) -> String {
    let (name, service) = (roles.name.as_str(), &roles.identifier);
    let Days { from, split, until, train, judge, validation } = &roles.days;
    let (watch, limits) = (watch(roles), limits());
    format!(
        "  # Learns from {train} days; the last {validation} of them choose between the candidates.
  train:
    uses: train
    needs: [check, features]
    with:
      project: {name}
      service: {service}
      from: {from}
      until: {split}
      validation_days: {validation}
{watch}
  register:
    uses: register
    needs: [train]
    with: {{model: {name}, digest: \"${{steps.train.digest}}\"}}
  # Judges it on the {judge} days after those, which it has not seen. What does not pass never answers.
  gate:
    uses: gate
    needs: [register]
    with:
      model: {name}
      version: \"${{steps.register.version}}\"
      digest: \"${{steps.register.digest}}\"
      project: {name}
      service: {service}
      endpoint: {name}
      from: {split}
      until: {until}
{limits}
"
    )
}

fn serve(roles: &Roles) -> String {
    let (name, service) = (roles.name.as_str(), &roles.identifier);
    let needs = if roles.keys.is_empty() { "gate, endpoint, keep" } else { "gate, endpoint, keep, carry" };
    format!(
        "  # What is asked for predictions, who answers, and what happens when the data changes.
  endpoint:
    uses: endpoint
    needs: [features, keep]
    with:
      endpoint: {name}
      model: {name}
      project: {name}
      service: {service}
      # How long after a prediction its answer is final: one day. Set it to what is true for you.
      labels: {{positive: 1, horizon_micros: 86400000000, missing: {{kind: excluded}}}}
      retraining:
        - name: drift
          trigger: {{on: alarm}}
          strategy: {{pipeline: {name}-retrain}}
          action:
            then: rollout
{PLAN}
          # At most one retraining in 7 days; while the alarm stands, one every 7 days.
          cool_down_micros: 604800000000
  # The first version answers at once; later ones go from shadow over canary to champion, or back.
  rollout:
    uses: rollout
    needs: [{needs}]
    if: steps.gate.passed
    with:
      endpoint: {name}
      policy: drift
      version: \"${{steps.register.version}}\"
      digest: \"${{steps.register.digest}}\"
"
    )
}

/// A retrained model is judged on so many days at most: the fewer, the sooner it learns of what has changed.
const LATEST_DAYS: i64 = 7;

/// `retrain.yaml`: a candidate from the newest days, as an alarm asks for it.
pub(super) fn retrain(roles: &Roles) -> String {
    let (name, service, days) = (roles.name.as_str(), &roles.identifier, &roles.days);
    format!(
        "# Started by the endpoint's policy when something has changed. Its days end at the data time of the alarm;
# import newer rows first (`mainstay run pipeline.yaml`, or `append: true` in its import).
vars:
  - endpoint: {name}
    policy: drift
stages:
  train:
    uses: train
    with:
      project: {name}
      service: {service}
      days: {train}
      days_before: {judge}
      validation_days: {validation}
{watch}
  register:
    uses: register
    needs: [train]
    with: {{model: {name}, digest: \"${{steps.train.digest}}\"}}
  # Judged against the champion, on days that neither was trained on.
  gate:
    uses: gate
    needs: [register]
    with:
      model: {name}
      version: \"${{steps.register.version}}\"
      digest: \"${{steps.register.digest}}\"
      project: {name}
      service: {service}
      endpoint: \"${{endpoint}}\"
      days: {judge}
{limits}
  rollout:
    uses: rollout
    needs: [gate]
    if: steps.gate.passed
    with:
      endpoint: \"${{endpoint}}\"
      policy: \"${{policy}}\"
      version: \"${{steps.register.version}}\"
      digest: \"${{steps.register.digest}}\"
concurrency: {{group: \"retrain-${{endpoint}}\", when_full: attach}}
",
        train = days.train,
        judge = days.judge.min(LATEST_DAYS),
        validation = days.validation,
        watch = watch(roles),
        limits = limits(),
    )
}

/// How the version will be watched: windows that the training days are long enough to calibrate.
fn watch(roles: &Roles) -> String {
    let window = (roles.days.train / 10).clamp(1, 14);
    let family = |alpha: &str| {
        format!(
            "{{window_days: {window}, persistence: 2, looks: 120, alpha: {alpha}, block_days: 1, replicates: 999, min_rows: 50}}"
        )
    };
    format!(
        "      # Windows of {window} days, and how often a false alarm may come.
      watch:
        features: {}
        predictions: {}
        quality: {}",
        family("0.02"),
        family("0.01"),
        family("0.01")
    )
}

const fn limits() -> &'static str {
    "      # What is good enough: the largest calibration error, and how much worse than the champion its log
      # loss may be.
      max_ece: 0.15
      margin: 0.01"
}

/// A rollout within a fortnight of data time. The units are microseconds of data time and basis points.
const PLAN: &str = "            plan:
              # One day as a shadow, then 5, 25 and 100 % of the keys for a day each.
              shadow: {micros: 86400000000, min_pairs: 50}
              steps:
                - {weight: 500, bake: {micros: 86400000000}}
                - {weight: 2500, bake: {micros: 86400000000}}
                - {weight: 10000, bake: {micros: 86400000000}}
              # Mean log loss by which it may be worse, and beyond which it does harm.
              margin: 0.01
              harm_margin: 0.05
              horizon_micros: 86400000000
              max_data_time_micros: 1209600000000
              # Neither proven good nor bad in time: wait for a person (or: promote, rollback).
              on_inconclusive: wait
              # Without labels. A model for a world that has changed gives other scores: the last one is wide.
              guards: {max_error_rate: 0.01, max_latency_ratio: 3.0, max_fallback_rate: 0.01, max_out_of_range_rate: 0.1, max_output_shift: 2.0}";

#[cfg(test)]
mod tests {
    use mainstay_data::dates::DateOrder;

    use super::*;

    #[test]
    fn a_pipeline_says_how_its_file_is_written() {
        assert_eq!(form(TextFormat::default()), "");
        let german =
            TextFormat { delimiter: Some(';'), decimal_comma: true, date_order: Some(DateOrder::DayFirst) };
        assert_eq!(
            form(german),
            "      delimiter: \";\"\n      decimal_comma: true\n      date_order: day_first\n"
        );
        let tabs = TextFormat { delimiter: Some('\t'), ..TextFormat::default() };
        assert_eq!(form(tabs), "      delimiter: \"\\t\"\n");
    }
}
