//! The log of one process, as it is and as it grows. A start may set a long log aside and begin a new
//! one; what is followed is the log, not the file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::commands::fleet;
use crate::exit::{Exit, coded};
use crate::output::Output;

/// How often a followed log is checked.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);
/// How much of a log is shown.
const SHOWN_BYTES: u64 = 16 * 1024;
/// How much is read at once, and the longest line that is kept together.
const CHUNK_BYTES: usize = 64 * 1024;

pub(super) async fn logs(name: &str, follow: bool, out: &Output) -> Result<()> {
    let fleet = fleet()?;
    let known = fleet.environment().status();
    let Some(status) = known.iter().find(|status| status.name == name) else {
        let names: Vec<&str> = known.iter().map(|status| status.name.as_str()).collect();
        let none = anyhow!("no process is called {name}; there are: {}", names.join(", "));
        return Err(coded(Exit::Missing, none));
    };
    let path = Path::new(&status.log);
    let file = File::open(path);
    let mut log = Log::at_its_end(file.with_context(|| {
        format!("{name} has no log yet: it was never started; `flotilla local up` starts it")
    })?)?;
    if log.file.metadata()?.len() == 0 {
        out.aside(format_args!("the log of {name} is empty"));
    }
    if follow {
        out.end_with_reader();
    }
    loop {
        log.read(|line| show(line, out))?;
        if !follow {
            log.rest(|line| show(line, out));
            return Ok(());
        }
        tokio::time::sleep(FOLLOW_EVERY).await;
        if log.was_put_aside(path)? {
            // What was written to it meanwhile, then the new one from its beginning.
            log.read(|line| show(line, out))?;
            log.rest(|line| show(line, out));
            if let Ok(file) = File::open(path) {
                log = Log { file, line: Vec::new() };
            }
        }
    }
}

fn show(line: &[u8], out: &Output) {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_end();
    out.line(line.replace('\t', "    "));
    out.document(&line);
}

/// A file that is read line by line, with the line that is not complete yet.
struct Log {
    file: File,
    line: Vec<u8>,
}

impl Log {
    /// A line that is cut in half by starting late is not shown.
    fn at_its_end(mut file: File) -> Result<Self> {
        let start = file.metadata()?.len().saturating_sub(SHOWN_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut log = Log { file, line: Vec::new() };
        if start > 0 {
            let mut byte = [0];
            while log.file.read(&mut byte)? == 1 && byte != *b"\n" {}
        }
        Ok(log)
    }

    /// Every line up to the end of the file. A line without an end, or one too long, is given in parts.
    fn read(&mut self, mut each: impl FnMut(&[u8])) -> Result<()> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let length = self.file.read(&mut chunk)?;
            if length == 0 {
                return Ok(());
            }
            for part in chunk[..length].split_inclusive(|byte| *byte == b'\n') {
                self.line.extend_from_slice(part);
                if self.line.ends_with(b"\n") || self.line.len() >= CHUNK_BYTES {
                    each(&self.line);
                    self.line.clear();
                }
            }
        }
    }

    /// The last line, which will never be completed.
    fn rest(&mut self, mut each: impl FnMut(&[u8])) {
        if !self.line.is_empty() {
            each(&self.line);
            self.line.clear();
        }
    }

    /// Whether another file has taken its place by now, or it was emptied.
    fn was_put_aside(&mut self, path: &Path) -> Result<bool> {
        let (ours, position) = (self.file.metadata()?, self.file.stream_position()?);
        let Ok(now) = std::fs::metadata(path) else { return Ok(false) };
        Ok((now.dev(), now.ino()) != (ours.dev(), ours.ino()) || now.len() < position)
    }
}
