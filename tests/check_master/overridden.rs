//! What an admin changes of the farm's steps.

use super::binary::text;
use super::snapshot::snapshot;
use super::support::Case;

/// A master whose admin changes the farm.
fn changed() -> Case {
    let case = Case::new();
    case.edit(
        "master/master.cfg",
        "from farm import configure",
        "from buildbot.plugins import schedulers, steps, util\nfrom farm import Farm, PlanStep, configure",
    );
    case.edit(
        "master/master.cfg",
        "\nconfigure(c)\n",
        "
class InEnglish(PlanStep):
    def variables(self):
        return {**super().variables(), 'LANG': 'C.UTF-8'}

    def command(self):
        return ['nice', *super().command()]

class Mine(Farm):
    def step(self, step, **kwargs):
        if step.name == 'bootstrap':
            return InEnglish(self, step, locks=[self.lock('pip').access('counting')])
        if step.name == 'fetch':
            return super().step(step, haltOnFailure=False, doStepIf=lambda step: False)
        return super().step(step, **kwargs)

    def builder(self, builder):
        made = super().builder(builder)
        if builder.name.startswith('crm'):
            made.factory.addStep(steps.ShellCommand(name='tell', command=['tell', util.Secret('atlas-worker-password')]))
            made.env['EXTRA'] = '1'
            made.properties['mood'] = 'good'
        return made

configure(c, Mine)
del c['builders'][0]
c['schedulers'] = [schedulers.ForceScheduler('force', [builder.name for builder in c['builders']])]
",
    );
    case
}

#[test]
fn changes_are_noted_and_are_no_mistakes() {
    snapshot!("check-master-overridden", changed().right());
}

#[test]
fn a_dry_run_shows_them() {
    let case = changed();
    let output = case.check(&["--dry-run", "--slave", "atlas", "crm*"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    snapshot!("check-master-dry-run", format!("{}----\n{}", text(&output.stderr), text(&output.stdout)));
}

#[test]
fn a_dry_run_needs_a_master_that_is_current_and_loads() {
    let case = Case::new();
    case.admin("c['schedulers'] = []\n");
    let output = case.check(&["--dry-run"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("have no schedulers to drive them"), "{}", text(&output.stderr));
    case.edit("farm/slaves.cfg", "port=5434", "port=6434");
    let output = case.check(&["--dry-run"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("what is rendered is not current"), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty());
}
