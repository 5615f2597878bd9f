//! An error type before which `#[derive(Failure)]` stands.

use proc_macro2::Ident;
use syn::{Data, DeriveInput, Generics, Path};

use crate::{
    attributes::{FailureAttributes, Says},
    mistakes::Mistakes,
};

/// An error type.
pub(crate) struct Failing {
    /// Its name.
    pub(crate) name: Ident,
    /// Its generics.
    pub(crate) generics: Generics,
    /// What its values say.
    pub(crate) cases: Cases,
    /// The path of the crate `mq`.
    pub(crate) krate: Path,
}

/// What the values of an error type say.
pub(crate) enum Cases {
    /// A struct: all the same.
    One(Says),
    /// An enum: each variant for itself.
    Each(Vec<Case>),
}

/// A variant.
pub(crate) struct Case {
    /// Its name.
    pub(crate) name: Ident,
    /// What it says.
    pub(crate) says: Says,
}

impl Failing {
    /// Reads the type; `None` where it can have no failures.
    pub(crate) fn read(input: DeriveInput, mistakes: &mut Mistakes) -> Option<Self> {
        let own = FailureAttributes::read(&input.attrs, mistakes);
        let general = own.says.unwrap_or(Says::Retry);
        let cases = match input.data {
            Data::Struct(data) => {
                data.fields
                    .iter()
                    .for_each(|field| misplaced(&field.attrs, mistakes));
                Cases::One(general)
            }
            Data::Enum(data) => {
                let case = |variant: &syn::Variant| {
                    variant
                        .fields
                        .iter()
                        .for_each(|field| misplaced(&field.attrs, mistakes));
                    let says = FailureAttributes::read(&variant.attrs, mistakes).says;
                    Case {
                        name: variant.ident.clone(),
                        says: says.unwrap_or(general),
                    }
                };
                Cases::Each(data.variants.iter().map(case).collect())
            }
            Data::Union(data) => {
                mistakes.at(
                    data.union_token,
                    "a union is no error: derive `Failure` for an enum or a struct",
                );
                return None;
            }
        };
        Some(Self {
            name: input.ident,
            generics: input.generics,
            cases,
            krate: own.krate,
        })
    }
}

fn misplaced(attributes: &[syn::Attribute], mistakes: &mut Mistakes) {
    for attribute in attributes
        .iter()
        .filter(|one| one.path().is_ident("failure"))
    {
        mistakes.at(
            attribute,
            "a field says nothing: put `#[failure(…)]` before the variant or the struct",
        );
    }
}
