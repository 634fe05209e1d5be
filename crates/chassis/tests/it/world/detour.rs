//! A second address of a server, closed until a test opens it: the server as if it were away, gone without a
//! word, or behind a proxy that knows no way to it.

use std::sync::Arc;

use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::processes::free_port;

pub(crate) struct Detour {
    /// The server's URL with the detour's port.
    pub(crate) url: String,
    from: u16,
    to: u16,
    silence: Arc<Notify>,
}

impl Detour {
    pub(crate) fn to(server: &str) -> Self {
        let mut url: Url = server.parse().unwrap();
        let (from, to) = (free_port(), url.port().unwrap());
        url.set_port(Some(from)).unwrap();
        Detour {
            url: url.to_string().trim_end_matches('/').to_owned(),
            from,
            to,
            silence: Arc::default(),
        }
    }

    /// From now on nothing comes through on the connections that there are, and neither side is told. New
    /// ones are let through.
    pub(crate) fn silence(&self) {
        self.silence.notify_waiters();
    }

    /// Answers each connection with this status and a page for people, for as long as the answer lives.
    pub(crate) async fn refuse(&self, status: &'static str) -> JoinSet<()> {
        let listener = self.listen().await;
        let mut open = JoinSet::new();
        open.spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut request = [0; 4096];
                if client.read(&mut request).await.is_err() {
                    continue;
                }
                let page = "<html><body>nginx</body></html>";
                let length = page.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {length}\r\n\
                     connection: close\r\n\r\n{page}"
                );
                // A client that hung up needs no answer.
                let _gone = client.write_all(answer.as_bytes()).await;
            }
        });
        open
    }

    async fn listen(&self) -> TcpListener {
        TcpListener::bind(("127.0.0.1", self.from)).await.unwrap()
    }

    /// Lets connections through for as long as the answer lives.
    pub(crate) async fn open(&self) -> JoinSet<()> {
        let listener = self.listen().await;
        let (to, silence) = (self.to, Arc::clone(&self.silence));
        let mut open = JoinSet::new();
        open.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let mut server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                let silence = Arc::clone(&silence);
                connections.spawn(async move {
                    tokio::select! {
                        // It ends when either side hangs up, in whatever way.
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        () = silence.notified() => std::future::pending().await,
                    }
                });
            }
        });
        open
    }
}
