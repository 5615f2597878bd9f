//! A function, as far as the attributes look at it: its body stays untouched.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, FnArg, LitStr, PatType, ReturnType, Signature, Type, Visibility,
    parse::{Parse, ParseStream},
    parse_quote,
};

use crate::{attributes::output_name, mistakes::Mistakes};

/// A function before which an attribute stands.
pub(crate) struct Function {
    /// The attributes left, doc comments included.
    pub(crate) attributes: Vec<Attribute>,
    /// Who sees it.
    pub(crate) visibility: Visibility,
    /// Everything before the body.
    pub(crate) signature: Signature,
    /// The body with its braces.
    body: TokenStream,
}

/// A parameter that is not `self`.
pub(crate) struct Parameter {
    /// The type, as it is written.
    pub(crate) ty: Type,
    /// The name in `#[output("…")]`.
    pub(crate) output: Option<LitStr>,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let signature = input.parse()?;
        let body: TokenTree = input.parse()?;
        Ok(Self {
            attributes,
            visibility,
            signature,
            body: body.into(),
        })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.attributes
            .iter()
            .for_each(|attribute| attribute.to_tokens(tokens));
        self.visibility.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}

impl Function {
    /// The parameters; the `#[output("…")]` before them are taken off the function.
    pub(crate) fn take_parameters(&mut self, mistakes: &mut Mistakes) -> Vec<Parameter> {
        let typed = self
            .signature
            .inputs
            .iter_mut()
            .filter_map(|input| match input {
                FnArg::Typed(typed) => Some(typed),
                FnArg::Receiver(_) => None,
            });
        typed
            .map(|parameter| Parameter {
                output: take_output(parameter, mistakes),
                ty: (*parameter.ty).clone(),
            })
            .collect()
    }

    /// The return type, `()` where there is none.
    pub(crate) fn returns(&self) -> Type {
        match &self.signature.output {
            ReturnType::Default => parse_quote!(()),
            ReturnType::Type(_, ty) => (**ty).clone(),
        }
    }

    /// The `#[cfg(…)]` before the function, which hold for everything that is made of it.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes
            .iter()
            .filter(|attribute| attribute.path().is_ident("cfg"))
    }
}

fn take_output(parameter: &mut PatType, mistakes: &mut Mistakes) -> Option<LitStr> {
    let (outputs, others) = parameter
        .attrs
        .drain(..)
        .partition(|attribute| attribute.path().is_ident("output"));
    parameter.attrs = others;
    let outputs: Vec<Attribute> = outputs;
    if let Some(second) = outputs.get(1) {
        mistakes.at(
            second,
            "a parameter has one output: write one `#[output(\"…\")]`",
        );
    }
    outputs
        .first()
        .and_then(|attribute| mistakes.take(output_name(attribute)))
}
