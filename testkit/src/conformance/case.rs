//! A case: one rule, what it needs, and how it is checked.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use mq_core::binder::{Capabilities, Capability, RetryState};

use super::{
    check::Checked,
    context::Context,
    subject::{Fault, Subject},
};

type Running = Pin<Box<dyn Future<Output = Checked> + Send>>;

/// What a case needs in order to say anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// The capability is declared.
    Has(Capability),
    /// It is not.
    Lacks(Capability),
    /// One of these is declared.
    Any(&'static [Capability]),
    /// Messages are settled one by one.
    PerMessage,
    /// Positions are committed.
    Positional,
    /// Attempts are recorded.
    RecordsAttempts,
    /// Attempts are not recorded.
    ForgetsAttempts,
    /// There is a largest message, of at most 64 MiB.
    MaxMessage,
    /// The subject can make this trouble.
    Fault(Fault),
    /// The broker is a process of its own, so that instances outlive it.
    Server,
}

impl Need {
    /// Why the case has nothing to say, if it has not.
    fn missing(self, subject: &Subject, capabilities: &Capabilities) -> Option<String> {
        let (is_there, reason) = match self {
            Self::Has(one) => (capabilities.has(one), format!("`{one}` is not declared")),
            Self::Lacks(one) => (!capabilities.has(one), format!("`{one}` is declared")),
            Self::Any(some) => {
                let names: Vec<_> = some.iter().map(|one| one.name()).collect();
                let reason = format!("none of `{}` is declared", names.join("`, `"));
                (some.iter().any(|one| capabilities.has(*one)), reason)
            }
            Self::PerMessage => (
                capabilities.settles_each(),
                "it settles by position".to_owned(),
            ),
            Self::Positional => (
                !capabilities.settles_each(),
                "it settles message by message".to_owned(),
            ),
            Self::RecordsAttempts => (
                capabilities.retry_state != RetryState::None,
                "it records no attempts (`retry_state`)".to_owned(),
            ),
            Self::ForgetsAttempts => (
                capabilities.retry_state == RetryState::None,
                "it records attempts (`retry_state`)".to_owned(),
            ),
            Self::MaxMessage => (
                capabilities
                    .max_message
                    .is_some_and(|most| most <= 64 << 20),
                "it declares no largest message up to 64 MiB".to_owned(),
            ),
            Self::Fault(fault) => (
                subject.can(fault),
                format!("the subject cannot make the trouble `{fault}`"),
            ),
            Self::Server => (
                !subject.is_embedded(),
                "the broker ends with its instances".to_owned(),
            ),
        };
        (!is_there).then_some(reason)
    }
}

/// One rule and how it is checked.
#[derive(Clone)]
pub struct Case {
    group: &'static str,
    name: &'static str,
    needs: Vec<Need>,
    deadline: Option<Duration>,
    run: Arc<dyn Fn(Context) -> Running + Send + Sync>,
}

/// How a case is written.
impl Case {
    pub(crate) fn new<F>(run: impl Fn(Context) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Checked> + Send + 'static,
    {
        Self {
            group: "",
            name: "",
            needs: Vec::new(),
            deadline: None,
            run: Arc::new(move |context| Box::pin(run(context))),
        }
    }

    pub(crate) fn called(mut self, group: &'static str, name: &'static str) -> Self {
        self.group = group;
        self.name = name;
        self
    }

    /// Adds something without which the case is skipped.
    pub(crate) fn need(mut self, need: Need) -> Self {
        self.needs.push(need);
        self
    }

    /// The case is about this capability.
    pub(crate) fn needs(self, capability: Capability) -> Self {
        self.need(Need::Has(capability))
    }

    /// The case is about a binder without this capability.
    pub(crate) fn lacks(self, capability: Capability) -> Self {
        self.need(Need::Lacks(capability))
    }

    /// The case makes this trouble.
    pub(crate) fn fault(self, fault: Fault) -> Self {
        self.need(Need::Fault(fault))
    }

    /// How long the case may take, instead of three times the subject's patience.
    pub(crate) fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

/// How a case is looked at.
impl Case {
    /// The subject that it belongs to: `publish`, `groups`, …
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.group
    }

    /// The rule.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Group and name, as a test shows them: `publish::one_message_arrives`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}::{}", self.group, self.name)
    }

    /// Whether the case is about this capability.
    #[must_use]
    pub fn exercises(&self, capability: Capability) -> bool {
        self.needs.iter().any(|need| match need {
            Need::Has(one) => *one == capability,
            Need::Any(some) => some.contains(&capability),
            _ => false,
        })
    }

    /// Why the case has nothing to say about this subject, if it has not.
    pub(crate) fn missing(&self, subject: &Subject, capabilities: &Capabilities) -> Option<String> {
        let mut missing = self
            .needs
            .iter()
            .filter_map(|need| need.missing(subject, capabilities));
        missing.next()
    }

    pub(crate) fn time(&self, subject: &Subject) -> Duration {
        self.deadline.unwrap_or(subject.time() * 3)
    }

    /// Whether nothing else may use the broker at the same time.
    pub(crate) fn runs_alone(&self, subject: &Subject) -> bool {
        let breaks = |fault| self.needs.contains(&Need::Fault(fault));
        subject.is_shared() && (breaks(Fault::Restart) || breaks(Fault::Cut))
    }

    pub(crate) fn run(&self, context: Context) -> Running {
        (self.run)(context)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("group", &self.group)
            .field("name", &self.name)
            .field("needs", &self.needs)
            .finish_non_exhaustive()
    }
}
