//! Tickets: a plan's schedule joined with its choice of credentials.

use std::time::Instant;

use crate::arrivals::Schedule;
use crate::chooser::Chooser;
use crate::plan::Plan;

/// The right and the duty to send one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// When the request should begin: response time counts from here.
    pub intended: Instant,
    /// The user whose credential it uses.
    pub credential: u32,
}

/// The tickets of an open loop, in order of time: a pure function of the plan, its seed and the
/// round's start.
#[derive(Debug)]
pub struct Tickets {
    start: Instant,
    schedule: Schedule,
    chooser: Chooser,
}

impl Tickets {
    /// The tickets of a plan that has been checked; none for a closed loop.
    #[must_use]
    pub fn of(plan: &Plan, start: Instant) -> Self {
        Self { start, schedule: Schedule::of(plan), chooser: Chooser::new(plan.population, plan.seed, 0) }
    }
}

impl Iterator for Tickets {
    type Item = Ticket;

    fn next(&mut self) -> Option<Ticket> {
        let offset = self.schedule.next()?;
        Some(Ticket { intended: self.start + offset, credential: self.chooser.choose() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Arrivals, Population};

    #[test]
    fn every_arrival_is_a_ticket_and_a_seed_repeats_them() {
        let population = Population { size: 50, ..Population::default() };
        let plan = Plan { population, ..Plan::new(Arrivals::Poisson { rate_rps: 2000.0 }, 0.5) };
        let start = Instant::now();
        let tickets: Vec<Ticket> = Tickets::of(&plan, start).collect();
        let offsets: Vec<_> = tickets.iter().map(|ticket| ticket.intended - start).collect();
        assert_eq!(offsets, Schedule::of(&plan).collect::<Vec<_>>());
        assert!(tickets.iter().all(|ticket| ticket.credential < 50));
        assert_eq!(tickets, Tickets::of(&plan, start).collect::<Vec<_>>());
        let other = Plan { seed: plan.seed + 1, ..plan };
        assert_ne!(tickets, Tickets::of(&other, start).collect::<Vec<_>>());
    }
}
