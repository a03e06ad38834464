//! A plan for a person: exactly what would be done, and why.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::plan::{OnFailure, Phase, Plan, Step};

const HEAD: Style = AnsiColor::Cyan.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// The plan in full: every step with its command, environment, directory, locks, limits and what its failure does.
pub fn dry_run(plan: &Plan) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_plan(&mut text, plan);
    text
}

/// One line about a plan.
pub fn summary(plan: &Plan) -> String {
    format!("{}: {} steps on {}, database {}", plan.builder, plan.steps.len(), plan.slave, plan.database)
}

fn write_plan(text: &mut String, plan: &Plan) -> std::fmt::Result {
    writeln!(
        text,
        "{HEAD}{}{HEAD:#} on {}  {DIM}[{}] in {}{DIM:#}",
        plan.builder, plan.slave, plan.build, plan.manifest
    )?;
    let mut fact = |name: &str, value: &str| {
        if value.is_empty() { Ok(()) } else { writeln!(text, "  {DIM}{name:<12}{DIM:#}{value}") }
    };
    let pairs = |pairs: &indexmap::IndexMap<String, String>| {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| format!("{name}={}", value.replace('\n', "\\n"))).collect();
        pairs.join("\n              ")
    };
    fact("category", plan.category.as_deref().unwrap_or_default())?;
    fact("directory", &format!("${{basedir}}/{}", plan.directory))?;
    fact("database", &plan.database)?;
    fact("properties", &pairs(&plan.properties))?;
    fact("secrets", &plan.secrets.join(", "))?;
    fact("path", &plan.path.join(":"))?;
    fact("environment", &pairs(&plan.environment))?;
    let files: Vec<_> = plan.files.iter().map(|file| format!("{} ({} bytes)", file.path, file.content.len())).collect();
    fact("files", &files.join("\n              "))?;
    let mut phase = None;
    for (number, step) in plan.steps.iter().enumerate() {
        if phase != Some(step.phase) {
            phase = Some(step.phase);
            writeln!(text, "\n  {HEAD}{}{HEAD:#}", title(step.phase))?;
        }
        write_step(text, number + 1, step)?;
    }
    Ok(())
}

fn write_step(text: &mut String, number: usize, step: &Step) -> std::fmt::Result {
    let bold = Style::new().bold();
    writeln!(text, "  {number:>2}. {bold}{}{bold:#}  {DIM}{} ({}){DIM:#}", step.name, step.help, step.template)?;
    if step.write {
        writeln!(text, "      write the files above into {}", step.directory)?;
    } else {
        for line in wrap(&step.run) {
            writeln!(text, "      {line}")?;
        }
        if step.directory != "${build-dir}" {
            writeln!(text, "      {DIM}in{DIM:#} {}", step.directory)?;
        }
    }
    for (name, value) in &step.environment {
        writeln!(text, "      {DIM}with{DIM:#} {name}={value}")?;
    }
    if let Some(property) = &step.property {
        writeln!(text, "      {DIM}its last line becomes{DIM:#} ${{property.{property}}}")?;
    }
    if let Some(file) = &step.keep {
        writeln!(text, "      {DIM}its file{DIM:#} {file} {DIM}is kept with the logs{DIM:#}")?;
    }
    for file in &step.follow {
        writeln!(text, "      {DIM}what it adds to{DIM:#} {file} {DIM}is kept with the logs{DIM:#}")?;
    }
    let mut facts = Vec::new();
    facts.extend(step.lock.as_ref().map(|lock| format!("holds the lock {lock}")));
    facts.extend(
        step.idle_timeout.filter(|_| !step.write).map(|seconds| format!("at most {} silent", duration(seconds))),
    );
    facts.extend(step.timeout.map(|seconds| format!("at most {} in all", duration(seconds))));
    facts.push(
        match step.on_failure {
            OnFailure::Halt => "failure stops the build",
            OnFailure::Flunk => "failure fails the build, which goes on",
            OnFailure::Warn => "failure is a warning",
            OnFailure::Ignore => "failure is ignored",
        }
        .to_owned(),
    );
    if step.infrastructure {
        facts.push("--retries tries it again".to_owned());
    }
    if step.always_run {
        facts.push("always run".to_owned());
    }
    writeln!(text, "      {DIM}{}{DIM:#}", facts.join(" · "))
}

fn title(phase: Phase) -> &'static str {
    match phase {
        Phase::Prepare => "prepare",
        Phase::Fetch => "fetch",
        Phase::PostDl => "after the download",
        Phase::Bootstrap => "bootstrap",
        Phase::Buildout => "buildout",
        Phase::Db => "database",
        Phase::PostBuildout => "after the buildout",
        Phase::CleanUp => "clean-up",
    }
}

fn duration(seconds: u64) -> String {
    match seconds {
        hours if hours >= 3600 && hours.is_multiple_of(3600) => format!("{} h", hours / 3600),
        minutes if minutes >= 60 && minutes.is_multiple_of(60) => format!("{} min", minutes / 60),
        seconds => format!("{seconds} s"),
    }
}

/// A command in lines of a readable length, as it could be typed: words quoted where a shell would want it. Placeholders
/// are left as they are.
fn wrap(command: &[String]) -> Vec<String> {
    let quoted = command.iter().map(|word| {
        let plain = word.chars().all(|c| c.is_alphanumeric() || "_-./:=,+@%${}".contains(c));
        if plain && !word.is_empty() { word.clone() } else { shell_words::quote(word).into_owned() }
    });
    let mut lines: Vec<String> = Vec::new();
    for word in quoted {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < 96 => {
                line.push(' ');
                line.push_str(&word);
            }
            Some(line) => {
                line.push_str(" \\");
                lines.push(format!("    {word}"));
            }
            None => lines.push(word),
        }
    }
    lines
}
