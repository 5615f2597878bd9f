//! Assertions about parameters, each on its type.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Path, parse_quote};

use super::ends::{Ends, of_trait};
use crate::model::Parameter;

/// How parameters are judged.
pub(super) struct Judge<'a> {
    /// The path of `mq`.
    pub(super) krate: &'a Path,
    /// The trait they implement, in `mq::extract`.
    pub(super) extractor: &'static str,
    /// The constant that tells whether a parameter reads the message.
    pub(super) reads: &'static str,
}

impl Judge<'_> {
    /// Whether the parameter reads the message, a `bool`; an error about the trait stands on its type.
    fn reads(&self, parameter: &Parameter) -> TokenStream {
        let krate = self.krate;
        let path: Path = parse_quote!(#krate::extract);
        let ends = Ends::of(&parameter.ty, Span::call_site());
        of_trait(ends, &parameter.ty, &path, self.extractor, self.reads)
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
            quote! {
                if #own && (0 #(+ #before as usize)*) == 1 { #failed }
            }
        };
        (1..parameters.len()).map(second).collect()
    }

    /// A constant that fails on `place` where no parameter reads the message.
    pub(super) fn read_at_all(
        &self,
        parameters: &[Parameter],
        place: &syn::Ident,
        message: &str,
    ) -> TokenStream {
        let reads = parameters.iter().map(|parameter| self.reads(parameter));
        let failed = panic(place, message);
        quote! {
            if !(false #(|| #reads)*) { #failed }
        }
    }
}

/// A panic of a constant, on this place.
pub(super) fn panic(place: &impl quote::ToTokens, message: &str) -> TokenStream {
    let ends = Ends::of(place, Span::call_site());
    let (path, bang) = (
        quote_spanned!(ends.first=> ::core::panic),
        quote_spanned!(ends.last=> !),
    );
    let group = quote_spanned!(ends.last=> (#message));
    quote!(#path #bang #group)
}

/// Whether each parameter is an `Output` exactly where it has a name; judged by the type, whatever it is called.
pub(super) fn outputs_are_named(krate: &Path, parameters: &[Parameter]) -> Option<TokenStream> {
    let checks: Vec<_> = parameters.iter().filter_map(check_output).collect();
    if checks.is_empty() {
        return None;
    }
    Some(quote! {
        struct Is<T: ?Sized>(::core::marker::PhantomData<T>);
        trait Other {
            const OUTPUT: bool = false;
        }
        impl<T: ?Sized> Other for Is<T> {}
        #[allow(dead_code, reason = "generated")]
        impl<T: ?Sized> Is<#krate::extract::Output<T>> {
            const OUTPUT: bool = true;
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
        return Some(quote!(if !Is::<#ty>::OUTPUT { #failed }));
    }
    let looks_like_one =
        matches!(ty, syn::Type::Path(path) if path.path.segments.last()?.ident == "Output");
    let failed = panic(
        ty,
        "an `Output<T>` has a name: write `#[output(\"invoices\")]` before the parameter",
    );
    looks_like_one.then(|| quote!(if Is::<#ty>::OUTPUT { #failed }))
}
