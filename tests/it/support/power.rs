//! Takes the power from a service under load, at a moment of its journal, and looks at what is left.

use super::database::{Database, Engine};
use super::disk::Disk;
use super::journal::{Journal, Kind, Marks, Record, read_mark};
use super::ledger::{Ledger, Told};
use super::load::{Writer, check};
use super::process::{Process, unlimited};
use super::random::Random;
use super::smtp_server::SmtpServer;

/// Every writer writes so many operations, at the same time, and marks them in the journal.
pub async fn write(
    process: &Process,
    server: &SmtpServer,
    writers: &mut [Writer],
    journal: &Journal,
    each: usize,
) {
    let (address, port) = (process.address, server.port());
    let writing = writers.iter_mut().enumerate().map(|(number, writer)| async move {
        writer.write(address, port, each, &Marks { journal, writer: number }).await;
    });
    let mut writing: Vec<_> = writing.map(Box::pin).collect();
    // All are polled by this one task.
    std::future::poll_fn(|context| {
        writing.retain_mut(|writing| writing.as_mut().poll(context).is_pending());
        if writing.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

/// A run that has ended.
pub struct Power {
    /// As it was before the run.
    pub disk: Disk,
    /// How many of the records the disk has seen.
    pub applied: usize,
    pub records: Vec<Record>,
    /// What the tenants of each writer knew before the run.
    pub start: Vec<Vec<Ledger>>,
    pub writers: Vec<Writer>,
}

impl Power {
    /// A moment from the `first` record on; half of the time the worst of all: just when a client was told that its
    /// write is safe.
    pub fn moment(&self, random: &mut Random, first: usize) -> usize {
        let told = |record: &Record| record.kind == Kind::Mark && read_mark(record).2 == Some(Told::Done);
        let worst: Vec<_> = (first..self.records.len()).filter(|place| told(&self.records[*place])).collect();
        if random.coin() && !worst.is_empty() {
            random.pick(&worst) + 1
        } else {
            first + random.below(self.records.len() + 1 - first)
        }
    }

    /// Loses the power when so many records were written, and starts the service on what is left, without any help.
    /// The moments must not go back.
    pub async fn cut(
        &mut self,
        moment: usize,
        random: &mut Random,
        server: &SmtpServer,
    ) -> Result<(Database, Vec<Vec<Ledger>>), String> {
        self.records[self.applied..moment].iter().for_each(|record| self.disk.apply(record));
        self.applied = moment;
        let image = Database::create(Engine::Sqlite).await;
        self.disk.lose_power(random, image.file().parent().expect("a folder"));
        let mut ledgers = self.told_by(moment);
        let process = Process::try_serve(&unlimited(&image))?;
        check(&process, &image, server, ledgers.iter_mut().flatten()).await?;
        let found = image.query("pragma integrity_check").await;
        process.kill();
        if found == [[Some("ok".to_owned())]] { Ok((image, ledgers)) } else { Err(format!("{found:?}")) }
    }

    /// What the tenants had been told by then.
    fn told_by(&self, moment: usize) -> Vec<Vec<Ledger>> {
        let mut ledgers = self.start.clone();
        let mut under_way = vec![None; self.writers.len()];
        for record in self.records[..moment].iter().filter(|record| record.kind == Kind::Mark) {
            let (writer, operation, told) = read_mark(record);
            let (tenant, op) = &self.writers[writer].history[operation];
            match told {
                None => under_way[writer] = Some((*tenant, op)),
                Some(told) => {
                    under_way[writer] = None;
                    ledgers[writer][*tenant].answered(op, told);
                }
            }
        }
        for (writer, under_way) in under_way.into_iter().enumerate() {
            if let Some((tenant, op)) = under_way {
                ledgers[writer][tenant].begin(op);
            }
        }
        ledgers
    }
}
