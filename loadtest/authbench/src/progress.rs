//! Progress on stderr: a bar on a terminal, otherwise a line every few seconds.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use experiments::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use report::printable;

use crate::terminal;

/// The least time between two lines without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows the progress of an experiment.
pub(crate) struct StderrProgress {
    bar: ProgressBar,
    plain: bool,
    title: String,
    last_line: Option<Instant>,
}

impl StderrProgress {
    pub(crate) fn new() -> Self {
        let plain = !std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = "{prefix:>8} [{bar:30}] {pos}/{len} {elapsed}/{duration} {msg}";
        bar.set_style(ProgressStyle::with_template(style).expect("the template is valid").progress_chars("=> "));
        Self { bar, plain, title: String::new(), last_line: None }
    }
}

impl Progress for StderrProgress {
    fn begin(&mut self, title: &str, steps: u64) {
        title.clone_into(&mut self.title);
        self.last_line = None;
        self.bar.reset();
        self.bar.set_length(steps);
        self.bar.set_prefix(title.to_owned());
        self.bar.set_message("");
    }

    fn step(&mut self, what: &str) {
        let (done, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
        if self.plain && self.last_line.is_none_or(|last| last.elapsed() >= LINE_EVERY) {
            terminal::progress(&format!("{}: {done} of {all}, running {what}", self.title));
            self.last_line = Some(Instant::now());
        }
        self.bar.set_message(printable(what).into_owned());
        self.bar.inc(1);
    }

    fn end(&mut self) {
        if self.plain {
            let all = self.bar.length().unwrap_or(0);
            let took_s = self.bar.elapsed().as_secs_f64();
            terminal::progress(&format!("{}: {all} of {all}, done in {took_s:.0} s", self.title));
        }
        self.bar.finish_and_clear();
    }

    fn note(&mut self, text: &str) {
        self.bar.suspend(|| terminal::note(text));
    }
}
