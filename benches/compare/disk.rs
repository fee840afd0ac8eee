//! The least that "on disk" costs: what several give at once is written to a file, with one `fdatasync` for all of them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use tokio::sync::{mpsc, oneshot};

/// Octets of the file. It is filled before, and written again from its begin, so that no write makes it longer.
const LENGTH: usize = 64 * 1024 * 1024;

/// What one caller gives, and whom to tell when it is on disk.
type Given = (Vec<u8>, oneshot::Sender<()>);

/// A file for mail of any number of callers, with a thread that writes it.
#[derive(Clone)]
pub struct Disk(mpsc::UnboundedSender<Given>);

impl Disk {
    /// Creates the file.
    pub fn create(path: &Path) -> Self {
        std::fs::write(path, vec![0; LENGTH]).expect("a file");
        let file = File::options().write(true).open(path).expect("it is there");
        file.sync_all().expect("a disk");
        let (sender, receiver) = mpsc::unbounded_channel();
        std::thread::spawn(move || write_all(&file, receiver));
        Self(sender)
    }

    /// Comes back when the mail is on disk.
    pub async fn store(&self, mail: Vec<u8>) {
        let (done, on_disk) = oneshot::channel();
        self.0.send((mail, done)).expect("the thread lives as long as the process");
        on_disk.await.expect("the thread lives as long as the process");
    }
}

fn write_all(file: &File, mut given: mpsc::UnboundedReceiver<Given>) {
    let mut place = 0;
    while let Some(first) = given.blocking_recv() {
        let mut next = Some(first);
        let mut waiting = Vec::new();
        while let Some((mail, done)) = next {
            if place + mail.len() > LENGTH {
                place = 0;
            }
            file.write_all_at(&mail, place as u64).expect("a disk");
            place += mail.len();
            waiting.push(done);
            next = given.try_recv().ok();
        }
        file.sync_data().expect("a disk");
        for done in waiting {
            // A caller that has gone away is no trouble here.
            let _ = done.send(());
        }
    }
}
