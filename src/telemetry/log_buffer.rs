//! Gathers the lines of the log for some milliseconds, and writes them with one system call.
//!
//! A busy service logs a line for each request, and a system call for each line would be a twentieth of what a request costs.
//! A line of level WARN or ERROR is written at once, with those before it, and so is the line of a panic. What still waits is
//! written when the process ends; only one that is killed loses it.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Octets that may wait. The line that would be beyond them is written at once, with those before it.
const MAX_WAITING: usize = 64 * 1024;

/// Where the log's lines go. Clones share it.
#[derive(Clone)]
pub(super) struct LogBuffer {
    shared: Arc<Shared>,
}

struct Shared {
    waiting: Mutex<Vec<u8>>,
    /// Told when the first line waits.
    begins: Condvar,
    /// Taken before `waiting`, so that lines are written in their order.
    output: Mutex<Output>,
    delay: Duration,
}

struct Output {
    to: Box<dyn Write + Send>,
    /// Its memory is used again.
    lines: Vec<u8>,
}

impl LogBuffer {
    /// Writes lines to `output` after `delay` at the latest; with zero, each at once.
    ///
    /// # Errors
    /// The system's, where it has no thread.
    pub fn start(output: impl Write + Send + 'static, delay: Duration) -> io::Result<Self> {
        let output = Mutex::new(Output { to: Box::new(output), lines: Vec::new() });
        let shared = Arc::new(Shared { waiting: Mutex::default(), begins: Condvar::new(), output, delay });
        if !delay.is_zero() {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_in_turn())?;
        }
        Ok(Self { shared })
    }

    /// Writes all that waits.
    pub fn flush(&self) {
        self.shared.flush();
    }
}

impl Shared {
    fn write_in_turn(&self) {
        loop {
            let waiting = lock(&self.waiting);
            drop(
                self.begins
                    .wait_while(waiting, |waiting| waiting.is_empty())
                    .unwrap_or_else(PoisonError::into_inner),
            );
            thread::sleep(self.delay);
            self.flush();
        }
    }

    fn append(&self, line: &[u8], is_urgent: bool) {
        let mut waiting = lock(&self.waiting);
        let is_first = waiting.is_empty();
        waiting.extend_from_slice(line);
        let is_due = is_urgent || self.delay.is_zero() || waiting.len() > MAX_WAITING;
        drop(waiting);
        if is_due {
            self.flush();
        } else if is_first {
            self.begins.notify_one();
        }
    }

    fn flush(&self) {
        let mut output = lock(&self.output);
        let Output { to, lines } = &mut *output;
        mem::swap(lines, &mut lock(&self.waiting));
        // There is nowhere to tell that the log cannot be written.
        let _ = to.write_all(lines).and_then(|()| to.flush());
        lines.clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes one event's line.
pub(super) struct LineWriter<'a> {
    shared: &'a Shared,
    is_urgent: bool,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.shared.append(line, self.is_urgent);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogBuffer {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter { shared: &self.shared, is_urgent: true }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        LineWriter { shared: &self.shared, is_urgent: *metadata.level() <= Level::WARN }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, Sender};

    use super::*;

    /// No test waits so long.
    const NEVER: Duration = Duration::from_hours(1);

    /// Gives what each system call would write.
    struct Calls(Sender<String>);

    impl Write for Calls {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8_lossy(octets).into_owned()).map_err(io::Error::other)?;
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn buffer(delay: Duration) -> (LogBuffer, Receiver<String>) {
        let (calls, written) = mpsc::channel();
        (LogBuffer::start(Calls(calls), delay).expect("a thread"), written)
    }

    fn log(buffer: &LogBuffer, write: impl FnOnce()) {
        let layer = tracing_subscriber::fmt().with_writer(buffer.clone()).without_time().with_target(false);
        tracing::subscriber::with_default(layer.with_ansi(false).finish(), write);
    }

    #[test]
    fn lines_wait_and_are_written_together_in_their_order() {
        let (buffer, written) = buffer(NEVER);
        log(&buffer, || {
            tracing::info!("one");
            tracing::info!("two");
        });
        assert!(written.try_recv().is_err());
        buffer.flush();
        assert_eq!(written.try_recv().as_deref(), Ok(" INFO one\n INFO two\n"));
        assert!(written.try_recv().is_err());
    }

    #[test]
    fn a_warning_and_an_error_are_written_at_once_with_the_lines_before_them() {
        let (buffer, written) = buffer(NEVER);
        log(&buffer, || {
            tracing::info!("one");
            tracing::warn!("two");
            assert_eq!(written.try_recv().as_deref(), Ok(" INFO one\n WARN two\n"));
            tracing::error!("three");
            assert_eq!(written.try_recv().as_deref(), Ok("ERROR three\n"));
        });
    }

    #[test]
    fn lines_are_written_after_the_delay_each_time() {
        let (buffer, written) = buffer(Duration::from_millis(1));
        for number in 0..3 {
            log(&buffer, || tracing::info!("{number}"));
            assert_eq!(written.recv(), Ok(format!(" INFO {number}\n")));
        }
    }

    #[test]
    fn without_a_delay_each_line_is_written_at_once() {
        let (buffer, written) = buffer(Duration::ZERO);
        log(&buffer, || tracing::info!("one"));
        assert_eq!(written.try_recv().as_deref(), Ok(" INFO one\n"));
    }

    #[test]
    fn no_more_waits_than_its_bound() {
        let (buffer, written) = buffer(NEVER);
        let line = "x".repeat(MAX_WAITING / 4);
        log(&buffer, || {
            for _ in 0..4 {
                tracing::info!("{line}");
            }
        });
        assert!(written.try_recv().is_ok_and(|lines| lines.len() > MAX_WAITING));
        assert!(lock(&buffer.shared.waiting).is_empty());
    }
}
