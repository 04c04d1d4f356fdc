//! Statements about rows that failed.

use super::Conn;
use crate::domain::ids::LaneKey;
use crate::store::error::StoreError;

type Found<T> = Result<T, StoreError>;

pub(in crate::store) async fn reasons(conn: &mut Conn) -> Found<Vec<(String, i64)>> {
    const SQL: &str = "SELECT COALESCE(reason, ''), COUNT(*) FROM inbox WHERE state = 'failed'
        GROUP BY reason ORDER BY 2 DESC, 1";
    Ok(sqlx::query_as(SQL).fetch_all(conn).await?)
}

/// Makes failed rows from Instagram pending, and counts the try that failed. Returns the lane of each, and how many of them are no
/// history: those count among the pending.
pub(super) async fn retry(conn: &mut Conn) -> Found<(Vec<LaneKey>, i64)> {
    const SQL: &str = "UPDATE inbox SET state = 'pending', attempts = attempts + 1, retry_at = NULL, settled_at = NULL
        WHERE state = 'failed' AND origin <> 'matrix' RETURNING lane, id";
    let rows: Vec<(String, i64)> = sqlx::query_as(SQL).fetch_all(conn).await?;
    let count = rows.iter().filter(|(_, id)| *id > 0).count();
    let lanes = rows.into_iter().map(|(lane, _)| LaneKey::new(lane)).collect();
    Ok((lanes, i64::try_from(count).unwrap_or(i64::MAX)))
}

pub(super) async fn discard(conn: &mut Conn) -> Found<u64> {
    const SQL: &str = "UPDATE inbox SET state = 'done', payload = NULL WHERE state = 'failed'";
    Ok(sqlx::query(SQL).execute(conn).await?.rows_affected())
}
