//! Services in this process: members that come and go.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mq::binding::{BindingHandle, Command};
use mq::error::Result;
use mq::memory::MemoryBinder;

use super::dice::Dice;
use super::progress::Progress;
use super::services::{Member, Role, Shared};
use super::settings::Wiring;

/// More members of one service than this are not started.
const MOST: usize = 3;

/// The members, each with one service.
#[derive(Debug)]
pub(super) struct Fleet {
    binder: MemoryBinder,
    shared: Shared,
    wiring: Wiring,
    folder: PathBuf,
    members: Vec<Member>,
    /// Who is to join at the next opportunity.
    joining: Vec<Role>,
    started: u64,
}

impl Fleet {
    pub(super) fn new(
        binder: &MemoryBinder,
        shared: Shared,
        wiring: Wiring,
        folder: &Path,
    ) -> Self {
        Self {
            binder: binder.clone(),
            shared,
            wiring,
            folder: folder.to_owned(),
            members: Vec::new(),
            joining: Vec::new(),
            started: 0,
        }
    }

    pub(super) fn binder(&self) -> &MemoryBinder {
        &self.binder
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Lets a member more join with the next [`complete`](Self::complete).
    pub(super) fn invite(&mut self, role: Role) {
        self.joining.push(role);
    }

    /// Starts a member more. Of the source there is one: two would share keys.
    async fn join(&mut self, role: Role) -> Result<()> {
        let most = if role == Role::Source { 1 } else { MOST };
        if self.count(role) >= most {
            return Ok(());
        }
        self.started += 1;
        let member = Member::start(
            &[role],
            self.started,
            &self.shared,
            &self.wiring,
            Some(Arc::new(self.binder.reopened())),
            &self.folder,
        )
        .await?;
        self.members.push(member);
        Ok(())
    }

    /// Starts who was invited, and what there is no member of. Waits while the broker is away.
    pub(super) async fn complete(&mut self) -> Result<()> {
        while let Some(role) = self.joining.pop() {
            self.join(role).await?;
        }
        for role in Role::ALL {
            let is_done = role == Role::Source && self.shared.lanes.is_done();
            if self.count(role) == 0 && !is_done {
                self.join(role).await?;
            }
        }
        Ok(())
    }

    /// Ends a member as a crash would.
    pub(super) fn crash(&mut self, role: Role, dice: &mut Dice) {
        drop(self.take(role, dice));
    }

    /// Stops a member in order; where the broker is away, as far as that goes.
    pub(super) async fn leave(&mut self, role: Role, dice: &mut Dice) {
        if let Some(member) = self.take(role, dice) {
            // A source that cannot send does not stop by itself; then it ends as a crash would.
            let stop = tokio::time::timeout(std::time::Duration::from_secs(2), member.stop());
            drop(stop.await);
        }
    }

    /// Commands every binding of one member.
    pub(super) async fn command(&mut self, role: Role, command: Command, dice: &mut Dice) {
        let members: Vec<_> = self.of(role).collect();
        if members.is_empty() {
            return;
        }
        let at = dice.roll(members.len() as u64) as usize;
        let handle = members[at].app.handle();
        tell(handle.bindings(), &[command]).await;
        // A source that is stopped has ended.
        if command == Command::Pause {
            tell(handle.sources(), &[command]).await;
        }
    }

    /// Lets every binding go on that was paused, stopped or has failed.
    pub(super) async fn go_on(&mut self) {
        for member in &self.members {
            let handle = member.app.handle();
            tell(handle.bindings(), &[Command::Resume, Command::Start]).await;
            tell(handle.sources(), &[Command::Resume]).await;
        }
    }

    /// Waits until everything is sent, handled and settled; stops every member.
    pub(super) async fn finish(&mut self, progress: &Progress) -> Result<()> {
        for role in Role::ALL {
            for member in self
                .members
                .iter_mut()
                .filter(|one| one.roles.contains(&role))
            {
                progress.patiently(member.finished()).await?;
            }
        }
        for member in self.members.drain(..) {
            progress.patiently(member.stop()).await?;
        }
        Ok(())
    }

    /// What each binding is about, for people.
    pub(super) fn describe(&self) -> String {
        let binding = |binding: &BindingHandle| {
            format!(
                "{}: {}, {} unsettled, {} in flight, {} waiting, problem {:?}, {:?}\n",
                binding.name(),
                binding.state(),
                binding.unsettled(),
                binding.in_flight(),
                binding.waiting(),
                binding.problem(),
                binding.metrics().snapshot(),
            )
        };
        let members = self.members.iter();
        members
            .flat_map(|member| {
                let handle = member.app.handle();
                handle.bindings().chain(handle.sources()).map(binding)
            })
            .collect()
    }

    fn of(&self, role: Role) -> impl Iterator<Item = &Member> {
        self.members
            .iter()
            .filter(move |one| one.roles.contains(&role))
    }

    fn count(&self, role: Role) -> usize {
        self.of(role).count()
    }

    fn take(&mut self, role: Role, dice: &mut Dice) -> Option<Member> {
        let at: Vec<_> = (0..self.members.len())
            .filter(|at| self.members[*at].roles.contains(&role))
            .collect();
        (!at.is_empty()).then(|| self.members.swap_remove(dice.pick(&at)))
    }
}

async fn tell(bindings: impl Iterator<Item = &BindingHandle>, commands: &[Command]) {
    for binding in bindings {
        for command in commands {
            // A binding that has ended obeys nobody.
            drop(binding.command(*command).await);
        }
    }
}
