//! What Buildbot refuses, and what it takes and should not.

use std::process::Output;

use super::binary::text;
use super::buildbot::program;
use super::snapshot::snapshot;
use super::support::Case;

fn checkconfig(case: &Case) -> Output {
    program("buildbot", case.directory.path()).arg("checkconfig").arg(case.path("master")).output().unwrap()
}

/// What is said of a configuration that Buildbot itself has nothing against.
#[track_caller]
fn taken(lines: &str) -> String {
    let case = Case::new();
    case.admin(lines);
    let output = checkconfig(&case);
    assert!(output.status.success(), "{}", text(&output.stderr));
    case.wrong()
}

/// What is said of configurations that Buildbot refuses, one after the other.
#[test]
fn what_buildbot_refuses_has_its_line() {
    let case = Case::new();
    let master = std::fs::read_to_string(case.path("master/master.cfg")).unwrap();
    let mut told = String::new();
    for lines in [
        "c['builders'] = c['builders'] + undefined\n",
        "c['builders'].append(\n",
        "c['titel'] = 'Farm'\n",
        "c['builders'].append(util.BuilderConfig('own', workernames=['nobody'], factory=util.BuildFactory()))\n",
        "steps.ShellCommand(name='check', comand=['make', 'check'])\n",
        "c['schedulers'].append(schedulers.ForceScheduler('other', ['shop']))\n",
        "import helper\n",
        "del c['protocols']\n",
        "c['builders'].append(c['builders'][0])\n",
    ] {
        case.write("master/helper.py", "\nvalue = {}['missing']\n");
        case.write("master/master.cfg", &(master.clone() + lines));
        assert!(!checkconfig(&case).status.success(), "{lines}");
        let said = case.wrong();
        let errors = said[said.find("error[").unwrap()..].rsplit_once("\n\n").unwrap().0;
        told += &format!("{lines}\n{errors}\n\n----\n");
    }
    snapshot!("check-master-refused", told);
}

/// Buildbot takes it for success that there was nothing to check.
#[test]
fn what_keeps_buildbot_from_checking_is_told() {
    for (lines, told) in [
        ("raise SystemExit(3)\n", "it ends Buildbot: sys.exit(3)"),
        ("import os\nos._exit(0)\n", "it ends Buildbot: os._exit(0)"),
        ("BuildmasterConfig = [c]\n", "BuildmasterConfig must be a dictionary, and is of the type list"),
    ] {
        let case = Case::new();
        case.admin(lines);
        let line = std::fs::read_to_string(case.path("master/master.cfg")).unwrap().lines().count();
        let said = case.wrong();
        let expected = format!("error[refused] at master.cfg:{line}: Buildbot refuses it: {told}\n");
        assert!(said.contains(&expected), "{said}");
    }
}

#[test]
fn a_configuration_without_the_farm_is_told() {
    let case = Case::new();
    case.write(
        "master/master.cfg",
        "from buildbot.plugins import schedulers, util, worker\nc = BuildmasterConfig = {}\n\
         c['protocols'] = {'pb': {'port': 9989}}\nc['workers'] = [worker.Worker('own', 'x')]\n\
         c['builders'] = [util.BuilderConfig('own', workernames=['own'], factory=util.BuildFactory())]\n\
         c['schedulers'] = [schedulers.ForceScheduler('force', ['own'])]\n",
    );
    let said = case.wrong();
    assert!(said.contains("error[no-farm]: nothing of the farm is in master.cfg\n"), "{said}");
    assert!(said.contains("not checked  steps"), "{said}");
}

const OWN: &str = "
def own(*made, **options):
    c['builders'].append(util.BuilderConfig('own', workernames=['atlas'], factory=util.BuildFactory(made), **options))
    c['schedulers'].append(schedulers.ForceScheduler('own', ['own']))
";

#[test]
fn steps_that_cannot_work_are_told() {
    snapshot!(
        "check-master-steps",
        taken(&format!(
            "{OWN}
own(
    steps.ShellCommand(name='empty', command=[]),
    steps.ShellCommand(name='count', command=['make'], env={{'JOBS': 4, 'FINE': '4', 'NONE': None}}),
    steps.ShellCommand(name='target', command=['make', util.Interpolate('%(prop:target)s %(prop:flags:-)s')]),
    steps.ShellCommand(name='bare', command=['make', util.Property('target')]),
    steps.FileDownload(name='send', mastersrc='files/nothing.tar', workerdest='nothing.tar'),
    steps.ShellCommand(name='login', command=['login', util.Interpolate('%(secret:token)s')]),
    env={{'LEVEL': 3}},
)
"
        ))
    );
}

#[test]
fn directories_workers_and_secrets_that_are_not_ones_own_are_told() {
    snapshot!(
        "check-master-doubled",
        taken(&format!(
            "{OWN}
own(workerbuilddir='shop-pg15')
c['workers'].append(worker.Worker('zeus', util.Secret('zeus-password'), notify_on_missing=['ann@shop.example']))
"
        ))
    );
}

#[test]
fn schedulers_and_pollers_that_cannot_work_are_told() {
    snapshot!(
        "check-master-changes",
        taken(
            "
every = [builder.name for builder in c['builders']]
c['change_source'] = [
    changes.GitPoller('https://git.example/own', branches=['main']),
    changes.GitPoller('https://git.example/own', branches=['main', 'next'], name='again'),
    changes.HgPoller('https://hg.example/a', branch='default', workdir='hg'),
    changes.HgPoller('https://hg.example/b', branch='default', workdir='hg'),
]
c['schedulers'] += [
    schedulers.SingleBranchScheduler(
        'slip', change_filter=util.ChangeFilter(repository='https://git.example/own', branch='mian'), builderNames=every
    ),
    schedulers.SingleBranchScheduler('late', branch='next', treeStableTimer='600', builderNames=every),
]
"
        )
    );
}

#[test]
fn a_scheduler_waits_in_vain_where_nothing_brings_changes() {
    let said = taken("c['schedulers'].append(schedulers.AnyBranchScheduler('any', builderNames=['shop-pg14']))\n");
    assert!(said.contains("the scheduler `any` waits for changes, and nothing brings any\n"), "{said}");
}

#[test]
fn a_farm_that_no_change_reaches_is_told_once() {
    let case = Case::new();
    case.edit(
        "farm/buildouts/MANIFEST.cfg",
        "build-for = postgresql >= 14\nwatch =\n",
        "build-for = postgresql >= 14\n",
    );
    case.render();
    case.right();
    case.edit("master/master.cfg", "\nconfigure(c)\n", "\nconfigure(c, poll=None)\n");
    let said = case.wrong();
    assert!(said.contains("nothing brings the changes that the farm waits for: changes: shop\n"), "{said}");
    case.edit(
        "master/master.cfg",
        "configure(c, poll=None)",
        "configure(c, poll=None, sendchange='zeus-worker-password')",
    );
    case.right();
}

/// All of this is as it should be, and some of it looks as what is not.
#[test]
fn what_is_right_is_not_told() {
    let case = Case::new();
    case.write("master/files/note.txt", "");
    case.write("master/secrets/token", "not-a-secret-0472");
    std::fs::set_permissions(case.path("master/secrets/token"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    case.admin(
        "
from buildbot.process.buildstep import BuildStep

class Gives(BuildStep):
    def run(self):
        self.setProperty('of-' + self.name, 1)

@util.renderer
def chosen(props):
    return [props.getProperty('anything')]

c['properties'] = {'everywhere': 'x'}
c['builders'].append(util.BuilderConfig(
    'own', workernames=['atlas'], properties={'of-builder': 'x'}, env={'A': 'b', 'C': util.Property('of-builder')},
    factory=util.BuildFactory([
        steps.Git('https://git.example/own', name='git'),
        steps.ShellCommand(command=['make', util.Interpolate(
            '%(prop:got_revision)s %(prop:everywhere)s %(prop:of-builder)s %(prop:of-scheduler)s %(prop:asked)s %(prop:x:-y)s')]),
        steps.ShellCommand(command=['make'], doStepIf=util.Property('wanted'), env={'PATH': ['bin', '${PATH}']}),
        steps.SetPropertyFromCommand(command=['git', 'describe'], property='described'),
        steps.SetProperty(property='set', value='x'),
        steps.ShellCommand(command='echo %s' % 'x', workdir=util.Interpolate('%(prop:described)s/%(prop:set)s')),
        steps.FileDownload(mastersrc='files/note.txt', workerdest='note.txt'),
        steps.ShellCommand(command=chosen),
        steps.ShellCommand(command=['login', util.Secret('token')]),
        Gives(name='giver'),
        steps.ShellCommand(command=['make', util.Interpolate('%(prop:of-giver)s')]),
    ]),
))
c['change_source'] = [
    changes.GitPoller('https://git.example/own', branches=['main']),
    changes.GitPoller('https://git.example/other', branches=True),
    changes.HgPoller('https://hg.example/a', branch='default', workdir='hg'),
    changes.HgPoller('https://hg.example/a', branch='stable', workdir='hg'),
]
c['schedulers'] += [
    schedulers.SingleBranchScheduler('own', branch='main', treeStableTimer=60, builderNames=['own'],
                                     properties={'of-scheduler': 'x'}),
    schedulers.AnyBranchScheduler('other', change_filter=util.ChangeFilter(repository='https://git.example/other', branch='any'),
                                  builderNames=['own']),
    schedulers.SingleBranchScheduler('stable', change_filter=util.ChangeFilter(branch_re='^sta'), builderNames=['own']),
    schedulers.ForceScheduler('ask', ['own'], properties=[
        util.NestedParameter(name='', fields=[util.StringParameter(name='asked')])]),
]
c['workers'].append(worker.Worker('mine', util.Secret('token'), notify_on_missing=['ann@shop.example']))
c['services'] = [reporters.MailNotifier('bot@shop.example', generators=[reporters.WorkerMissingGenerator(workers='all')])]
",
    );
    let said = case.right();
    assert!(!said.contains("error[") && !said.contains("warning[") && !said.contains("note["), "{said}");
}

/// With hooks, whoever calls them may give any property, and tell of any repository.
#[test]
fn what_hooks_may_bring_is_no_error() {
    let case = Case::new();
    case.admin(OWN);
    case.admin(
        "
own(steps.ShellCommand(name='target', command=['make', util.Interpolate('%(prop:target)s')]))
c['change_source'] = [changes.PBChangeSource(user='hook', passwd='x')]
c['schedulers'].append(schedulers.SingleBranchScheduler('slip', branch='mian', builderNames=['own']))
",
    );
    let said = case.right();
    assert!(said.contains("asks for the property `target`, and nothing gives it unless a hook does"), "{said}");
    assert!(!said.contains("never-fed"), "{said}");
}
