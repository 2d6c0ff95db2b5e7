//! Definitions: DVC's grammar, our keys, and refusals that name their place.

use std::collections::BTreeMap;

use mainstay_pipelines::definition::{
    BuiltIns, Definition, DefinitionError, OutputKind, Parameters, Problem, RuntimeValues, Source, Span,
    StepName, WhenFull, Work, parse_document,
};
use serde_json::{Map, Value, json};

fn parameters(files: &[(&str, &str)]) -> Parameters {
    let files =
        files.iter().map(|(name, text)| ((*name).to_owned(), parse_document(text).unwrap())).collect();
    Parameters { files, overrides: Map::new() }
}

fn resolve(text: &str, files: &[(&str, &str)]) -> Result<Definition, DefinitionError> {
    Source::parse(text)?.resolve(&parameters(files))
}

fn commands(definition: &Definition) -> BTreeMap<String, Vec<String>> {
    let lines = |work: &Work| match work {
        Work::Commands(lines) => lines.clone(),
        other => panic!("{other:?}"),
    };
    definition.stages.iter().map(|(name, stage)| (name.to_string(), lines(&stage.work))).collect()
}

fn names<'a>(names: impl IntoIterator<Item = &'a StepName>) -> Vec<&'a str> {
    names.into_iter().map(StepName::as_str).collect()
}

const DVC: &str = "
vars:
  - extra.yaml:epochs
  - models: {us: {depth: 6, tags: [a, b], verbose: true}, eu: {depth: 4}}
stages:
  prepare:
    cmd:
      - python prepare.py ${data.raw} data/clean
      - echo \\${HOME}
    deps: [prepare.py, '${data.raw}']
    outs:
      - data/clean:
          cache: false
          persist: true
  train:
    foreach: ${models}
    do:
      cmd: python train.py --epochs ${epochs} ${item} > models/${key}.onnx
      wdir: .
      deps: [train.py, data/clean/part.csv]
      params: [train.depth, other.yaml: [a.b], whole.yaml: ]
      outs: ['models/${key}.onnx']
      metrics: [{'models/${key}.json': {cache: false}}]
      plots: [{'models/${key}.csv': {x: step, y: loss, title: Loss}}]
  sweep:
    matrix: {seed: [1, 2], kind: [gbt, {name: linear}]}
    cmd: python sweep.py ${item.seed} ${item.kind} ${key}
  each:
    foreach: [{n: 1}, {n: 2}]
    do: {cmd: 'echo ${item.n}', frozen: false, always_changed: true, desc: 'not ${filled}', meta: {k: v}}
metrics: [m.json]
plots: []
artifacts: {}
";

#[test]
fn an_unchanged_dvc_yaml_is_read() {
    let files = [
        ("params.yaml", "data: {raw: data/raw}\ntrain: {depth: 3}\n"),
        ("extra.yaml", "epochs: 7\nunused: 1\n"),
        ("other.yaml", "a: {b: [1, 2]}\n"),
        ("whole.yaml", "x: 1\n"),
    ];
    let source = Source::parse(DVC).unwrap();
    let wanted: Vec<_> = source.parameter_files().into_iter().collect();
    assert_eq!(wanted, ["extra.yaml", "other.yaml", "params.yaml", "whole.yaml"]);
    let definition = source.resolve(&parameters(&files)).unwrap();
    let commands = commands(&definition);
    assert_eq!(commands["prepare"], ["python prepare.py data/raw data/clean", "echo \\${HOME}"]);
    let line = "python train.py --epochs 7 --depth 6 --tags a b --verbose > models/us.onnx";
    assert_eq!(commands["train@us"], [line]);
    let expected = [
        "each@0",
        "each@1",
        "prepare",
        "sweep@1-gbt",
        "sweep@1-kind1",
        "sweep@2-gbt",
        "sweep@2-kind1",
        "train@eu",
        "train@us",
    ];
    assert_eq!(names(definition.stages.keys()), expected);
    assert_eq!(commands["sweep@2-kind1"], ["python sweep.py 2 --name linear 2-kind1"]);
    let us = &definition.stages["train@us"];
    assert_eq!(names(&us.needs), ["prepare"], "it reads below what prepare writes");
    assert_eq!(us.params["params.yaml"], [("train.depth".to_owned(), json!(3))].into());
    assert_eq!(us.params["other.yaml"], [("a.b".to_owned(), json!([1, 2]))].into());
    assert_eq!(us.params["whole.yaml"], [(String::new(), json!({"x": 1}))].into());
    assert_eq!(us.outs["models/us.json"].kind, OutputKind::Metrics);
    assert!(!us.outs["models/us.json"].cache && us.outs["models/us.csv"].cache && us.cache);
    assert!(definition.stages["prepare"].outs["data/clean"].persist);
    assert!(!definition.stages["each@0"].cache, "always_changed");
    assert_eq!(definition.stages["each@1"].desc.as_deref(), Some("not ${filled}"));
    assert_eq!(definition.stages["each@1"].map_index, Some(1));
    let generations: Vec<_> = definition.generations().into_iter().map(|g| names(g).len()).collect();
    assert_eq!(generations, [7, 2]);
}

/// `tests/reference/dvc_expand.py` ran the real DVC over these files.
#[test]
fn names_commands_and_paths_are_those_of_dvc() {
    let reference: Value = serde_json::from_str(include_str!("../reference/dvc_expand.json")).unwrap();
    let file = |name: &str| reference["files"][name].as_str().unwrap();
    let files = [("params.yaml", file("params.yaml")), ("extra.yaml", file("extra.yaml"))];
    let definition = resolve(file("dvc.yaml"), &files).unwrap();
    let expected = reference["stages"].as_object().unwrap();
    assert_eq!(names(definition.stages.keys()), expected.keys().map(String::as_str).collect::<Vec<_>>());
    let nothing = RuntimeValues::new(Map::new(), Map::new(), Map::new());
    for (name, stage) in &definition.stages {
        let expected = &expected[name.as_str()];
        let Work::Commands(ours) = stage.at_run_time(&nothing).unwrap().work else { panic!("{name}") };
        let theirs = match &expected["cmd"] {
            Value::Array(lines) => lines.clone(),
            line => vec![line.clone()],
        };
        assert_eq!(Value::from(ours), Value::Array(theirs), "{name}");
        let paths = |key: &str| -> Vec<&str> {
            let mut paths: Vec<_> =
                expected[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            paths.sort_unstable();
            paths
        };
        assert_eq!(stage.deps.iter().collect::<Vec<_>>(), paths("deps"));
        assert_eq!(stage.outs.keys().collect::<Vec<_>>(), paths("outs"));
    }
}

const OURS: &str = "
stages:
  train: {uses: train, with: {depth: '${depth}'}, timeout: 10m, retries: 3}
  gate:
    uses: gate
    with: {model: '${steps.train.model}', floors: ['${floor}']}
  ship:
    cmd: ship ${steps.gate.model} ${run.data_time}
    if: steps.gate.passed && params.force != true
    approve: {by: approver, of: steps.train.model, timeout: 2d, on_timeout: skip}
    env: {MODE: '${mode}', MODEL: '${steps.train.model}'}
  notify: {cmd: 'true', needs: [ship]}
on:
  - manual
  - cron: '0 5 * * 1'
  - schedule: {endpoint: '${endpoint}', every: 7d}
concurrency: {group: 'loop-${endpoint}', when_full: attach}
vars: [{depth: 6, floor: 0.5, mode: fast, endpoint: flights, force: false}]
";

#[test]
fn our_own_keys_are_read() {
    let definition = resolve(OURS, &[]).unwrap();
    let train = &definition.stages["train"];
    assert_eq!(
        train.work,
        Work::BuiltIn { uses: "train".into(), with: Map::from_iter([("depth".into(), json!(6))]) }
    );
    assert_eq!((train.timeout, train.retries.max, train.cache), (Some(Span::seconds(600)), 3, false));
    let ship = &definition.stages["ship"];
    assert_eq!(names(&ship.needs), ["gate", "train"], "conditions and references are edges");
    assert_eq!(
        ship.approve.as_ref().map(|a| (a.by.clone(), a.timeout)),
        Some((vec!["approver".into()], Span::seconds(172_800)))
    );
    assert_eq!(definition.triggers.len(), 3);
    let concurrency = definition.concurrency.as_ref().unwrap();
    assert_eq!((concurrency.group.as_str(), concurrency.when_full), ("loop-flights", WhenFull::Attach));
    let names: Vec<_> = definition.generations().into_iter().flatten().map(StepName::as_str).collect();
    assert_eq!(names, ["train", "gate", "ship", "notify"]);
    let unknown = Source::parse(OURS).unwrap().resolve_with(&parameters(&[]), &["train"]).unwrap_err();
    assert_eq!(unknown.to_string(), "stages.gate.uses: there is no built-in step 'gate'; there are train");
}

#[test]
fn deferred_references_are_answered_and_quoted_at_run_time() {
    let definition = resolve(OURS, &[]).unwrap();
    let steps = json!({"train": {"model": "m'; rm -rf /"}, "gate": {"model": 7, "list": [1]}});
    let (Value::Object(steps), Value::Object(run)) = (steps, json!({"data_time": "2013-01-01T00:00:00Z"}))
    else {
        unreachable!()
    };
    let values = RuntimeValues::new(steps, Map::new(), run);
    let ship = definition.stages["ship"].at_run_time(&values).unwrap();
    assert_eq!(ship.work, Work::Commands(vec!["ship 7 2013-01-01T00:00:00Z".to_owned()]));
    assert_eq!(ship.env["MODEL"], "m'; rm -rf /", "the environment needs no quotes");
    let mut hostile = definition.stages["ship"].clone();
    hostile.work = Work::Commands(vec!["ship ${steps.train.model} \\${HOME}".to_owned()]);
    let expected = r"ship 'm'\''; rm -rf /' ${HOME}";
    assert_eq!(hostile.at_run_time(&values).unwrap().work, Work::Commands(vec![expected.to_owned()]));
    hostile.work = Work::Commands(vec!["ship ${steps.gate.list}".to_owned()]);
    assert_eq!(hostile.at_run_time(&values), Err(Problem::NotScalar("steps.gate.list".into())));
}

#[test]
fn the_digest_depends_on_the_meaning_alone() {
    let definition = resolve(OURS, &[]).unwrap();
    let reordered = "on: [manual, {cron: '0 5 * * 1'}, {schedule: {every: 7d, endpoint: flights}}] # same\n"
        .to_owned()
        + &OURS.replace(
            "\non:\n  - manual\n  - cron: '0 5 * * 1'\n  - schedule: {endpoint: '${endpoint}', every: 7d}",
            "",
        );
    assert_eq!(resolve(&reordered, &[]).unwrap().digest(), definition.digest());
    assert_ne!(resolve(&OURS.replace("0.5", "0.6"), &[]).unwrap().digest(), definition.digest());
    let stored: Definition = serde_json::from_slice(&definition.canonical()).unwrap();
    assert_eq!((stored.digest(), &stored), (definition.digest(), &definition));
}

#[test]
fn overrides_win_everywhere() {
    let text = "stages: {a: {cmd: 'run ${n} ${v}', params: [n]}}\nvars: [{v: 1}]\n";
    let mut parameters = parameters(&[("params.yaml", "n: 1\n")]);
    parameters.overrides = Map::from_iter([("n".to_owned(), json!(2)), ("v".to_owned(), json!(3))]);
    let definition = Source::parse(text).unwrap().resolve(&parameters).unwrap();
    assert_eq!(commands(&definition)["a"], ["run 2 3"]);
    assert_eq!(definition.stages["a"].params["params.yaml"]["n"], json!(2));
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (text, sentence) in [
        ("stages: []", "stages: must be a mapping with at least one stage"),
        ("stages: {a: {cmd: x}}\nstage: 1", "the top level: 'stage' is not known here"),
        ("stages: {a: {cmd: x, ourput: y}}", "stages.a: 'ourput' is not known here"),
        ("stages: {a/b: {cmd: x}}", "stages.a/b: a stage name holds"),
        ("stages: {a: {desc: x}}", "stages.a: 'cmd' or 'uses' is missing"),
        ("stages: {a: {cmd: x, uses: y}}", "stages.a: 'cmd' and 'uses' exclude each other"),
        ("stages: {a: {uses: X}}", "stages.a.uses: must be the name of a built-in step"),
        ("stages: {a: {cmd: x, with: {}}}", "stages.a: 'uses' is missing"),
        ("stages: {a: {cmd: x, retries: {max: -1}}}", "stages.a.retries.max: must be a whole number"),
        ("stages: {a: {cmd: x, retries: {maximum: 1}}}", "stages.a.retries: 'maximum' is not known"),
        ("stages: {a: {cmd: x, timeout: soon}}", "stages.a.timeout: must be a length of time"),
        ("stages: {a: {cmd: x, frozen: 1}}", "stages.a.frozen: must be true or false"),
        ("stages: {a: {cmd: x, needs: b}}", "stages.a.needs: there is no stage named 'b'"),
        ("stages: {a: {cmd: x, if: steps.b.x}}", "stages.a: there is no stage named 'b'"),
        ("stages: {a: {cmd: x, if: '1 +'}}", "stages.a.if: the expression breaks at byte 2"),
        ("stages: {a: {cmd: 'x ${b.c}'}}", "stages.a.cmd: '${b.c}' names no variable or parameter"),
        ("stages: {a: {cmd: x, params: [n]}}", "stages.a.params[0]: the parameter file has no key 'n'"),
        ("stages: {a: {cmd: x, params: [{f.yaml: [n]}]}}", "stages.a.params[0]: the parameter file 'f.yaml'"),
        ("stages: {a: {foreach: 3, do: {cmd: x}}}", "stages.a.foreach: must be a list or mapping"),
        ("stages: {a: {foreach: [1]}}", "stages.a: 'do' is missing"),
        (
            "stages: {a: {matrix: {x: 1}, cmd: x}}",
            "stages.a.matrix: must be a mapping from variables to lists",
        ),
        ("stages: {a: {cmd: x, approve: {by: [boss]}}}", "stages.a.approve.by: must be roles, or actors"),
        (
            "stages: {a: {cmd: x, outs: [d]}, b: {cmd: y, outs: [d/e]}}",
            "stages.b.outs: 'd/e' is already written by stage 'a'",
        ),
        ("stages: {a: {cmd: x, outs: [{d: {cash: true}}]}}", "stages.a.outs[0]: 'cash' is not known"),
        ("stages: {a: {cmd: x}}\non: {corn: x}", "on.corn: 'corn' is not known here"),
        ("stages: {a: {cmd: x}}\nconcurrency: {limit: 0, group: g}", "concurrency.limit: must be at least 1"),
        ("stages: {a: {cmd: x}}\nvars: [nope.yaml]", "vars[0]: the parameter file 'nope.yaml' was not found"),
        ("stages: {a: {cmd: x}}\nvars: [{x: 1}, {x: 2}]", "vars: the variable 'x' is defined twice"),
        (
            "stages: {g: {foreach: [1, 2], do: {cmd: x}}, a: {cmd: x, if: steps.g.x}}",
            "stages.a: 'g' is a group of stages; name one of them, as in steps[\"g@key\"]",
        ),
    ] {
        let error = resolve(text, &[]).unwrap_err().to_string();
        assert!(error.starts_with(sentence), "{text}\n  gave {error}\n  not  {sentence}");
    }
}

#[test]
fn cycles_are_named() {
    for (text, cycle) in [
        ("stages: {a: {cmd: x, needs: a}}", vec!["a", "a"]),
        ("stages: {a: {cmd: x, deps: [o]}, b: {cmd: x, needs: a, outs: [o]}}", vec!["a", "b", "a"]),
        (
            "stages: {z: {cmd: x}, a: {cmd: x, needs: [c, z]}, b: {cmd: x, needs: a}, c: {cmd: x, needs: b}}",
            vec!["a", "b", "c", "a"],
        ),
    ] {
        let cycle = cycle.into_iter().map(str::to_owned).collect();
        assert_eq!(resolve(text, &[]), Err(DefinitionError::Cycle(cycle)), "{text}");
    }
    let own = "stages: {a: {cmd: x, deps: [d], outs: [d]}}";
    assert!(resolve(own, &[]).is_ok(), "a stage that updates its own output does not wait for itself");
}

#[test]
fn expansion_is_bounded() {
    let axis: Vec<u32> = (0..40).collect();
    let matrix = json!({"stages": {"a": {"matrix": {"x": axis, "y": axis}, "cmd": "x"}}}).to_string();
    assert_eq!(resolve(&matrix, &[]), Err(DefinitionError::TooLarge { of: "stages", limit: 1_000 }));
    let items: Vec<u32> = (0..1_001).collect();
    let each = json!({"stages": {"a": {"foreach": items, "do": {"cmd": "x"}}}}).to_string();
    assert_eq!(resolve(&each, &[]), Err(DefinitionError::TooLarge { of: "stages", limit: 1_000 }));
    let text = "x".repeat(60_000);
    let long = json!({"vars": [{"t": text}], "stages": {"a": {"cmd": "${t}${t}"}}}).to_string();
    assert!(resolve(&long, &[]).unwrap_err().to_string().starts_with("stages.a.cmd: must be at most 64 KiB"));
    let wide = json!({"vars": [{"t": text}], "stages": {"a": {"foreach": (0..500).collect::<Vec<_>>(), "do": {"cmd": "${t}"}}}});
    assert!(matches!(
        resolve(&wide.to_string(), &[]),
        Err(DefinitionError::TooLarge { of: "bytes after expansion", .. })
    ));
}

/// Steps of which one takes `days` alone.
struct Days;

impl BuiltIns for Days {
    fn names(&self) -> Vec<&'static str> {
        vec!["days"]
    }

    fn check(&self, _: &str, with: &Map<String, Value>) -> Result<(), String> {
        if with.keys().eq(["days"]) { Ok(()) } else { Err("it takes 'days'".to_owned()) }
    }
}

fn check(stages: &str) -> Result<(), String> {
    let source = Source::parse(stages).map_err(|error| error.to_string())?;
    source.check(&Days).map_err(|error| error.to_string())
}

#[test]
fn variables_that_a_run_may_bring_leave_what_hangs_on_them_open() {
    for open in [
        "stages: {a: {uses: days, with: {days: '${n}'}}}",
        "stages: {a: {uses: days, with: '${all}'}}",
        "stages: {a: {uses: '${step}', with: {x: 1}}}",
        "stages: {a: {cmd: '${x} ${y.z}', retries: '${n}', timeout: '${t}', needs: '${them}', env: '${e}'}}",
        "stages: {a: {cmd: x, outs: ['${dir}/a', {'b': {cache: '${c}'}}], deps: '${list}', wdir: '${w}'}}",
        "stages: {a: {approve: {by: ['${who}']}}}",
        "stages: {a: {cmd: x, params: [depth, params.yaml: [width]], vars: ['params.yaml:k']}}",
        "stages: {a: {foreach: '${items}', do: {cmd: '${item}'}}, b: {cmd: x, needs: [a, a@us]}}",
        "stages: {a: {matrix: {n: '${ns}'}, cmd: '${item.n}'}, b: {cmd: x, if: 'steps[\"a@1\"].ok'}}",
        "vars: [{n: }]\nstages: {a: {cmd: x, timeout: '${n}'}}",
        "stages: {a: {cmd: x}}\nconcurrency: {group: g, limit: '${n}'}",
    ] {
        assert_eq!(check(open), Ok(()), "{open}");
    }
}

#[test]
fn what_no_parameters_mend_is_refused_beforehand() {
    for (text, sentence) in [
        ("stages: {a: {uses: day}}", "stages.a.uses: there is no built-in step 'day'; there are days"),
        ("stages: {a: {uses: days, with: {n: '${n}'}}}", "stages.a.with: it takes 'days'"),
        (
            "stages: {a: {cmd: '${x}', needs: [b]}, b: {cmd: x, needs: [a, '${x}']}}",
            "the stages form a cycle: a -> b -> a",
        ),
        (
            "stages: {a: {cmd: x, deps: ['${d}/b'], outs: ['${d}/a']}, b: {cmd: x, deps: ['${d}/a'], outs: ['${d}/b']}}",
            "the stages form a cycle: a -> b -> a",
        ),
        ("stages: {a: {cmd: '${steps.b.x} ${x}'}}", "stages.a: there is no stage named 'b'"),
        (
            "stages: {a: {foreach: '${x}', do: {cmd: x}}, b: {cmd: '${steps.a.x}'}}",
            "stages.b: 'a' is a group",
        ),
        ("stages: {a: {cmd: '${x} ${b c..d}'}}", "stages.a.cmd: '${b c..d}' is not a reference"),
        ("vars: [{n: {x: 1}}]\nstages: {a: {cmd: '${n.y}'}}", "stages.a.cmd: '${n.y}' names no variable"),
        ("stages: {a: {cmd: x, retries: [], timeout: '${t}'}}", "stages.a.retries"),
        ("stages: {a: {cmd: '${x}', comand: y}}", "stages.a: 'comand' is not known here"),
        (
            "vars: [values.yaml]\nstages: {a: {cmd: x}}",
            "vars[0]: the parameter file 'values.yaml' was not found",
        ),
        ("stages: {a: {cmd: x}}\non: {cron: '${when}'}", "on: '${when}' names no variable"),
        ("stages: {a: {cmd: x}}\nconcurrency: {limit: 2}", "concurrency: 'group' is missing"),
    ] {
        let told = check(text).unwrap_err();
        assert!(told.starts_with(sentence), "{text}: {told}");
    }
}
