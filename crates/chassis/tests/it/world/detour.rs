//! A second address of a server, closed until a test opens it: the server as if it were away.

use reqwest::Url;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::processes::free_port;

pub(crate) struct Detour {
    /// The server's URL with the detour's port.
    pub(crate) url: String,
    from: u16,
    to: u16,
}

impl Detour {
    pub(crate) fn to(server: &str) -> Self {
        let mut url: Url = server.parse().unwrap();
        let (from, to) = (free_port(), url.port().unwrap());
        url.set_port(Some(from)).unwrap();
        Detour { url: url.to_string().trim_end_matches('/').to_owned(), from, to }
    }

    /// Lets connections through for as long as the answer lives.
    pub(crate) async fn open(&self) -> JoinSet<()> {
        let listener = TcpListener::bind(("127.0.0.1", self.from)).await.unwrap();
        let to = self.to;
        let mut open = JoinSet::new();
        open.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let mut server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                // It ends when either side hangs up, in whatever way.
                connections
                    .spawn(async move { copy_bidirectional(&mut client, &mut server).await });
            }
        });
        open
    }
}
