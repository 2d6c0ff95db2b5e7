//! Who may be connected: so many in all, and of them so many from one address.
//!
//! When there is no room, the connection that has waited longest for the head of its next request makes some: a
//! client that sends none, or one byte after the other, keeps nobody out. Who is being answered stays.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainstay_core::error::{Coded, ErrorCode};
use thiserror::Error;
use tokio::sync::Notify;

use super::HttpLimits;

/// Why a connection is not served: all that there are are being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Full {
    /// Those of this address.
    #[error(
        "your address has as many connections under way as one may have; use fewer at once, or start the server \
         with a higher --connections-per-address"
    )]
    Address,
    /// Those of everybody.
    #[error("the server has as many connections under way as it takes; try again in a moment")]
    Server,
}

impl Coded for Full {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Address => ErrorCode::RateLimited,
            Self::Server => ErrorCode::Unavailable,
        }
    }
}

/// Whom connections are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Peer {
    /// This machine, by whichever of its addresses.
    Here,
    /// An address; of IPv6 the 64 bits that name a network, in which a client has all addresses.
    There(IpAddr),
}

impl Peer {
    fn of(address: IpAddr) -> Self {
        let address = address.to_canonical();
        match address {
            _ if address.is_loopback() => Self::Here,
            IpAddr::V4(_) => Self::There(address),
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64 << 64;
                Self::There(IpAddr::V6(Ipv6Addr::from(network)))
            }
        }
    }
}

/// A connection, as the doors and whoever drives it see it.
#[derive(Debug)]
pub(super) struct Line {
    id: u64,
    peer: Peer,
    /// Since when it waits for a head, as the number of a ticket; 0 while a request of it is being answered.
    waits_since: AtomicU64,
    /// It is to make room.
    leave: Notify,
    /// The body of its request came too slowly.
    too_slow: AtomicBool,
}

impl Line {
    /// A request is being answered.
    pub(super) fn begin(&self) {
        self.waits_since.store(0, Ordering::Relaxed);
    }

    /// Whether it waits for a head.
    pub(super) fn is_waiting(&self) -> bool {
        self.waits_since.load(Ordering::Relaxed) != 0
    }

    /// Resolves once the connection is to make room.
    pub(super) async fn told_to_leave(&self) {
        self.leave.notified().await;
    }

    /// Notes that the body of its request came too slowly.
    pub(super) fn set_too_slow(&self) {
        self.too_slow.store(true, Ordering::Relaxed);
    }

    /// Whether the body of its request came too slowly.
    pub(super) fn is_too_slow(&self) -> bool {
        self.too_slow.load(Ordering::Relaxed)
    }
}

/// Keeps count.
#[derive(Debug)]
pub(super) struct Doors {
    most: usize,
    most_here: usize,
    most_of_one: usize,
    tickets: AtomicU64,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    lines: HashMap<u64, Arc<Line>>,
    peers: HashMap<Peer, usize>,
}

impl Open {
    fn remove(&mut self, line: &Line) {
        if self.lines.remove(&line.id).is_none() {
            return;
        }
        if let Some(count) = self.peers.get_mut(&line.peer) {
            *count -= 1;
            if *count == 0 {
                self.peers.remove(&line.peer);
            }
        }
    }

    /// Turns out the connection that has waited longest, if one waits.
    fn make_room(&mut self, of: Option<Peer>) -> bool {
        let of_peer = self.lines.values().filter(|line| of.is_none_or(|peer| line.peer == peer));
        let waiting = of_peer.filter(|line| line.is_waiting());
        let oldest = waiting.min_by_key(|line| line.waits_since.load(Ordering::Relaxed)).cloned();
        let Some(oldest) = oldest else { return false };
        self.remove(&oldest);
        oldest.leave.notify_one();
        true
    }
}

impl Doors {
    pub(super) fn new(limits: &HttpLimits) -> Self {
        Self {
            most: limits.connections,
            most_here: limits.from_here,
            most_of_one: limits.from_one_address,
            tickets: AtomicU64::new(1),
            open: Mutex::default(),
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ticket(&self) -> u64 {
        self.tickets.fetch_add(1, Ordering::Relaxed)
    }

    /// Lets a connection in; it counts until the guest is dropped, or made room.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Guest, Full> {
        let peer = Peer::of(address);
        let share = if peer == Peer::Here { self.most_here } else { self.most_of_one };
        let mut open = self.open();
        if open.peers.get(&peer).is_some_and(|count| *count >= share) && !open.make_room(Some(peer)) {
            return Err(Full::Address);
        }
        if open.lines.len() >= self.most && !open.make_room(None) {
            return Err(Full::Server);
        }
        let id = self.ticket();
        let line = Arc::new(Line {
            id,
            peer,
            waits_since: AtomicU64::new(id),
            leave: Notify::new(),
            too_slow: AtomicBool::new(false),
        });
        open.lines.insert(id, Arc::clone(&line));
        *open.peers.entry(peer).or_default() += 1;
        drop(open);
        Ok(Guest { doors: Arc::clone(self), line })
    }

    /// Turns out the connection that has waited longest: the process has no room for another one.
    pub(super) fn make_room(&self) {
        self.open().make_room(None);
    }
}

/// A connection that was let in.
#[derive(Debug)]
pub(super) struct Guest {
    doors: Arc<Doors>,
    line: Arc<Line>,
}

impl Guest {
    /// The connection.
    pub(super) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// A request is answered: from here on it waits for the next head.
    pub(super) fn wait(&self) {
        self.line.waits_since.store(self.doors.ticket(), Ordering::Relaxed);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.doors.open().remove(&self.line);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn doors(connections: usize, from_here: usize, from_one_address: usize) -> Arc<Doors> {
        let limits = HttpLimits { connections, from_here, from_one_address, ..HttpLimits::default() };
        Arc::new(Doors::new(&limits))
    }

    fn far(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
    }

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn who_waits_longest_makes_room_and_who_is_answered_stays() {
        let doors = doors(10, 10, 2);
        let (first, second) = (doors.admit(far(1)).unwrap(), doors.admit(far(1)).unwrap());
        first.line().begin();
        let third = doors.admit(far(1)).unwrap();
        assert_eq!(doors.open().lines.len(), 2, "the second made room");
        third.line().begin();
        assert_eq!(doors.admit(far(1)).unwrap_err(), Full::Address);
        doors.admit(far(2)).unwrap();
        drop((second, first));
        assert_eq!(doors.open().peers[&Peer::There(far(1))], 1, "the second was counted out once");
        third.wait();
        doors.admit(far(1)).unwrap();
        drop(third);
        assert!(doors.open().peers.is_empty() && doors.open().lines.is_empty());
    }

    #[test]
    fn all_together_are_bounded_and_this_machine_has_a_share_of_its_own() {
        let doors = doors(3, 2, 1);
        let here = [doors.admit(HERE).unwrap(), doors.admit("::1".parse().unwrap()).unwrap()];
        for guest in &here {
            guest.line().begin();
        }
        assert_eq!(doors.admit("127.9.9.9".parse().unwrap()).unwrap_err(), Full::Address);
        let far_away = doors.admit(far(1)).unwrap();
        far_away.line().begin();
        assert_eq!(doors.admit(far(2)).unwrap_err(), Full::Server);
        far_away.wait();
        let other = doors.admit(far(2)).unwrap();
        assert_eq!(doors.open().lines.len(), 3);
        drop((other, far_away));
        assert_eq!(doors.open().lines.len(), 2);
        doors.make_room();
        assert_eq!(doors.open().lines.len(), 2, "nobody waits");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let of = |text: &str| Peer::of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
