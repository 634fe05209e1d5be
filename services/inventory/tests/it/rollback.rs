//! A former version of the service comes back to tables that a newer one has migrated, as after a rollback.

use sqlx::PgConnection;

use crate::tables::Tables;

/// Notes a migration that this build does not know as done.
async fn migrate_by_a_newer_version(db: &mut PgConnection) {
    for schema in ["flotilla", "public"] {
        let noted = format!(
            "insert into {schema}._sqlx_migrations \
             (version, description, success, checksum, execution_time) values (9999, 'newer', true, '', 0)"
        );
        sqlx::query(sqlx::AssertSqlSafe(noted)).execute(&mut *db).await.unwrap();
    }
}

#[tokio::test]
async fn tables_that_a_newer_version_has_migrated_are_left_as_they_are() {
    let tables = Tables::new().await;
    migrate_by_a_newer_version(&mut tables.connect().await).await;
    tables.migrate().await;
    let newest: i64 = sqlx::query_scalar("select max(version) from public._sqlx_migrations")
        .fetch_one(&tables.pool)
        .await
        .unwrap();
    assert_eq!(newest, 9999);
}
