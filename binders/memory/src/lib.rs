//! thin
#![allow(missing_docs, reason = "thin slice")]
use async_trait::async_trait;
use mq_core::{
    binder::*,
    clock::Clock,
    config::{Node, Problems},
    error::*,
    message::Message,
    policy::Provision,
};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};
use tokio::sync::Notify;

#[derive(Debug, Default)]
struct Group {
    next: u64,
    again: BTreeMap<u64, (u32, Option<SystemTime>, u32)>,
    flying: HashMap<u64, (u32, u32, u64)>,
}
#[derive(Debug, Default)]
struct Dest {
    base: u64,
    log: VecDeque<Message>,
    groups: HashMap<String, Group>,
}
#[derive(Debug)]
struct Shared {
    dests: Mutex<HashMap<String, Dest>>,
    notify: Notify,
    clock: Clock,
    caps: Capabilities,
}
#[derive(Debug, Clone)]
pub struct MemoryBinder(Arc<Shared>);
impl MemoryBinder {
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Shared {
            dests: Mutex::default(),
            notify: Notify::new(),
            clock,
            caps: caps(),
        }))
    }
}
fn caps() -> Capabilities {
    use Capability::*;
    Capabilities::new(SettlementStyle::PerMessage)
        .with(&[
            Partitions,
            KeyOrder,
            AnonymousGroups,
            DelayedRedelivery,
            DeliveryCount,
            StableIds,
            Browse,
            Lag,
        ])
        .retry_state(RetryState::Full)
}
#[derive(Debug)]
pub struct MemoryFactory;
#[derive(Debug)]
struct Conn;
impl BinderFactory for MemoryFactory {
    fn kind(&self) -> &'static str {
        "memory"
    }
    fn configure(&self, _: &Node) -> std::result::Result<Box<dyn Connector>, Problems> {
        Ok(Box::new(Conn))
    }
}
#[async_trait]
impl Connector for Conn {
    fn capabilities(&self, _: Option<&ConsumerSpec>) -> Capabilities {
        caps()
    }
    async fn connect(&self, c: BinderContext) -> Result<Arc<dyn Binder>> {
        Ok(Arc::new(MemoryBinder::new(c.clock)))
    }
}
struct Cons {
    shared: Arc<Shared>,
    spec: ConsumerSpec,
    group: String,
    assigned: bool,
}
#[async_trait]
impl Binder for MemoryBinder {
    fn capabilities(&self) -> &Capabilities {
        &self.0.caps
    }
    async fn provision(&self, plan: &[DestinationPlan], _: Provision) -> Result<ProvisionReport> {
        let mut d = self.0.dests.lock().unwrap();
        for p in plan {
            let e = d.entry(p.name.to_string()).or_default();
            for g in &p.groups {
                e.groups.entry(g.to_string()).or_default();
            }
        }
        Ok(ProvisionReport::default())
    }
    async fn consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>> {
        let group = spec
            .group
            .as_deref()
            .map_or_else(|| format!("anon-{:p}", spec), str::to_owned);
        let mut d = self.0.dests.lock().unwrap();
        for name in &spec.destinations {
            let e = d.entry(name.to_string()).or_default();
            let end = e.base + e.log.len() as u64;
            let anon = spec.group.is_none();
            e.groups.entry(group.clone()).or_insert_with(|| Group {
                next: if anon { end } else { 0 },
                ..Group::default()
            });
        }
        Ok(Box::new(Cons {
            shared: self.0.clone(),
            spec: spec.clone(),
            group,
            assigned: false,
        }))
    }
    async fn producer(&self, spec: &ProducerSpec) -> Result<Arc<dyn Producer>> {
        Ok(Arc::new(Prod(self.0.clone(), spec.destination.to_string())))
    }
    fn health(&self) -> Health {
        Health::Up
    }
    fn admin(&self) -> &dyn Admin {
        self
    }
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
#[async_trait]
impl Admin for MemoryBinder {
    async fn lag(&self, dest: &str, group: &str) -> Result<Lag> {
        let d = self.0.dests.lock().unwrap();
        let Some(x) = d.get(dest) else {
            return Ok(Lag::default());
        };
        let Some(g) = x.groups.get(group) else {
            return Ok(Lag::default());
        };
        Ok(Lag::new(
            x.base + x.log.len() as u64 - g.next + (g.again.len() + g.flying.len()) as u64,
            None,
        ))
    }
    async fn browse(&self, dest: &str, c: &mut Cursor, max: usize) -> Result<Vec<Browsed>> {
        let d = self.0.dests.lock().unwrap();
        let at = c.0.first().copied().unwrap_or(0);
        let Some(x) = d.get(dest) else {
            return Ok(vec![]);
        };
        let v: Vec<_> = x
            .log
            .iter()
            .enumerate()
            .skip(at as usize)
            .take(max)
            .map(|(i, m)| Browsed {
                partition: 0,
                position: i as u64,
                message: m.clone(),
                handled: false,
            })
            .collect();
        c.0 = vec![at + v.len() as u64];
        Ok(v)
    }
}
struct Prod(Arc<Shared>, String);
#[async_trait]
impl Producer for Prod {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<Receipt>> {
        let mut d = self.0.dests.lock().unwrap();
        let r = messages
            .iter()
            .map(|m| {
                let name = m.properties().destination.as_deref().unwrap_or(&self.1);
                if !d.contains_key(name) {
                    d.insert(name.to_owned(), Dest::default());
                }
                let x = d.get_mut(name).unwrap();
                x.log.push_back(m.clone());
                Ok(Receipt::at(0, x.base + x.log.len() as u64 - 1))
            })
            .collect();
        self.0.notify.notify_waiters();
        r
    }
}
#[async_trait]
impl Settler for Shared2 {
    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Unsettled>> {
        let mut d = self.shared.dests.lock().unwrap();
        for s in settlements {
            let x = d.get_mut(&*self.dests[s.lane.0 as usize]).unwrap();
            let g = x.groups.get_mut(&self.group).unwrap();
            match &s.action {
                Action::Ack | Action::Discard | Action::DeadLetter { .. } => {
                    g.flying.remove(&s.position);
                }
                Action::Release { after, attempts } => {
                    let f = g.flying.remove(&s.position);
                    g.again.insert(
                        s.position,
                        (
                            *attempts,
                            (!after.is_zero()).then(|| self.shared.clock.wall() + *after),
                            f.map_or(0, |f| f.1),
                        ),
                    );
                    self.shared.notify.notify_waiters();
                }
                _ => {}
            }
        }
        Ok(vec![])
    }
}
struct Shared2 {
    shared: Arc<Shared>,
    group: String,
    dests: Vec<Arc<str>>,
}
impl Cons {
    fn take(&self, records: &mut Vec<Record>, max: usize) -> Option<Duration> {
        let mut d = self.shared.dests.lock().unwrap();
        let mut wait = None;
        for (lane, name) in self.spec.destinations.iter().enumerate() {
            let x = d.get_mut(&**name).unwrap();
            let g = x.groups.get_mut(&self.group).unwrap();
            let now = self.shared.clock.wall();
            let again: Vec<u64> = g
                .again
                .iter()
                .filter(|(_, (_, due, _))| {
                    due.is_none_or(|due| {
                        let w = due.duration_since(now).unwrap_or_default();
                        if !w.is_zero() {
                            wait = Some(wait.map_or(w, |o: Duration| o.min(w)));
                        }
                        w.is_zero()
                    })
                })
                .map(|(p, _)| *p)
                .take(max - records.len())
                .collect();
            for p in again {
                let (attempts, _, del) = g.again.remove(&p).unwrap();
                g.flying.insert(p, (attempts, del + 1, 0));
                records.push(Record {
                    message: x.log[(p - x.base) as usize].clone(),
                    lane: LaneId(lane as u32),
                    position: p,
                    attempts,
                    deliveries: Some(del + 1),
                    ..Record::default()
                });
            }
            while records.len() < max && g.next < x.base + x.log.len() as u64 {
                let p = g.next;
                g.next += 1;
                g.flying.insert(p, (0, 1, 0));
                records.push(Record {
                    message: x.log[(p - x.base) as usize].clone(),
                    lane: LaneId(lane as u32),
                    position: p,
                    deliveries: Some(1),
                    ..Record::default()
                });
            }
        }
        wait
    }
}
#[async_trait]
impl Consumer for Cons {
    async fn receive(&mut self, records: &mut Vec<Record>, max: usize) -> Result<Event> {
        if !self.assigned {
            self.assigned = true;
            return Ok(Event::Assigned(
                self.spec
                    .destinations
                    .iter()
                    .enumerate()
                    .map(|(i, d)| AssignedLane {
                        id: LaneId(i as u32),
                        lane: Lane {
                            destination: d.clone(),
                            partition: 0,
                        },
                        position: None,
                        saved: None,
                        epoch: 0,
                    })
                    .collect(),
            ));
        }
        loop {
            let notified = self.shared.notify.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let wait = self.take(records, max);
            if !records.is_empty() {
                return Ok(Event::Messages);
            }
            match wait {
                None => notified.await,
                Some(w) => {
                    let _ = tokio::time::timeout(w, notified).await;
                }
            }
        }
    }
    fn settler(&self) -> Arc<dyn Settler> {
        Arc::new(Shared2 {
            shared: self.shared.clone(),
            group: self.group.clone(),
            dests: self.spec.destinations.clone(),
        })
    }
    async fn released(&mut self, _: &[LaneId]) -> Result<()> {
        Ok(())
    }
    async fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
