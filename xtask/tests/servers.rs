//! The test servers themselves: they answer, and nothing of them is left afterwards.

use sqlx::Connection as _;
use xtask::servers::Postgres;

#[tokio::test]
async fn postgresql_answers_and_is_gone_when_dropped() {
    if std::env::var_os("PUPPETGRAM_PYTHON").is_none() {
        assert!(std::env::var_os("PUPPETGRAM_REQUIRE_SERVERS").is_none(), "PUPPETGRAM_PYTHON is not set");
        eprintln!("SKIPPED: PostgreSQL: run `cargo xtask test`");
        return;
    }
    let postgres = Postgres::start().await.unwrap();
    let mut connection = sqlx::PgConnection::connect(&postgres.url("postgres")).await.unwrap();
    sqlx::query("CREATE DATABASE other").execute(&mut connection).await.unwrap();
    let mut other = sqlx::PgConnection::connect(&postgres.url("other")).await.unwrap();
    let (one,): (i32,) = sqlx::query_as("SELECT 1").fetch_one(&mut other).await.unwrap();
    assert_eq!(one, 1);
    let url = postgres.url("postgres");
    drop(postgres);
    assert!(sqlx::PgConnection::connect(&url).await.is_err());
}
