//! The credential ledger: which credentials are valid, which are revoked, and since when.

use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::LogoutScope;
use contract::body::MintedCredential;
use driver::{Credentials, Node};
use engine::record::OutageFault;
use lab::http::Client;
use lab::server::Server;

use super::testbed::{KILLED_NODE, NODES, SchemeNodes};
use crate::run_context::{ExperimentError, RunConfig};

/// One of this number of credentials is revoked before the load.
const REVOKED_BEFORE_FAULT_EVERY: usize = 3;
/// One of this number is to be revoked during the fault.
const REVOKED_DURING_FAULT_EVERY: usize = 15;
/// The time limit of a logout.
const LOGOUT_TIMEOUT: Duration = Duration::from_secs(3);
/// A longer window is not waited for.
const MAX_WINDOW: Duration = Duration::from_secs(5);
/// Added to the window, so that rounding does not matter.
const WINDOW_MARGIN: Duration = Duration::from_millis(50);

/// When the revocation of a credential was requested, and when it was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Revocation {
    pub(super) requested_at: Instant,
    pub(super) acknowledged_at: Option<Instant>,
}

/// The credentials of a scheme.
pub(super) struct CredentialLedger {
    /// One set that all nodes know, or one per node.
    sets: Vec<CredentialSet>,
    /// How long a revoked credential may still be accepted.
    pub(super) window: Duration,
    pub(super) requested_during: u32,
    pub(super) acknowledged_during: u32,
    /// One client per node.
    clients: Vec<Client>,
    /// Whether a logout revokes anything at the server.
    can_revoke: bool,
}

struct CredentialSet {
    minted: Vec<MintedCredential>,
    revocations: Vec<Option<Revocation>>,
}

impl CredentialLedger {
    /// Mints credentials, and revokes some if the scheme supports it.
    pub(super) fn issue(config: &RunConfig, nodes: &SchemeNodes, population: u32) -> Result<Self, ExperimentError> {
        let minting = if nodes.sticky() { NODES } else { 1 };
        let mut sets = Vec::new();
        for server in &nodes.servers[..minting] {
            let minted = server.client().mint(population, 0)?;
            sets.push(CredentialSet { revocations: vec![None; minted.len()], minted });
        }
        let window_s = nodes.servers[0].descriptor().revocation_window_s.unwrap_or(0);
        let mut ledger = Self {
            sets,
            window: Duration::from_secs(window_s),
            requested_during: 0,
            acknowledged_during: 0,
            clients: nodes.servers.iter().map(Server::client).collect(),
            can_revoke: matches!(nodes.scheme.logout(), Some(LogoutScope::Credential | LogoutScope::User)),
        };
        for (node, number) in
            ledger.each(|number| number % REVOKED_BEFORE_FAULT_EVERY == REVOKED_BEFORE_FAULT_EVERY - 1)
        {
            config.check_can_continue()?;
            let status = ledger.revoke(node, number);
            if status != Some(204) {
                return Err(ExperimentError::Logout { scheme: nodes.scheme, status: status.unwrap_or(0) });
            }
        }
        Ok(ledger)
    }

    /// Returns the end of the window of all revocations so far, if it is short enough to be waited for.
    pub(super) fn windows_end(&self) -> Option<Instant> {
        let revocations = self.sets.iter().flat_map(|set| &set.revocations).flatten();
        let last = revocations.filter_map(|revocation| revocation.acknowledged_at).max()?;
        (self.window <= MAX_WINDOW).then(|| last + self.window + WINDOW_MARGIN)
    }

    /// Revokes some more credentials at running nodes, as long as the fault lasts.
    pub(super) fn revoke_some(&mut self, fault: OutageFault, until: Instant) {
        let sticky = self.is_sticky();
        let is_killed = |node: usize| fault == OutageFault::NodeKilled && node == KILLED_NODE;
        for (node, number) in self.each(|number| number % REVOKED_DURING_FAULT_EVERY == 0) {
            // If all nodes know the credential, another node can revoke it.
            let node = if is_killed(node) && !sticky { KILLED_NODE + 1 } else { node };
            if is_killed(node) || Instant::now() >= until {
                continue;
            }
            self.requested_during += 1;
            self.acknowledged_during += u32::from(self.revoke(node, number) == Some(204));
        }
    }

    /// Returns whether each node knows only its own credentials.
    const fn is_sticky(&self) -> bool {
        self.sets.len() > 1
    }

    /// Returns the node and the number of each credential that matches; none if nothing can be revoked.
    fn each(&self, selects: impl Fn(usize) -> bool) -> Vec<(usize, usize)> {
        if !self.can_revoke {
            return Vec::new();
        }
        let of_set = |(node, set): (usize, &CredentialSet)| {
            let numbers = (0..set.minted.len()).filter(|number| selects(*number));
            let sticky = self.is_sticky();
            numbers.enumerate().map(move |(turn, number)| (if sticky { node } else { turn % NODES }, number)).collect()
        };
        self.sets.iter().enumerate().flat_map(|set| -> Vec<(usize, usize)> { of_set(set) }).collect()
    }

    /// Requests the revocation of a credential at this node, and records it. Returns the status; none without a
    /// response.
    fn revoke(&mut self, node: usize, number: usize) -> Option<u16> {
        let set_index = if self.is_sticky() { node } else { 0 };
        let set = &mut self.sets[set_index];
        let requested_at = Instant::now();
        let response = self.clients[node].logout(&set.minted[number].headers, LOGOUT_TIMEOUT);
        let status = response.ok().map(|response| response.status);
        let acknowledged_at = (status == Some(204)).then(Instant::now);
        set.revocations[number] = Some(Revocation { requested_at, acknowledged_at });
        status
    }

    /// Returns what is known of the revocation of this credential of this node.
    pub(super) fn revocation_of(&self, node: usize, number: u32) -> Option<Revocation> {
        let set = self.sets.get(node).unwrap_or(&self.sets[0]);
        set.revocations.get(number as usize).copied().flatten()
    }

    /// Returns the nodes with the credentials to send to each.
    pub(super) fn nodes(&self, nodes: &SchemeNodes) -> Result<Vec<Node>, ExperimentError> {
        let scheme = nodes.scheme;
        let credentials = |set: &CredentialSet| {
            let credentials = Credentials::new(set.minted.clone());
            credentials.map(Arc::new).map_err(|source| ExperimentError::Credentials { scheme, source })
        };
        let sets = self.sets.iter().map(credentials).collect::<Result<Vec<_>, _>>()?;
        let node = |(number, server): (usize, &Server)| Node {
            base_url: server.base_url(),
            credentials: Arc::clone(sets.get(number).unwrap_or(&sets[0])),
        };
        Ok(nodes.servers.iter().enumerate().map(node).collect())
    }
}
