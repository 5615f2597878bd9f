//! Assertions about parameters, each on its type.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Path, Type};

use super::ends::{of_trait, panic};
use crate::model::Parameter;

/// How parameters are judged.
pub(super) struct Judge {
    /// The trait they implement.
    pub(super) extractor: TokenStream,
    /// The constant of this trait that tells whether a parameter reads the message.
    pub(super) reads: &'static str,
}

impl Judge {
    /// Whether the parameter reads the message, a `bool`.
    fn reads(&self, parameter: &Parameter) -> TokenStream {
        of_trait(&parameter.ty, &parameter.ty, &self.extractor, self.reads)
    }

    /// Statements that fail where a parameter is no extractor.
    pub(super) fn are_extractors(&self, parameters: &[Parameter]) -> TokenStream {
        let each = parameters.iter().map(|parameter| self.reads(parameter));
        quote!(#(let _ = #each;)*)
    }

    /// Constants that fail on the second parameter that reads the message.
    pub(super) fn read_once(&self, parameters: &[Parameter], message: &str) -> Vec<TokenStream> {
        let reads: Vec<_> = parameters
            .iter()
            .map(|parameter| self.reads(parameter))
            .collect();
        let second = |index: usize| {
            let (own, before) = (&reads[index], &reads[..index]);
            let failed = panic(&parameters[index].ty, message);
            quote!(if #own && (0 #(+ #before as usize)*) == 1 { #failed })
        };
        (1..parameters.len()).map(second).collect()
    }

    /// A constant that fails on `place` where no parameter reads the message.
    pub(super) fn read_at_all(
        &self,
        parameters: &[Parameter],
        place: &Ident,
        message: &str,
    ) -> TokenStream {
        let reads = parameters.iter().map(|parameter| self.reads(parameter));
        let failed = panic(place, message);
        quote!(if !(false #(|| #reads)*) { #failed })
    }
}

/// Whether each `Output` has a name, and nothing else has one; judged by the type, whatever it is called.
pub(super) fn outputs_are_named(krate: &Path, parameters: &[Parameter]) -> Option<TokenStream> {
    let checks: Vec<_> = parameters.iter().filter_map(check_output).collect();
    if checks.is_empty() {
        return None;
    }
    Some(quote! {
        struct __MqOutput<T: ?Sized>(::core::marker::PhantomData<T>);
        trait __MqOther {
            const IS: bool = false;
        }
        impl<T: ?Sized> __MqOther for __MqOutput<T> {}
        #[allow(dead_code, reason = "generated")]
        impl<T: ?Sized> __MqOutput<#krate::extract::Output<T>> {
            const IS: bool = true;
        }
        #(#checks)*
    })
}

fn check_output(parameter: &Parameter) -> Option<TokenStream> {
    let ty = &parameter.ty;
    if parameter.output.is_some() {
        let failed = panic(
            ty,
            "`#[output(…)]` stands before an `Output<T>`: delete it, or take an `Output<T>`",
        );
        return Some(quote!(if !__MqOutput::<#ty>::IS { #failed }));
    }
    let failed = panic(
        ty,
        "an `Output<T>` has a name: write `#[output(\"invoices\")]` before the parameter",
    );
    may_be_output(ty).then(|| quote!(if __MqOutput::<#ty>::IS { #failed }))
}

/// Whether it is worth to ask: a hint only.
fn may_be_output(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|segment| segment.ident == "Output"))
}
