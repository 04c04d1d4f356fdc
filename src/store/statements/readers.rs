//! The reading connections: made when first needed, lent out, and taken back only when their statement came to its end.
//!
//! Smaller than sqlx's pool, which asks each connection for a sign of life after every use.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Conn;
use crate::store::error::StoreError;

type Options = <Conn as Connection>::Options;

/// The connections that nobody uses just now, and how to make more.
pub(in crate::store) struct Readers {
    options: Options,
    free: Semaphore,
    idle: Mutex<Vec<Conn>>,
}

/// A connection lent out. Dropped without [`Lease::finish`], it is closed: its statement may still be running.
pub(in crate::store) struct Lease<'a> {
    readers: &'a Readers,
    connection: Conn,
    _permit: SemaphorePermit<'a>,
}

impl Readers {
    pub(super) fn new(limit: u32, options: Options) -> Self {
        let free = Semaphore::new(usize::try_from(limit).unwrap_or(1));
        Self { options, free, idle: Mutex::default() }
    }

    /// Waits for a connection.
    pub(in crate::store) async fn lease(&self) -> Result<Lease<'_>, StoreError> {
        let permit = self.free.acquire().await.map_err(|_| StoreError::Closed)?;
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(Lease { readers: self, connection, _permit: permit })
    }

    /// Lends no more, and closes what is idle.
    pub(in crate::store) async fn close(&self) {
        self.free.close();
        let idle = std::mem::take(&mut *self.idle());
        for connection in idle {
            connection.close().await.ok();
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Conn>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease<'_> {
    pub(in crate::store) fn connection(&mut self) -> &mut Conn {
        &mut self.connection
    }

    /// Gives the connection back, unless it may be broken.
    pub(in crate::store) fn finish<T>(self, found: Result<T, StoreError>) -> Result<T, StoreError> {
        if found.is_ok() && !self.readers.free.is_closed() {
            self.readers.idle().push(self.connection);
        }
        found
    }
}
