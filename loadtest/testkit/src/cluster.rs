//! A Redis Cluster of the test's own: three primaries, all slots, gone with this value.

use std::collections::BTreeMap;

use crate::redis::Redis;
use crate::wait_until;

const SLOTS: u16 = 16_384;

/// Three primaries that serve.
pub struct Cluster {
    /// In the order of their slots.
    pub nodes: Vec<Redis>,
}

impl Cluster {
    /// Starts one.
    pub fn start() -> Self {
        let cluster = Self { nodes: (0..3).map(|_| Redis::start_clustered()).collect() };
        cluster.form();
        cluster
    }

    /// Restarts all nodes, empty, on their earlier ports. They still know each other.
    pub fn restart(&mut self) {
        self.nodes.iter_mut().for_each(Redis::restart);
        self.await_complete();
    }

    /// Makes one cluster of empty nodes.
    fn form(&self) {
        let count = self.nodes.len() as u16;
        for (place, node) in (0_u16..).zip(&self.nodes) {
            let mut connection = node.connection();
            let (first, end) =
                (place * (SLOTS / count), if place + 1 == count { SLOTS } else { (place + 1) * (SLOTS / count) });
            let () = redis::cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(place + 1).query(&mut connection).unwrap();
            let mut slots = redis::cmd("CLUSTER");
            let () = slots.arg("ADDSLOTSRANGE").arg(first).arg(end - 1).query(&mut connection).unwrap();
            let (port, bus) = (self.nodes[0].port(), self.nodes[0].bus());
            let mut meet = redis::cmd("CLUSTER");
            let () = meet.arg("MEET").arg("127.0.0.1").arg(port).arg(bus).query(&mut connection).unwrap();
        }
        self.await_complete();
    }

    /// Waits until every node knows all of them and serves.
    fn await_complete(&self) {
        self.await_each("INFO", |info| info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3"));
    }

    /// Waits until the response of every node to this subcommand of CLUSTER satisfies this.
    fn await_each(&self, subcommand: &str, condition: impl Fn(&str) -> bool) {
        for node in &self.nodes {
            let mut connection = node.connection();
            wait_until(&format!("the nodes of the cluster agree on {subcommand}"), || {
                let response: String = redis::cmd("CLUSTER").arg(subcommand).query(&mut connection).unwrap();
                condition(&response)
            });
        }
    }

    /// Has the nodes send clients to these ports instead, in their order, and waits until every node does.
    pub fn announce(&mut self, ports: &[u16]) {
        for (node, port) in self.nodes.iter_mut().zip(ports) {
            node.announce(*port);
        }
        self.await_each("NODES", |nodes| ports.iter().all(|port| nodes.contains(&format!(":{port}@"))));
    }

    /// Gives the slots of the first node, which must be empty, to the last one.
    pub fn move_slots(&self) {
        let [first, others @ ..] = self.nodes.as_slice() else { panic!("no node") };
        let taker: String = redis::cmd("CLUSTER").arg("MYID").query(&mut others.last().unwrap().connection()).unwrap();
        let mut all = redis::pipe();
        for slot in 0..SLOTS / self.nodes.len() as u16 {
            all.cmd("CLUSTER").arg("SETSLOT").arg(slot).arg("NODE").arg(&taker).ignore();
        }
        // The taker before the giver: otherwise no node would have them in between.
        for node in others.iter().rev().chain([first]) {
            let () = all.query(&mut node.connection()).unwrap();
        }
    }

    /// Returns the URL of the first node.
    pub fn url(&self) -> String {
        self.nodes[0].url()
    }

    /// Lets this much time pass for every deadline.
    pub fn advance_deadlines(&self, seconds: u64) {
        for node in &self.nodes {
            node.advance_deadlines(seconds);
        }
    }

    /// Sets the counts of [`Cluster::calls`] to zero.
    pub fn reset_calls(&self) {
        self.nodes.iter().for_each(Redis::reset_calls);
    }

    /// Returns how often each command was called on all nodes together, without what the cluster itself sends.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        let mut sum = BTreeMap::new();
        for (name, count) in self.nodes.iter().flat_map(Redis::calls).filter(|(name, _)| !name.starts_with("cluster")) {
            *sum.entry(name).or_default() += count;
        }
        sum
    }
}
