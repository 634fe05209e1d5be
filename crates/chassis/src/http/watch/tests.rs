use std::future::Future;

use tokio::time::timeout;

use super::*;

/// A row that counts its writes.
#[derive(sqlx::FromRow)]
struct Note {
    id: Uuid,
    version: i64,
}

impl Watched for Note {
    type Entry = i64;

    fn key(&self) -> Uuid {
        self.id
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn has_ended(&self) -> bool {
        self.version == 3
    }

    fn entry(&self, nth: usize) -> Option<(&'static str, i64)> {
        let nth = nth as i64;
        (nth < self.version).then_some(("written", nth))
    }

    async fn newer(db: &PgPool, keys: &[Uuid], versions: &[i64]) -> Result<Vec<Self>, sqlx::Error> {
        sqlx::query_as(
            "select n.* from unnest($1::uuid[], $2::bigint[]) as known (id, version) \
               join notes n on n.id = known.id and n.version > known.version",
        )
        .bind(keys)
        .bind(versions)
        .persistent(false)
        .fetch_all(db)
        .await
    }
}

struct Fixture {
    db: PgPool,
    changes: broadcast::Sender<Uuid>,
    hub: Arc<Hub<Note>>,
}

async fn fixture() -> Fixture {
    let servers = local::testing::servers().await.unwrap();
    let url = servers.fresh_database("watch").await.unwrap().owner_url;
    let db = PgPool::connect(&url).await.unwrap();
    let table = "create table notes (id uuid primary key, version bigint not null)";
    sqlx::raw_sql(table).execute(&db).await.unwrap();
    let (changes, _) = broadcast::channel(16);
    let sender = changes.clone();
    let hub = Hub::new(db.clone(), move || sender.subscribe());
    Fixture { db, changes, hub }
}

impl Fixture {
    async fn written(&self) -> Uuid {
        let id = Uuid::now_v7();
        let insert = sqlx::query("insert into notes values ($1, 1)").bind(id);
        insert.execute(&self.db).await.unwrap();
        id
    }

    async fn write_again(&self, id: Uuid) {
        let update = sqlx::query("update notes set version = version + 1 where id = $1").bind(id);
        update.execute(&self.db).await.unwrap();
    }
}

/// Fails instead of hanging.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), what).await.expect("nothing came for ten seconds")
}

#[tokio::test]
async fn a_step_of_this_replica_is_told() {
    let fixture = fixture().await;
    let id = fixture.written().await;
    let mut watcher = fixture.hub.watch(id).unwrap();
    assert_eq!(soon(watcher.first()).await.unwrap().version, 1);
    fixture.write_again(id).await;
    fixture.changes.send(id).unwrap();
    assert_eq!(soon(watcher.next()).await.version, 2);
}

#[tokio::test]
async fn a_step_of_another_replica_is_found() {
    let fixture = fixture().await;
    let id = fixture.written().await;
    let mut watcher = fixture.hub.watch(id).unwrap();
    soon(watcher.first()).await.unwrap();
    fixture.write_again(id).await;
    assert_eq!(soon(watcher.next()).await.version, 2);
}

#[tokio::test]
async fn whoever_joins_later_sees_the_row_as_it_is_then() {
    let fixture = fixture().await;
    let id = fixture.written().await;
    let mut early = fixture.hub.watch(id).unwrap();
    soon(early.first()).await.unwrap();
    fixture.write_again(id).await;
    let mut late = fixture.hub.watch(id).unwrap();
    assert_eq!(soon(late.first()).await.unwrap().version, 2);
}

#[tokio::test]
async fn a_row_that_does_not_exist_is_missing() {
    let fixture = fixture().await;
    let mut watcher = fixture.hub.watch(Uuid::now_v7()).unwrap();
    assert!(soon(watcher.first()).await.is_none());
}

#[tokio::test]
async fn the_hub_rests_when_nobody_watches_and_wakes_again() {
    let fixture = fixture().await;
    let id = fixture.written().await;
    for _ in 0..3 {
        let mut watcher = fixture.hub.watch(id).unwrap();
        soon(watcher.first()).await.unwrap();
        drop(watcher);
        soon(async {
            while fixture.hub.lock().running {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }
    assert!(fixture.hub.lock().watched.is_empty());
}

#[tokio::test]
async fn watchers_are_bounded() {
    let fixture = fixture().await;
    let id = Uuid::now_v7();
    let watchers: Vec<_> = (0..WATCHERS_MAX).map(|_| fixture.hub.watch(id).unwrap()).collect();
    assert!(fixture.hub.watch(id).is_err());
    drop(watchers);
    assert!(fixture.hub.watch(id).is_ok());
}
