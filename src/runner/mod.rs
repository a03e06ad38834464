//! The bundled runner: plans and a site in, events while it works, a result out. It runs the commands of plans and
//! keeps their logs; it knows nothing of farms, of what a step is for, or of who reads its events.
//!
//! It writes in two places: the site's state folder (`runs/` with logs and results, `active/` with what is needed to
//! clean up after a killed runner), and the slave's base directory. It may be killed at any moment.

mod account;
mod active;
mod before;
mod builder;
mod caches;
mod calls;
mod capped;
mod check;
mod choice;
mod clean;
mod databases;
mod environment;
mod event;
mod follow;
mod growing;
mod journal;
mod keep;
mod kept;
mod killed;
mod log;
mod mask;
mod options;
mod origin;
mod orphan;
mod outward;
mod past;
mod preview;
mod process;
mod recover;
mod replay;
mod result;
mod run;
mod runs;
mod save;
mod schedule;
mod session;
mod site;
mod source;
mod state;
mod step;

pub(crate) use account::with_rights_of;
pub use before::{Ended, history};
pub use caches::{Cache, remove_caches};
pub(crate) use calls::Call;
pub use clean::{Cleaned, Keep, Removed, Spared, clean};
pub use databases::{Database, databases, remove_databases};
pub use event::{Cause, Entry, Event, FORMAT, Planned, Stream};
pub use growing::GrowingLog;
pub use options::Options;
pub(crate) use orphan::{Adopting, adopt};
pub(crate) use outward::{Requests, Veil};
pub use past::{Past, read};
pub use preview::{Preview, Previewed, preview};
pub use recover::recover;
pub use replay::replay;
pub use result::{Attempt, BuilderResult, Followed, Outcome, RunResult, StepResult};
pub use run::run;
pub use runs::{JournalReader, Log, Logs, Progress, Recorded, builder, runs};
pub use site::{Site, StepUser};

pub use crate::group::ProcessId;
