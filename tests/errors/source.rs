//! The sources of the program as syntax: functions with the values that they give names to, constants, and who calls what.

use std::collections::BTreeMap;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Expr, Pat};

/// One function, method or constant's value of one file.
pub(super) struct Function {
    /// Below the top folder, such as `shared/src/failure.rs`.
    pub(super) file: String,
    pub(super) name: String,
    /// Names of the parameters in their order, without `self`.
    pub(super) parameters: Vec<String>,
    pub(super) body: syn::Block,
    /// Whether `Self` is a failure in it.
    pub(super) of_failure: bool,
}

/// `let name = value`, and for tuples which part of the value it is.
#[derive(Clone)]
pub(super) struct Name<'a> {
    pub(super) called: String,
    pub(super) part: Option<usize>,
    pub(super) value: &'a Expr,
}

/// Everything that the program is made from, without its tests.
#[derive(Default)]
pub(super) struct Source {
    pub(super) functions: Vec<Function>,
    /// Texts and numbers of constants, by file and name.
    constants: BTreeMap<(String, String), String>,
    /// `#[error("...")]`: file and text.
    pub(super) causes: Vec<(String, String)>,
}

impl Source {
    /// Of these members, read anew.
    pub(super) fn read(top: &Path, members: &[&str]) -> Self {
        let mut source = Self::default();
        for member in members {
            let mut files = Vec::new();
            collect(&top.join(member).join("src"), &mut files);
            files.sort();
            for path in files {
                let file = path.strip_prefix(top).unwrap().display().to_string();
                let text = std::fs::read_to_string(&path).unwrap();
                let tree = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
                Reader { file, source: &mut source, of_failure: false }.visit_file(&tree);
            }
        }
        source
    }

    /// What a constant holds: of this file, or of another where only one has that name.
    pub(super) fn constant(&self, file: &str, name: &str) -> Option<&String> {
        let here = self.constants.get(&(file.to_owned(), name.to_owned()));
        here.or_else(|| {
            let mut those = self.constants.iter().filter(|((_, known), _)| known == name);
            those.next().filter(|_| those.next().is_none()).map(|(_, text)| text)
        })
    }
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let tests = name.ends_with("tests") || name == "conformance" || name.ends_with("fuzzing");
        if path.is_dir() && !tests {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") && !tests {
            files.push(path);
        }
    }
}

struct Reader<'a> {
    file: String,
    source: &'a mut Source,
    of_failure: bool,
}

impl Reader<'_> {
    fn keep(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let parameters = signature.inputs.iter().filter_map(|input| match input {
            syn::FnArg::Typed(typed) => Some(name_of(&typed.pat).unwrap_or_default()),
            syn::FnArg::Receiver(_) => None,
        });
        self.source.functions.push(Function {
            file: self.file.clone(),
            name: signature.ident.to_string(),
            parameters: parameters.collect(),
            body: body.clone(),
            of_failure: self.of_failure,
        });
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_of_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        let whose = matches!(&*block.self_ty, syn::Type::Path(path) if path.path.is_ident("Failure"));
        self.of_failure = whose;
        visit::visit_item_impl(self, block);
        self.of_failure = false;
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if !is_of_tests(&function.attrs) {
            self.keep(&function.sig, &function.block);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_of_tests(&function.attrs) {
            self.keep(&function.sig, &function.block);
        }
    }

    fn visit_item_const(&mut self, constant: &'ast syn::ItemConst) {
        let text = match &*constant.expr {
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => text.value(),
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. }) => number.base10_digits().to_owned(),
            _ => return,
        };
        self.source.constants.insert((self.file.clone(), constant.ident.to_string()), text);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if attribute.path().is_ident("error")
            && let syn::Meta::List(list) = &attribute.meta
            && let Some(text) = first_text(&list.tokens)
        {
            self.source.causes.push((self.file.clone(), text));
        }
    }
}

fn is_of_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && matches!(&attribute.meta, syn::Meta::List(list) if list.tokens.to_string().contains("test"))
    })
}

/// The first piece of text in what a macro or an attribute is given.
pub(super) fn first_text(tokens: &proc_macro2::TokenStream) -> Option<String> {
    tokens.clone().into_iter().find_map(|token| match token {
        proc_macro2::TokenTree::Literal(literal) => {
            syn::parse_str::<syn::LitStr>(&literal.to_string()).ok().map(|text| text.value())
        }
        _ => None,
    })
}

pub(super) fn name_of(pattern: &Pat) -> Option<String> {
    match pattern {
        Pat::Ident(ident) => Some(ident.ident.to_string()),
        Pat::Type(typed) => name_of(&typed.pat),
        _ => None,
    }
}

/// The names that a `let` gives.
pub(super) fn names_of(local: &syn::Local) -> Vec<Name<'_>> {
    let Some(init) = &local.init else { return Vec::new() };
    let value = &*init.expr;
    match &local.pat {
        Pat::Tuple(tuple) => {
            let parts = tuple.elems.iter().enumerate();
            parts
                .filter_map(|(at, part)| Some(Name { called: name_of(part)?, part: Some(at), value }))
                .collect()
        }
        pattern => {
            name_of(pattern).into_iter().map(|name| Name { called: name, part: None, value }).collect()
        }
    }
}

/// What the positional parts of a `format!` are called by their expressions: `host` for `place.host()`, else `…`.
pub(super) fn positional(tokens: &proc_macro2::TokenStream) -> Vec<String> {
    const SILENT: &[&str] = &[
        "display",
        "to_string",
        "len",
        "words",
        "text",
        "join",
        "name",
        "clone",
        "self",
        "label",
        "path",
        "suggest",
        "variables",
        "zoho_variables",
    ];
    let (mut called, mut last) = (Vec::new(), None::<String>);
    for token in tokens.clone() {
        match token {
            proc_macro2::TokenTree::Punct(mark) if mark.as_char() == ',' => called.push(last.take()),
            proc_macro2::TokenTree::Ident(ident) => {
                let ident = ident.to_string();
                let is_silent = SILENT.contains(&ident.as_str())
                    || ident.starts_with("as_")
                    || ident.starts_with("unwrap_or");
                if !is_silent || (ident == "path" && last.is_none()) {
                    last = Some(ident);
                }
            }
            _ => {}
        }
    }
    called.push(last);
    let shown = |name: Option<String>| {
        name.map_or_else(|| "…".to_owned(), |name| format!("‹{}›", name.replace('_', " ")))
    };
    called.into_iter().skip(1).map(shown).collect()
}
