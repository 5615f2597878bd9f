//! Third phase: whether a function can be what its attribute says, by its form alone.
//!
//! Types are never judged by their names, which may be aliases: that is left to the compiler, by what the last phase generates.

mod borrowed;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{FnArg, GenericParam, Type};

use crate::{
    attributes::SourceAttributes,
    mistakes::Mistakes,
    model::{Function, Parameter},
};

/// What a function is to become.
#[derive(Clone, Copy)]
pub(crate) struct Role {
    /// In words, with an article.
    pub(crate) name: &'static str,
    /// How many parameters it can have.
    pub(crate) most: usize,
    /// How its parameters are written.
    pub(crate) example: &'static str,
    /// Whether its parameters can be made from a message.
    pub(crate) takes_messages: bool,
    /// How it is written itself.
    pub(crate) form: &'static str,
}

/// `#[stream_listener]`.
pub(crate) const LISTENER: Role = Role {
    name: "a listener",
    most: 8,
    example: "Json<Order>",
    takes_messages: true,
    form: "async fn name(…)",
};

/// `#[stream_source]`.
pub(crate) const SOURCE: Role = Role {
    name: "a source",
    most: 4,
    example: "State<Db>",
    takes_messages: false,
    form: "async fn name(…)` or `fn name(…) -> impl Stream<Item = …>",
};

/// What holds for every function.
pub(crate) fn function(
    function: &Function,
    parameters: &[Parameter],
    role: Role,
    mistakes: &mut Mistakes,
) {
    receiver(function, role, mistakes);
    generics(function, role, mistakes);
    qualifiers(function, role, mistakes);
    for parameter in parameters {
        borrowed::check(&parameter.ty, role, mistakes);
        concrete(&parameter.ty, role, mistakes);
    }
    if let Some(parameter) = parameters.get(role.most) {
        let message = format!(
            "{} takes up to {} parameters: put several values into one `State<T>`",
            role.name, role.most
        );
        mistakes.at(&parameter.ty, message);
    }
}

/// That a source is either called periodically and async, or returns a stream at once.
pub(crate) fn time(function: &Function, attributes: &SourceAttributes, mistakes: &mut Mistakes) {
    let signature = &function.signature;
    match (&attributes.every, signature.asyncness) {
        (Some(_), _) => asynchronous(function, SOURCE, mistakes),
        (None, Some(word)) if !attributes.unclear => {
            let message = "when is it called? add `every = \"1s\"` to the attribute, or return a stream from a function that is not async";
            mistakes.at(word, message);
        }
        (None, _) => {}
    }
}

/// A listener, and a source that is called periodically.
pub(crate) fn asynchronous(function: &Function, role: Role, mistakes: &mut Mistakes) {
    let signature = &function.signature;
    if signature.asyncness.is_none() {
        let message = format!(
            "{} is async: write `async fn {}`",
            role.name, signature.ident
        );
        mistakes.at(signature.fn_token, message);
    }
}

fn receiver(function: &Function, role: Role, mistakes: &mut Mistakes) {
    if let Some(FnArg::Receiver(receiver)) = function.signature.inputs.first() {
        let message = format!(
            "{} stands outside of `impl`: take what it needs as `State<T>` instead of `self`",
            role.name
        );
        mistakes.at(receiver, message);
    }
}

fn generics(function: &Function, role: Role, mistakes: &mut Mistakes) {
    let generics = &function.signature.generics;
    let Some(first) = generics.params.first() else {
        return;
    };
    let message = match first {
        GenericParam::Lifetime(_) => {
            format!("{} owns what it takes: delete the lifetimes", role.name)
        }
        GenericParam::Type(_) | GenericParam::Const(_) => {
            format!(
                "{} has no generics: write the types, and one function for each",
                role.name
            )
        }
    };
    mistakes.at(&generics.params, message);
}

fn qualifiers(function: &Function, role: Role, mistakes: &mut Mistakes) {
    let signature = &function.signature;
    let words: [(Option<TokenStream>, &str); 3] = [
        (
            signature.constness.as_ref().map(ToTokens::to_token_stream),
            "const",
        ),
        (
            signature.unsafety.as_ref().map(ToTokens::to_token_stream),
            "unsafe",
        ),
        (
            signature.abi.as_ref().map(ToTokens::to_token_stream),
            "extern",
        ),
    ];
    for (place, word) in words {
        if let Some(place) = place {
            mistakes.at(
                place,
                format!("{} is called by the framework: delete `{word}`", role.name),
            );
        }
    }
}

fn concrete(ty: &Type, role: Role, mistakes: &mut Mistakes) {
    if let Type::ImplTrait(_) = ty {
        let message = format!(
            "{} has no generics: write a type such as `{}`",
            role.name, role.example
        );
        mistakes.at(ty, message);
    }
}
