//! Where requests go: the replicas that take callers now. A connection stays where it was opened, as it does behind a
//! Service of Kubernetes, so that what a replica does with its connections when it stops is seen.

use std::net::SocketAddr;
use std::sync::Mutex;

/// The replicas of one service.
#[derive(Debug)]
pub struct Targets {
    state: Mutex<State>,
    /// After this many requests a connection is opened anew, which is how a new replica gets its share.
    pub requests_of_a_connection: u32,
}

#[derive(Debug)]
struct State {
    ready: Vec<SocketAddr>,
    next: usize,
}

impl Targets {
    /// Replicas that stay what they are, and connections that are kept.
    pub fn fixed(ready: Vec<SocketAddr>) -> Self {
        Targets::renewed_after(u32::MAX, ready)
    }

    /// Replicas that may change.
    ///
    /// # Panics
    ///
    /// Without any.
    pub fn renewed_after(requests: u32, ready: Vec<SocketAddr>) -> Self {
        assert!(!ready.is_empty(), "somebody has to take the requests");
        let state = Mutex::new(State { ready, next: 0 });
        Targets { state, requests_of_a_connection: requests }
    }

    /// New connections go to these, from now on; to those before where there are none.
    pub fn set(&self, ready: Vec<SocketAddr>) {
        if !ready.is_empty() {
            self.state.lock().expect("no panic under this lock").ready = ready;
        }
    }

    /// Where the next connection goes: to each in turn.
    pub fn next(&self) -> SocketAddr {
        let mut state = self.state.lock().expect("no panic under this lock");
        state.next = state.next.wrapping_add(1);
        state.ready[state.next % state.ready.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn connections_go_to_each_replica_in_turn_and_never_to_nobody() {
        let targets = Targets::fixed(vec![address(1), address(2)]);
        let mut taken = [targets.next(), targets.next()];
        taken.sort();
        assert_eq!(taken, [address(1), address(2)]);
        targets.set(vec![address(3)]);
        targets.set(Vec::new());
        assert_eq!([targets.next(), targets.next()], [address(3); 2]);
    }
}
