//! Tells whether a file may have changed, without reading it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// A file's metadata. Another stamp means that the content may have changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileStamp {
    place: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileStamp {
    pub fn new(metadata: &Metadata) -> Self {
        Self {
            place: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The file's stamp now; none where it cannot be seen.
    pub async fn of(path: &Path) -> Option<Self> {
        // Away from the threads that serve: the folder may lie on a disk of the network.
        tokio::fs::metadata(path).await.ok().map(|metadata| Self::new(&metadata))
    }
}
