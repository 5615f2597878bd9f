//! What listeners and sources say of themselves in the same words.

/// The methods that set package, place and outputs.
macro_rules! described {
    () => {
        /// Sets the package.
        #[must_use]
        pub fn package(mut self, package: &'static str) -> Self {
            self.package = package;
            self
        }

        /// Sets the place.
        #[must_use]
        pub fn at(mut self, file: &'static str, line: u32) -> Self {
            self.location = Location { file, line };
            self
        }

        /// Adds an output binding for the return value.
        #[must_use]
        pub fn output(mut self, name: impl Into<String>) -> Self {
            self.outputs.push(name.into());
            self
        }

        /// Names the output binding of the next `Output` parameter.
        #[must_use]
        pub fn publishes(mut self, name: impl Into<String>) -> Self {
            self.publishes.push(name.into());
            self
        }
    };
}

pub(crate) use described;
