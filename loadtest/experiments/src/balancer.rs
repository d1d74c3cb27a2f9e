//! The load balancer for several nodes: the generator itself, which visits them in turn, or an `HAProxy` in front of
//! them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use contract::{Scheme, StoreKind};
use driver::{Node, Target};
use lab::child::{Bounds, Child};
use lab::haproxy::{Haproxy, ServerPool, cookie};

use crate::run_context::{ExperimentError, RunContext};

/// What distributes a load over nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balancer {
    /// The generator, with connections to every node.
    #[default]
    Generator,
    /// An `HAProxy`, to which the generator connects.
    Haproxy,
}

impl fmt::Display for Balancer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Generator => "generator",
            Self::Haproxy => "haproxy",
        })
    }
}

impl FromStr for Balancer {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::Generator, Self::Haproxy]
            .into_iter()
            .find(|balancer| balancer.to_string() == word)
            .ok_or_else(|| format!("unknown balancer {word:?}; use generator or haproxy"))
    }
}

/// Returns whether a node knows only the sessions that it created itself.
pub(crate) fn is_sticky(scheme: Scheme) -> bool {
    scheme.store() == StoreKind::Memory
}

/// A balancer for the nodes of one scheme, with one address for the first node, one for the first two, and so on.
pub(crate) struct RunningBalancer {
    haproxy: Haproxy,
    sticky: bool,
}

impl RunningBalancer {
    /// Starts a balancer in front of all nodes of the target.
    pub(crate) fn start(
        context: &RunContext<'_>,
        scheme: Scheme,
        target: &Target,
        bounds: &Bounds,
    ) -> Result<Self, ExperimentError> {
        let folder = tempfile::tempdir_in(context.config.scratch.path());
        let folder = folder.map_err(|source| ExperimentError::Folder { source })?;
        let sticky = is_sticky(scheme);
        let servers: Vec<String> =
            target.nodes.iter().map(|node| node.base_url.trim_start_matches("http://").to_owned()).collect();
        let pool = |count: usize| ServerPool { servers: servers[..count].to_vec(), sticky };
        let pools: Vec<ServerPool> = (1..=servers.len()).map(pool).collect();
        let log = context.log(&format!("haproxy-{scheme}"));
        Ok(Self { haproxy: Haproxy::start(&pools, folder.path(), &log, bounds)?, sticky })
    }

    /// Returns the target that reaches these nodes, the first ones, through the balancer.
    pub(crate) fn target_through(&self, target: &Target, scheme: Scheme) -> Result<Target, ExperimentError> {
        let base_url = self.haproxy.base_url(target.nodes.len() - 1);
        let node = |(number, node): (usize, &Node)| {
            let credentials = if self.sticky {
                let credentials = node.credentials.with_cookie(&cookie(number));
                Arc::new(credentials.map_err(|source| ExperimentError::Credentials { scheme, source })?)
            } else {
                Arc::clone(&node.credentials)
            };
            Ok(Node { base_url: base_url.clone(), credentials })
        };
        let nodes = target.nodes.iter().enumerate().map(node).collect::<Result<_, ExperimentError>>()?;
        Ok(Target { nodes, carrier: target.carrier })
    }

    pub(crate) const fn process(&self) -> &Child {
        self.haproxy.process()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balancer_parses_from_its_name() {
        for balancer in [Balancer::Generator, Balancer::Haproxy] {
            assert_eq!(balancer.to_string().parse(), Ok(balancer));
        }
        assert!("nginx".parse::<Balancer>().unwrap_err().contains("haproxy"));
    }
}
