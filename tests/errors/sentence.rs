//! What an expression says: its texts, with `…` for what is only known when it happens.

use std::collections::BTreeMap;

use syn::{Expr, Stmt};

use super::source::{Function, Name, Source, first_text, names_of, positional};

/// More ways to say one sentence than a reader wants to see: then the part that differs stays a placeholder.
const MOST_WAYS: usize = 12;
/// Functions that call functions for a text: more deeply nobody looks.
const DEPTH: usize = 4;

/// Where an expression stands: its function, and what the parameters of that are.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    pub(super) source: &'a Source,
    pub(super) function: &'a Function,
    /// What was given a name before, in the blocks around.
    pub(super) names: Vec<Name<'a>>,
    pub(super) given: BTreeMap<String, Vec<String>>,
    depth: usize,
}

impl<'a> Scope<'a> {
    pub(super) fn new(source: &'a Source, function: &'a Function, names: Vec<Name<'a>>) -> Self {
        Self { source, function, names, given: BTreeMap::new(), depth: 0 }
    }

    /// Each text that this may be; none where nothing of it is known.
    pub(super) fn texts(&self, expression: &Expr) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        for leaf in leaves(expression) {
            for text in self.leaf(leaf) {
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
        }
        texts
    }

    /// The last names of the paths that this may be, such as `Missing` of `Reason::Missing`.
    pub(super) fn variants(&self, expression: &Expr) -> Vec<String> {
        let mut found = Vec::new();
        for leaf in leaves(expression) {
            let Expr::Path(path) = leaf else { continue };
            let name = path.path.segments.last().unwrap().ident.to_string();
            if path.path.segments.len() > 1 {
                found.push(name);
            } else {
                let (values, before) = self.values(&name);
                found.extend(values.into_iter().flat_map(|value| before.variants(value)));
            }
        }
        found.dedup();
        found
    }

    /// What the last `let` gave this name, and what was named before that.
    fn values(&self, name: &str) -> (Vec<&'a Expr>, Self) {
        let mut before = Self { depth: self.depth + 1, ..self.clone() };
        let Some(at) = self.names.iter().rposition(|known| known.called == name) else {
            return (Vec::new(), before);
        };
        let found = &self.names[at];
        before.names.truncate(at);
        let Some(part) = found.part else { return (vec![found.value], before) };
        let parts = leaves(found.value).into_iter().filter_map(|leaf| match leaf {
            Expr::Tuple(tuple) => tuple.elems.iter().nth(part),
            _ => None,
        });
        (parts.collect(), before)
    }

    fn leaf(&self, leaf: &Expr) -> Vec<String> {
        match leaf {
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => vec![text.value()],
            Expr::Macro(call) if call.mac.path.is_ident("format") => {
                let parts = positional(&call.mac.tokens);
                first_text(&call.mac.tokens).map_or_else(Vec::new, |text| self.filled(&text, parts))
            }
            Expr::Path(path) => path.path.get_ident().map_or_else(Vec::new, |name| {
                let name = name.to_string();
                self.named(&name)
            }),
            Expr::Call(call) => match &*call.func {
                Expr::Path(path) => {
                    let name = path.path.segments.last().unwrap().ident.to_string();
                    self.called(&name, &call.args.iter().collect::<Vec<_>>())
                }
                _ => Vec::new(),
            },
            Expr::MethodCall(call) if call.args.is_empty() || call.method == "replace" => {
                let texts = self.texts(&call.receiver);
                if texts.is_empty() { self.called(&call.method.to_string(), &[]) } else { texts }
            }
            _ => Vec::new(),
        }
    }

    /// What stands behind a name: a parameter's texts, a local's or a constant's.
    fn named(&self, name: &str) -> Vec<String> {
        if self.depth > DEPTH {
            return Vec::new();
        }
        let (values, before) = self.values(name);
        if !values.is_empty() {
            return values.into_iter().flat_map(|value| before.texts(value)).collect();
        }
        if let Some(texts) = self.given.get(name) {
            return texts.clone();
        }
        self.source.constant(&self.function.file, name).cloned().into_iter().collect()
    }

    /// What a closure or a function of the same file says, given these.
    fn called(&self, name: &str, arguments: &[&Expr]) -> Vec<String> {
        if self.depth > DEPTH {
            return Vec::new();
        }
        let (values, before) = self.values(name);
        for value in values {
            if let Expr::Closure(closure) = value {
                let mut inner = before.clone();
                for (parameter, argument) in closure.inputs.iter().zip(arguments) {
                    if let syn::Pat::Ident(ident) = parameter {
                        inner.given.insert(ident.ident.to_string(), self.texts(argument));
                    }
                }
                return inner.texts(&closure.body);
            }
        }
        let here = |function: &&Function| function.file == self.function.file && function.name == name;
        let Some(function) = self.source.functions.iter().find(here) else { return Vec::new() };
        let top = function.body.stmts.iter().filter_map(|statement| match statement {
            Stmt::Local(local) => Some(names_of(local)),
            _ => None,
        });
        let mut inner = Scope::new(self.source, function, top.flatten().collect());
        inner.depth = self.depth + 1;
        for (parameter, argument) in function.parameters.iter().zip(arguments) {
            inner.given.insert(parameter.clone(), self.texts(argument));
        }
        tail(&function.body).map_or_else(Vec::new, |end| inner.texts(end))
    }

    /// A format with its named parts put in where they are known.
    fn filled(&self, format: &str, positional: Vec<String>) -> Vec<String> {
        let mut positional = positional.into_iter();
        let mut texts = vec![String::new()];
        let mut rest = format;
        while let Some((before, after)) = rest.split_once('{') {
            for text in &mut texts {
                text.push_str(before);
            }
            if let Some(after) = after.strip_prefix('{') {
                for text in &mut texts {
                    text.push('{');
                }
                rest = after;
                continue;
            }
            let (inside, after) = after.split_once('}').unwrap();
            let name = inside.split(':').next().unwrap();
            let known = self.named(name);
            let known = if known.is_empty() || known.len() * texts.len() > MOST_WAYS {
                vec![if name.is_empty() {
                    positional.next().unwrap_or_else(|| "…".to_owned())
                } else {
                    format!("‹{}›", name.replace('_', " ").to_lowercase())
                }]
            } else {
                known
            };
            texts = texts.iter().flat_map(|text| known.iter().map(move |part| text.clone() + part)).collect();
            rest = after;
        }
        texts.iter().map(|text| format!("{text}{}", rest.replace("}}", "}"))).collect()
    }
}

/// The expressions that an expression may come to: the arms of a `match`, both sides of an `if`.
fn leaves(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::Match(choice) => choice.arms.iter().flat_map(|arm| leaves(&arm.body)).collect(),
        Expr::If(choice) => {
            let mut both: Vec<&Expr> = tail(&choice.then_branch).map_or_else(Vec::new, leaves);
            if let Some((_, other)) = &choice.else_branch {
                both.extend(leaves(other));
            }
            both
        }
        Expr::Block(block) => tail(&block.block).map_or_else(Vec::new, leaves),
        Expr::Paren(inner) => leaves(&inner.expr),
        Expr::Group(inner) => leaves(&inner.expr),
        Expr::Reference(inner) => leaves(&inner.expr),
        Expr::Return(inner) => inner.expr.as_deref().map_or_else(Vec::new, leaves),
        Expr::MethodCall(call)
            if ["to_owned", "to_string", "into", "clone", "as_str"]
                .contains(&call.method.to_string().as_str()) =>
        {
            leaves(&call.receiver)
        }
        other => vec![other],
    }
}

fn tail(block: &syn::Block) -> Option<&Expr> {
    match block.stmts.last() {
        Some(Stmt::Expr(end, _)) => Some(end),
        _ => None,
    }
}
