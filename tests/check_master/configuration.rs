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
    told(&case)
}

/// The same of a whole case.
#[track_caller]
fn told(case: &Case) -> String {
    let output = checkconfig(case);
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
        "c['builders'].append(util.BuilderConfig('shop-pg14', workernames=['atlas'], factory=util.BuildFactory()))\n",
    ] {
        case.write("master/helper.py", "\nvalue = {}['missing']\n");
        case.write("master/master.cfg", &(master.clone() + lines));
        assert!(!checkconfig(&case).status.success(), "{lines}");
        let said = case.wrong();
        // What comes of a refusal is no finding of its own.
        assert!(!said.contains("[overridden]"), "{said}");
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
def own(*made, name='own', worker='atlas', **options):
    c['builders'].append(util.BuilderConfig(name, workernames=[worker], factory=util.BuildFactory(made), **options))
    c['schedulers'].append(schedulers.ForceScheduler(name, [name]))
";

#[test]
fn steps_that_cannot_work_are_told() {
    snapshot!(
        "check-master-steps",
        taken(&format!(
            "{OWN}
class Mine(steps.ShellCommand):
    name = 'mine'
    command = ['make', util.Interpolate('%(prop:nowhere)s')]
    env = {{'X': 3}}

class Made(steps.MasterShellCommand):
    def __init__(self, target, *args, **kwargs):
        super().__init__(['make', util.Interpolate('%(prop:' + target + ')s')], *args, **kwargs)

own(
    steps.ShellCommand(name='empty', command=[]),
    steps.MasterShellCommand([], name='empty-here'),
    steps.ShellSequence(name='sequence', commands=[util.ShellArg(command=['make']), util.ShellArg(command=[])]),
    steps.MasterShellCommand(['x', util.Interpolate('%(prop:nope)s')], name='here'),
    steps.FileUpload('a', util.Interpolate('%(prop:nope2)s'), name='upload'),
    Made('by-class', name='made'),
    steps.FileDownload('made.tar', 'x', name='made-here'),
    Mine(),
    steps.ShellCommand(name='count', command=['make'], env={{'JOBS': 4, 'FINE': '4', 'NONE': None}}),
    steps.ShellCommand(name='target', command=['make', util.Interpolate('%(prop:target)s %(prop:flags:-)s')]),
    steps.ShellCommand(name='bare', command=['make', util.Property('target')]),
    steps.ShellCommand(name='login', command=['login', util.Interpolate('%(secret:token)s')]),
    env={{'LEVEL': 3, 'GROUND': util.Interpolate('%(prop:ground)s')}},
)
"
        ))
    );
}

#[test]
fn directories_workers_files_and_secrets_that_are_not_there_for_it_are_told() {
    let case = Case::new();
    let hooks = "\nconfigure(c, change_hook='telling', sendchange='saying')\n";
    case.edit("master/master.cfg", "\nconfigure(c)\n", hooks);
    case.admin(OWN);
    case.admin(
        "
own(
    steps.FileDownload(name='send', mastersrc='files/nothing.tar', workerdest='nothing.tar'),
    steps.FileDownload('gone.txt', 'x', name='other'),
    workerbuilddir='shop-pg15',
)
one, two = (util.MasterLock(name).access('exclusive') for name in ('one', 'two'))
own(name='now', workerbuilddir='both', locks=[one])
own(name='then', workerbuilddir='both', locks=[two])
own(name='at-last', workerbuilddir='both', locks=[one, two])
c['db'] = {'db_url': util.Secret('database-url')}
c['workers'].append(worker.Worker('zeus', util.Secret('zeus-password'), notify_on_missing=['ann@shop.example']))
",
    );
    snapshot!("check-master-doubled", told(&case));
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
    let said = taken(
        "c['schedulers'].append(schedulers.AnyBranchScheduler('any', builderNames=['shop-pg14']))
c['schedulers'].append(schedulers.Nightly('nightly', builderNames=['shop-pg14'], hour=3, onlyIfChanged=True))
",
    );
    for name in ["any", "nightly"] {
        let told = format!("the scheduler `{name}` waits for changes, and nothing brings any\n");
        assert!(said.contains(&told), "{said}");
    }
}

/// The farm is known as such, though the search path leads past the copy in which the configuration is tried.
#[test]
fn a_farm_that_no_change_reaches_is_told_once() {
    let case = Case::new();
    let path = format!("import sys\nsys.path.insert(0, {:?})\nfrom farm import configure", case.path("master"));
    case.edit("master/master.cfg", "from farm import configure", &path);
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
    case.secret("token");
    case.admin(
        "
from buildbot.process.buildstep import BuildStep

class Gives(BuildStep):
    def run(self):
        self.setProperty('of-' + self.name, 1)

class Mails(reporters.WorkerMissingGenerator):
    pass

@util.renderer
def chosen(props):
    return [props.getProperty('anything')]

def asks(*names):
    return util.Interpolate(' '.join(f'%(prop:{name})s' for name in names))

def own(name, *made, **options):
    c['builders'].append(util.BuilderConfig(name, workernames=['mine'], factory=util.BuildFactory(made), **options))
    return [name]

c['properties'] = {'everywhere': 'x'}
own('own',
    steps.Git('https://git.example/own', name='git'),
    steps.ShellCommand(command=['make', asks('got_revision', 'everywhere', 'of-builder', 'of-scheduler', 'asked', 'x:-y')]),
    steps.ShellCommand(command=['make'], doStepIf=util.Property('wanted'), env={'PATH': ['bin', '${PATH}']}),
    steps.ShellCommand(command=['make', asks('late')], doStepIf=lambda step: step.hasProperty('late')),
    steps.ShellCommand(command=['make', asks('never')], doStepIf=False),
    steps.SetPropertyFromCommand(command=['git', 'describe'], property='described'),
    steps.SetProperty(property='set', value='x'),
    steps.SetProperty('version', '1'),
    steps.ShellCommand(command='echo %s' % 'x', workdir=asks('described', 'set', 'version', 'jobs')),
    steps.FileDownload(mastersrc='files/note.txt', workerdest='note.txt'),
    steps.ShellCommand(command=chosen),
    steps.ShellCommand(command=['login', util.Secret('token')]),
    Gives(name='giver'),
    steps.ShellCommand(command=['make', asks('of-giver')]),
    properties={'of-builder': 'x'}, env={'A': 'b', 'C': util.Property('of-builder'), 'D': asks('described')})
asking = steps.ShellCommand(command=['make', asks('of-people')])
c['change_source'] = [
    changes.GitPoller('https://git.example/own', branches=['main']),
    changes.GitPoller('https://git.example/other', branches=True),
    changes.GitPoller('https://git.example/sorted', branch='main', category=lambda branch: 'sorted'),
    changes.HgPoller('https://hg.example/a', branch='default', workdir='hg'),
    changes.HgPoller('https://hg.example/a', branch='stable', workdir='hg'),
    changes.HgPoller('https://hg.example/a', branches=['next'], bookmarks=['rel'], workdir='hg'),
]

def waits(name, **wanted):
    return schedulers.SingleBranchScheduler(name, change_filter=util.ChangeFilter(**wanted), builderNames=['own'])

c['schedulers'] += [
    schedulers.SingleBranchScheduler('own', branch='main', treeStableTimer=60, builderNames=['own'],
                                     properties={'of-scheduler': 'x'}),
    waits('other', repository='https://git.example/other', branch='any'),
    waits('stable', branch_re='^sta'),
    waits('bookmark', repository='https://hg.example/a', branch='rel'),
    waits('documents', repository='https://git.example/own',
          filter_fn=lambda change: any(name.startswith('doc/') for name in change.files)),
    waits('sorted', repository='https://git.example/sorted', category='sorted'),
    waits('marked', repository='https://git.example/own', property_eq={'mark': 'x'}),
    schedulers.ForceScheduler('ask', ['own'], properties=[
        util.NestedParameter(name='', fields=[util.StringParameter(name='asked')])]),
    schedulers.ForceScheduler('anything', own('anything', asking), properties=[util.AnyPropertyParameter(name='more')]),
    schedulers.Try_Userpass('try', own('try', asking), port=9990, userpass=[('ann', 'not-a-secret')]),
    schedulers.Try_Jobdir('job', own('job', asking), jobdir='jobs'),
    schedulers.Nightly('nightly', ['own'], hour=3, onlyIfChanged=True),
]
c['workers'].append(worker.Worker(
    'mine', util.Secret('token'), notify_on_missing=['ann@shop.example'], defaultProperties={'jobs': '4'}))
c['services'] = [reporters.MailNotifier('bot@shop.example', generators=[Mails(workers='all')])]
",
    );
    let said = case.right();
    assert!(!said.contains("error[") && !said.contains("warning[") && !said.contains("note["), "{said}");
}

/// What depends on others, or on what a build does, may be right: that is no error. What is sure to come is not told at all.
#[test]
fn what_may_be_right_is_no_error() {
    let case = Case::new();
    case.secret("telling");
    case.edit("master/master.cfg", "\nconfigure(c)\n", "\nconfigure(c, change_hook='telling')\n");
    case.admin(OWN);
    case.admin(
        "
def often(step):
    return step.build.number % 10 == 0

only = util.WorkerLock('only').access('exclusive')
c['workers'].append(worker.Worker('single', util.Secret('telling'), max_builds=1))
own(
    steps.ShellCommand(name='target', command=['make', util.Interpolate('%(prop:target)s %(prop:github.number)s')]),
    steps.FileUpload(workersrc='a.tar', masterdest='public/a.tar'),
    steps.DirectoryUpload(workersrc='doc', masterdest=util.Interpolate('doc-%(prop:buildnumber)s')),
    steps.FileDownload(mastersrc='public/a.tar', workerdest='a.tar'),
    steps.FileDownload(mastersrc='doc-1/index.html', workerdest='index.html'),
    steps.ShellCommand(name='often', command=['make', util.Interpolate('%(prop:late)s')], doStepIf=often),
    locks=[only],
)
own(name='locked', workerbuilddir='own', locks=[only])
own(name='one', worker='single', workerbuilddir='one')
own(name='after-one', worker='single', workerbuilddir='one')
c['change_source'] = [
    changes.PBChangeSource(user='hook', passwd='x'),
    changes.GitHubPullrequestPoller('shop', 'shop', github_property_whitelist=['github.num*']),
]
c['schedulers'].append(schedulers.SingleBranchScheduler('slip', branch='mian', builderNames=['own']))
",
    );
    snapshot!("check-master-maybe", case.right());
}
