//! What the commands say: for people, in colour only where that is wanted, or as JSON or YAML. The reader may go
//! away, and what is shown may come from strangers.

mod visible;
mod yaml;

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::process::{ExitCode, exit};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use crate::exit::{self, Exit};

pub(crate) use visible::visible;

/// The colours that a line may have.
const PAINTS: [&str; 4] = ["\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m"];

/// What an answer looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Lines for people
    Table,
    /// The same with more columns
    Wide,
    /// One document; where something is told as it happens, one on each line
    Json,
    /// A document for each item of a list, each on a line of its own
    Jsonl,
    /// One document; where something is told as it happens, one after the other
    Yaml,
}

/// Where and how to answer.
pub(crate) struct Output {
    format: Format,
    colour: bool,
    error_colour: bool,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        // By https://no-color.org an empty variable means nothing.
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_able =
            std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        let wanted = is_able && !no_colour && is_for_people(format);
        Output {
            format,
            colour: wanted && stdout().is_terminal(),
            error_colour: wanted && stderr().is_terminal(),
        }
    }

    /// Whether programs are answered.
    pub(crate) fn is_for_programs(&self) -> bool {
        !is_for_people(self.format)
    }

    /// One line for people; nothing for programs. Whatever is in it, it stays one line, and nothing in it
    /// moves a cursor.
    pub(crate) fn line(&self, text: impl Display) {
        if is_for_people(self.format) {
            let paints = if self.colour { &PAINTS[..] } else { &[] };
            write(&format!("{}\n", visible(&text.to_string(), paints)));
        }
    }

    /// Whether people asked for more columns.
    pub(crate) fn is_wide(&self) -> bool {
        self.format == Format::Wide
    }

    /// A document for programs; nothing for people.
    pub(crate) fn document(&self, document: &impl Serialize) {
        let text = || serde_json::to_string(document).expect("answers are plain data");
        match self.format {
            Format::Table | Format::Wide => {}
            Format::Json | Format::Jsonl => write(&format!("{}\n", text())),
            Format::Yaml => {
                let value = serde_json::to_value(document).expect("answers are plain data");
                write(&yaml::document(&value));
            }
        }
    }

    /// A document that is a list, by the name under which it has its items.
    pub(crate) fn list(&self, name: &str, document: &Value) {
        match (self.format, document[name].as_array()) {
            (Format::Jsonl, Some(items)) => items.iter().for_each(|item| self.document(item)),
            _whole => self.document(document),
        }
    }

    /// A headline, with an empty line before it.
    pub(crate) fn title(&self, text: impl Display) {
        self.line("");
        self.line(self.bold(text));
    }

    pub(crate) fn bold(&self, text: impl Display) -> String {
        paint(self.colour, "1", &text)
    }

    /// To be painted after padding to a column, if any: colour codes have a width of their own.
    pub(crate) fn good(&self, text: impl Display) -> String {
        paint(self.colour, "32", &text)
    }

    /// The same for what is not as it should be.
    pub(crate) fn bad(&self, text: impl Display) -> String {
        paint(self.colour, "31", &text)
    }

    /// Progress goes to stderr, so that it never mixes with an answer.
    pub(crate) fn progress(&self) -> impl Fn(&str, Option<Duration>) + Sync + use<> {
        let quiet = !is_for_people(self.format);
        move |step: &str, took: Option<Duration>| {
            if !quiet {
                let line = match took {
                    None => format!("  {step} ..."),
                    Some(took) => format!("  {step}: {:.1} s", took.as_secs_f64()),
                };
                say_aside(&line);
            }
        }
    }

    /// What is neither an answer nor an error, for people.
    pub(crate) fn aside(&self, text: impl Display) {
        if is_for_people(self.format) {
            say_aside(&visible(&text.to_string(), &[]));
        }
    }

    /// Why a command failed, with its causes. Its line breaks are ours: they come from logs, which have many lines.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let text = format!("{error:#}");
        let lines: Vec<String> = text.lines().map(|line| visible(line, &[])).collect();
        say_aside(&match is_for_people(self.format) {
            false => {
                let code = exit::of(error) as u8;
                serde_json::json!({ "error": text, "code": code }).to_string()
            }
            true => {
                format!("{} {}", paint(self.error_colour, "31", &"flotilla:"), lines.join("\n"))
            }
        });
    }

    /// What the parser has to say: help, or what is wrong with the command line.
    pub(crate) fn parsed(&self, said: &clap::Error) -> ExitCode {
        let code = ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(u8::MAX));
        if said.use_stderr() {
            // A closed terminal changes nothing about the code.
            let _closed = said.print();
        } else {
            let text = said.render();
            write(&if self.colour { text.ansi().to_string() } else { text.to_string() });
        }
        code
    }

    /// Text as it is, such as a script.
    pub(crate) fn raw(&self, text: &str) {
        write(text);
    }

    /// Ends the program when the reader of its answer goes away, even while there is nothing to say. For
    /// commands without an end: `| head` has seen enough long before the next event.
    pub(crate) fn end_with_reader(&self) {
        OUTLIVES_READER.store(false, Relaxed);
        std::thread::spawn(|| {
            use rustix::event::{PollFd, PollFlags, poll};
            let stdout = stdout();
            loop {
                let mut asked = [PollFd::new(&stdout, PollFlags::empty())];
                let told = poll(&mut asked, None);
                if told.is_ok() && asked[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
                    exit(0);
                }
                // If polling fails, writing will show.
                if told != Err(rustix::io::Errno::INTR) {
                    return;
                }
            }
        });
    }
}

fn is_for_people(format: Format) -> bool {
    matches!(format, Format::Table | Format::Wide)
}

fn paint(colour: bool, code: &str, text: &impl Display) -> String {
    match colour {
        true => format!("\x1b[{code}m{}\x1b[0m", visible(&text.to_string(), &[])),
        false => text.to_string(),
    }
}

/// Whether something is being changed, which does not end in the middle for want of a reader.
static OUTLIVES_READER: AtomicBool = AtomicBool::new(false);
/// Whether a part of the answer is lost.
static IS_CUT: AtomicBool = AtomicBool::new(false);

/// From now on the command goes on to its end, whoever reads what it says: it changes something.
pub(crate) fn outlive_reader() {
    OUTLIVES_READER.store(true, Relaxed);
}

/// What the program ends with, if all else is well.
pub(crate) fn ended(code: ExitCode) -> ExitCode {
    if IS_CUT.load(Relaxed) { Exit::No.into() } else { code }
}

/// An answer that cannot be written ends the program, unless it changes something. A reader who has seen enough
/// (`| head`) is not an error; a full disk is, or a script would go on with half an answer.
fn write(text: &str) {
    let mut out = stdout().lock();
    let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) else { return };
    let is_gone = error.kind() == ErrorKind::BrokenPipe;
    if !is_gone && !IS_CUT.swap(true, Relaxed) {
        say_aside(&format!("flotilla: the answer cannot be written: {error}"));
    }
    if !OUTLIVES_READER.load(Relaxed) {
        exit(if is_gone { 0 } else { Exit::No as i32 });
    }
}

/// A closed terminal is no reason to stop.
fn say_aside(text: &str) {
    let _closed = writeln!(stderr(), "{text}");
}
