//! A Redis Cluster of the test's own: three primaries, all slots, gone with this value.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::http::PATIENCE;
use crate::redis_process::Redis;

const SLOTS: u16 = 16_384;

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Redis>,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let cluster = Self { nodes: (0..3).map(|_| Redis::start_clustered()).collect() };
        cluster.form();
        cluster
    }

    /// Starts all nodes again, empty, on the ports that they had. They remember each other.
    pub(crate) fn revive(&mut self) {
        self.nodes.iter_mut().for_each(Redis::revive);
        self.await_whole();
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
        self.await_whole();
    }

    /// Waits until every node knows all of them and serves.
    fn await_whole(&self) {
        let deadline = Instant::now() + PATIENCE;
        for node in &self.nodes {
            let mut connection = node.connection();
            loop {
                let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut connection).unwrap();
                if info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3") {
                    break;
                }
                assert!(Instant::now() < deadline, "no cluster: {info}");
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
    }

    /// Lets the nodes tell clients to come to these ports instead, in their order, and waits until every node does.
    pub(crate) fn announce(&mut self, ports: &[u16]) {
        for (node, port) in self.nodes.iter_mut().zip(ports) {
            node.announce(*port);
        }
        let deadline = Instant::now() + PATIENCE;
        for node in &self.nodes {
            let mut connection = node.connection();
            loop {
                let told: String = redis::cmd("CLUSTER").arg("NODES").query(&mut connection).unwrap();
                if ports.iter().all(|port| told.contains(&format!(":{port}@"))) {
                    break;
                }
                assert!(Instant::now() < deadline, "not announced: {told}");
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
    }

    /// Gives the slots of the first node, which must be empty, to the last one.
    pub(crate) fn hand_over(&self) {
        let [first, others @ ..] = self.nodes.as_slice() else { panic!("no node") };
        let taker: String = redis::cmd("CLUSTER").arg("MYID").query(&mut others.last().unwrap().connection()).unwrap();
        let mut all = redis::pipe();
        for slot in 0..SLOTS / self.nodes.len() as u16 {
            all.cmd("CLUSTER").arg("SETSLOT").arg(slot).arg("NODE").arg(&taker).ignore();
        }
        // The taker before the giver: else nobody would have them meanwhile.
        for node in others.iter().rev().chain([first]) {
            let () = all.query(&mut node.connection()).unwrap();
        }
    }

    pub(crate) fn url(&self) -> String {
        self.nodes[0].url()
    }

    pub(crate) fn age(&self, seconds: u64) {
        for node in &self.nodes {
            node.age(seconds);
        }
    }

    pub(crate) fn forget_calls(&self) {
        self.nodes.iter().for_each(Redis::forget_calls);
    }

    /// How often each command was called on all nodes together, without what the cluster itself asks.
    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        let mut sum = BTreeMap::new();
        for (name, count) in self.nodes.iter().flat_map(Redis::calls).filter(|(name, _)| !name.starts_with("cluster")) {
            *sum.entry(name).or_default() += count;
        }
        sum
    }
}
