//! What a source expands to.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{GenericArgument, PathArguments, Type, TypeParamBound, ext::IdentExt};

use super::{beside, hidden, outputs, parameters::outputs_are_named};
use crate::{
    attributes::SourceAttributes,
    model::{Function, Parameter},
};

/// A source whose form is right.
pub(crate) struct SourceParts<'a> {
    pub(crate) attributes: &'a SourceAttributes,
    pub(crate) function: &'a Function,
    pub(crate) parameters: &'a [Parameter],
}
