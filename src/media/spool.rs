//! A file in a temporary place, removed when nobody needs it any more.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tempfile::{NamedTempFile, TempPath};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};
use tokio_util::io::ReaderStream;

/// Bytes at the start of a file that tell what it is.
const HEAD: usize = 4096;
/// No file is on its way for so long.
const OLD: Duration = Duration::from_secs(24 * 3600);
/// Bytes read at once when a file is sent on.
const CHUNK: usize = 64 << 10;

/// A file on its way.
#[derive(Debug)]
pub struct Spooled {
    path: TempPath,
    size: u64,
    head: Vec<u8>,
}

/// Why a file did not come.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError<E> {
    /// The source broke off.
    #[error(transparent)]
    Source(E),
    /// It is empty.
    #[error("the file is empty")]
    Empty,
    /// The disk does not take it.
    #[error("the temporary directory does not take the file: {0}")]
    Disk(io::Error),
}

impl Spooled {
    /// Writes what comes to disk. How much may come is the source's business.
    pub async fn collect<E>(
        directory: &Path,
        source: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<Self, SpoolError<E>> {
        let mut source = pin!(source);
        let path = empty_file(directory).map_err(SpoolError::Disk)?;
        let mut file = BufWriter::new(File::create(&path).await.map_err(SpoolError::Disk)?);
        let (mut size, mut head) = (0, Vec::new());
        while let Some(chunk) = source.next().await {
            let chunk = chunk.map_err(SpoolError::Source)?;
            size += chunk.len() as u64;
            let missing = HEAD.saturating_sub(head.len()).min(chunk.len());
            head.extend_from_slice(&chunk[..missing]);
            file.write_all(&chunk).await.map_err(SpoolError::Disk)?;
        }
        file.flush().await.map_err(SpoolError::Disk)?;
        if size == 0 {
            return Err(SpoolError::Empty);
        }
        Ok(Self { path, size, head })
    }

    /// Takes over a file that something else has written.
    pub async fn adopt(path: TempPath) -> io::Result<Self> {
        let mut head = Vec::with_capacity(HEAD);
        let file = File::open(&path).await?;
        let size = file.metadata().await?.len();
        file.take(HEAD as u64).read_to_end(&mut head).await?;
        Ok(Self { path, size, head })
    }

    /// Puts bytes that were made here to disk.
    pub async fn write(directory: &Path, bytes: &[u8]) -> io::Result<Self> {
        let path = empty_file(directory)?;
        tokio::fs::write(&path, bytes).await?;
        Self::adopt(path).await
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its first bytes.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The bytes from a place on, piece by piece.
    pub async fn stream(&self, offset: u64) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + 'static> {
        let mut file = File::open(&self.path).await?;
        tokio::io::AsyncSeekExt::seek(&mut file, io::SeekFrom::Start(offset)).await?;
        Ok(ReaderStream::with_capacity(file, CHUNK))
    }
}

/// An empty file that is removed with its handle.
pub(super) fn empty_file(directory: &Path) -> io::Result<TempPath> {
    NamedTempFile::with_prefix_in("puppetgram-media-", directory).map(NamedTempFile::into_temp_path)
}

/// Removes what earlier processes left behind when they were killed. Others may use the same directory: only what is old.
pub fn sweep(directory: &Path) {
    let is_old = |entry: &std::fs::DirEntry| {
        let changed = entry.metadata().and_then(|metadata| metadata.modified()).ok();
        changed.and_then(|changed| changed.elapsed().ok()).is_some_and(|age| age > OLD)
    };
    let left: Vec<PathBuf> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("puppetgram-media-"))
        .filter(is_old)
        .map(|entry| entry.path())
        .collect();
    for path in left {
        std::fs::remove_file(path).ok();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn a_file_comes_back_as_it_came_and_is_gone_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let chunks = [Ok::<_, ()>(Bytes::from(vec![7; 5000])), Ok(Bytes::from_static(b"end"))];
        let spooled = Spooled::collect(directory.path(), stream::iter(chunks)).await.unwrap();
        assert_eq!((spooled.size(), spooled.head().len()), (5003, HEAD));
        let rest: Vec<_> = spooled.stream(5000).await.unwrap().collect().await;
        assert_eq!(rest[0].as_ref().unwrap().as_ref(), b"end");
        let path = spooled.path().to_owned();
        drop(spooled);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn an_empty_file_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let empty = Spooled::collect(directory.path(), stream::empty::<Result<Bytes, ()>>()).await;
        assert!(matches!(empty, Err(SpoolError::Empty)));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
