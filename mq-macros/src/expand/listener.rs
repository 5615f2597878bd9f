//! What a listener expands to.

use proc_macro2::TokenStream;
use quote::quote;

use super::{
    Annotated, Hidden, LISTENER,
    ends::of_trait,
    erased::Erased,
    has_name, hidden, outputs,
    parameters::{Judge, outputs_are_named},
};
use crate::attributes::ListenerAttributes;

type Listener<'a> = Annotated<'a, ListenerAttributes>;

/// Everything beside the function.
pub(crate) fn listener(listener: &Listener<'_>) -> TokenStream {
    let krate = &listener.attributes.krate;
    let name = hidden(LISTENER, listener.ident());
    let hidden = Hidden {
        makes: quote!(#krate::listener::Listener),
        body: listener.descriptor(),
        registration: quote! {
            #krate::registry::inventory::submit! { #krate::registry::ListenerEntry(#name) }
        },
        name,
    };
    listener.beside(&hidden, &listener.checks())
}

impl Listener<'_> {
    /// `Listener::new(…)` with everything that the attribute says.
    fn descriptor(&self) -> TokenStream {
        let ListenerAttributes {
            input,
            outputs,
            name,
            settings,
            krate,
            ..
        } = self.attributes;
        let (name, facts, outputs) = (self.name(name.as_ref()), self.facts(), &outputs.names);
        let (keys, values): (Vec<_>, Vec<_>) = settings.iter().cloned().unzip();
        let asserts = self.judge().are_extractors(self.parameters);
        let feeds = self.feeds();
        let body = self.body();
        quote! {
            #asserts
            let _ = #feeds;
            #krate::listener::Listener::new(#name, #input, #body)
                #facts
                #(.output(#outputs))*
                #(.setting(#keys, #values))*
        }
    }

    fn judge(&self) -> Judge {
        let krate = &self.attributes.krate;
        match self.attributes.batch {
            None => Judge {
                extractor: quote!(#krate::extract::Extract),
                reads: "PAYLOAD",
            },
            Some(_) => Judge {
                extractor: quote!(#krate::extract::ExtractBatch),
                reads: "BATCH",
            },
        }
    }

    fn returned(&self) -> TokenStream {
        let krate = &self.attributes.krate;
        match self.attributes.batch {
            None => quote!(#krate::listener::Returned),
            Some(_) => quote!(#krate::listener::BatchReturned),
        }
    }

    /// The function, erased.
    fn body(&self) -> TokenStream {
        let krate = &self.attributes.krate;
        let callable = match self.attributes.batch {
            None => quote!(ListenerFunction),
            Some(_) => quote!(BatchFunction),
        };
        let makes = quote!(::std::sync::Arc<dyn #krate::listener::Body>);
        let code = quote!(#krate::listener::#callable::into_body(function));
        self.erased().expression("listener", &makes, &code)
    }

    fn erased(&self) -> Erased<'_> {
        Erased {
            function: self.ident(),
            parameters: self.parameters,
            extractor: self.judge().extractor,
            value: Some(self.function.returns()).filter(has_name),
            returned: self.returned(),
            gives: quote!(::core::future::Future<Output = V>),
        }
    }

    /// How many outputs the return value feeds, a `u16`.
    fn feeds(&self) -> TokenStream {
        let returns = self.function.returns();
        if has_name(&returns) {
            of_trait(
                &self.place_of_return(),
                &returns,
                &self.returned(),
                "OUTPUTS",
            )
        } else {
            self.erased().feeds()
        }
    }

    /// Constants that judge what traits do not.
    fn checks(&self) -> Vec<TokenStream> {
        let ListenerAttributes {
            krate,
            outputs: named,
            batch,
            ..
        } = self.attributes;
        let (judge, parameters) = (self.judge(), self.parameters);
        let mut checks = match batch {
            None => judge.read_once(
                parameters,
                "a second payload: a listener takes one, so take what is needed from the first",
            ),
            Some(_) => judge.read_once(parameters, "a second batch: a batch listener takes one"),
        };
        if let Some(batch) = batch {
            let message =
                "no parameter is a batch: take the messages as `Batch<Json<T>>`, or delete `batch`";
            checks.push(judge.read_at_all(parameters, batch, message));
        }
        checks.push(outputs::as_many_as_named(
            &self.feeds(),
            named,
            &self.place_of_return(),
        ));
        checks.extend(outputs_are_named(krate, parameters));
        checks
    }
}
