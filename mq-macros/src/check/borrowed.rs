//! Finds what a parameter borrows: the framework makes it, so there is nothing that it could be borrowed from.

use quote::ToTokens;
use syn::{GenericArgument, PathArguments, PathSegment, Type, TypeReference};

use super::Role;
use crate::mistakes::Mistakes;

/// Where in a parameter a type stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It is the parameter.
    Whole,
    /// It is a part of the parameter's type.
    Part,
}

/// References and lifetimes in the type of a parameter are mistakes, unless they are `'static`.
pub(super) fn check(ty: &Type, role: Role, mistakes: &mut Mistakes) {
    find(ty, Place::Whole, role, mistakes);
}

fn find(ty: &Type, place: Place, role: Role, mistakes: &mut Mistakes) {
    let mut part = |ty: &Type| find(ty, Place::Part, role, mistakes);
    match ty {
        Type::Reference(reference) if is_static(reference) => part(&reference.elem),
        Type::Reference(reference) => {
            let (written, instead) = (text(ty), instead(&text(&reference.elem), place, role));
            mistakes.at(
                ty,
                format!(
                    "{} owns what it takes: write {instead} instead of `{written}`",
                    role.name
                ),
            );
        }
        Type::Path(path) => path
            .path
            .segments
            .iter()
            .for_each(|segment| find_in(segment, role, mistakes)),
        Type::Tuple(tuple) => tuple.elems.iter().for_each(part),
        Type::Array(array) => part(&array.elem),
        Type::Slice(slice) => part(&slice.elem),
        Type::Group(group) => find(&group.elem, place, role, mistakes),
        Type::Paren(paren) => find(&paren.elem, place, role, mistakes),
        _ => {}
    }
}

fn find_in(segment: &PathSegment, role: Role, mistakes: &mut Mistakes) {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return;
    };
    for argument in &arguments.args {
        match argument {
            GenericArgument::Type(ty) => find(ty, Place::Part, role, mistakes),
            GenericArgument::Lifetime(lifetime) if lifetime.ident != "static" => {
                let message = format!(
                    "{} owns what it takes: take a type without `{lifetime}`",
                    role.name
                );
                mistakes.at(lifetime, message);
            }
            _ => {}
        }
    }
}

fn is_static(reference: &TypeReference) -> bool {
    reference
        .lifetime
        .as_ref()
        .is_some_and(|lifetime| lifetime.ident == "static")
}

/// What to write instead of a reference to this type.
fn instead(ty: &str, place: Place, role: Role) -> String {
    match (ty, place) {
        ("str", Place::Whole) if role.takes_messages => "`Text`".to_owned(),
        ("[u8]", Place::Whole) if role.takes_messages => "`Bytes`".to_owned(),
        ("str", _) => "`String`".to_owned(),
        ("[u8]", _) => "`Vec<u8>`".to_owned(),
        (ty, Place::Whole) if !ty.contains('<') && role.takes_messages => {
            format!("`Json<{ty}>` or `State<{ty}>`")
        }
        (ty, Place::Whole) if !ty.contains('<') => format!("`State<{ty}>`"),
        (ty, _) => format!("`{ty}`"),
    }
}

/// A type as people write it.
fn text(ty: &Type) -> String {
    let mut text = ty.to_token_stream().to_string();
    for (spaced, plain) in [
        (" ,", ","),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        ("& ", "&"),
        (" :: ", "::"),
    ] {
        text = text.replace(spaced, plain);
    }
    text
}
