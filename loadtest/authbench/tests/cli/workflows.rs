//! The workflows of this repository and the action that it offers to others, read by a parser of GitHub's formats.

use std::path::{Path, PathBuf};

use github_actions_models::action::{Action, Runs, StepBody};
use github_actions_models::common::expr::LoE;
use github_actions_models::common::{Env, Uses};
use github_actions_models::workflow::job::Step;
use github_actions_models::workflow::{Job, Workflow};

const GATE: &str = ".github/actions/gate/action.yml";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn workflows() -> Vec<Workflow> {
    let files = std::fs::read_dir(root().join(".github/workflows")).unwrap();
    let read = |file: std::io::Result<std::fs::DirEntry>| {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        yaml_serde::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    files.map(read).collect()
}

fn gate() -> Action {
    yaml_serde::from_str(&std::fs::read_to_string(root().join(GATE)).unwrap()).unwrap()
}

fn literal<T>(value: &LoE<T>) -> &T {
    let LoE::Literal(value) = value else { panic!("an expression instead of a value") };
    value
}

#[test]
fn workflows_use_what_exists() {
    let workflows = workflows();
    let jobs = workflows.iter().flat_map(|workflow| workflow.jobs.values());
    let steps = jobs.flat_map(|job| {
        let Job::NormalJob(job) = job else { panic!("a job without steps") };
        assert!(job.timeout_minutes.is_some(), "a job without a time limit: {job:?}");
        &job.steps
    });
    let (mut scripts, mut actions) = (0, 0);
    for step in steps {
        match step {
            Step::Run(step) => {
                assert!(!step.run.contains("${{"), "{}", step.run);
                let script = step.run.split_whitespace().next().unwrap();
                assert!(root().join(script).is_file(), "{script}");
                scripts += 1;
            }
            Step::Uses(step) => {
                let Uses::Local(action) = &step.uses else { continue };
                assert_eq!(Path::new(action.raw()).join("action.yml"), Path::new(".").join(GATE));
                let declared = gate().inputs;
                let given: &Env = literal(&step.with);
                assert!(given.keys().all(|name| declared.contains_key(name)), "{given:?}");
                let required = declared.iter().filter(|(_, input)| input.required == Some(true));
                assert!(required.clone().all(|(name, _)| given.contains_key(name)), "{given:?}");
                actions += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((scripts, actions), (2, 1));
}

/// Inputs of an action reach its script as variables, never as text of the script: they may come from strangers.
#[test]
fn inputs_of_the_action_are_variables_of_its_script() {
    let action = gate();
    let Runs::Composite(runs) = &action.runs else { panic!("{action:?}") };
    let [step] = &runs.steps[..] else { panic!("{runs:?}") };
    let StepBody::Run { run, .. } = &step.body else { panic!("{step:?}") };
    assert!(!run.contains("${{"), "{run}");
    let variables = literal(&step.env);
    for input in action.inputs.keys() {
        let name = input.to_uppercase();
        assert_eq!(variables[&name].to_string(), format!("${{{{ inputs.{input} }}}}"));
        assert!(run.contains(&format!("${name}")) || run.contains(&format!("${{{name}:")), "{run}");
    }
    assert!(run.contains("/../../../scripts/gate.sh"), "{run}");
    assert!(root().join(GATE).parent().unwrap().join("../../../scripts/gate.sh").is_file());
}
