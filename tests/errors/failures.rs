//! Where the code makes a failure, and what that one says.

use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprMethodCall};

use super::sentence::Scope;
use super::source::{Function, Name, Source, name_of, names_of};

/// The functions of a failure that make one.
const MAKERS: &[&str] = &["new", "transient", "permanent", "systemic", "configuration", "interrupted"];

/// Who is called from more places than that, and knows what to do, is listed once, with a placeholder.
const MOST_CALLS: usize = 12;

/// One place that makes a failure.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) file: String,
    pub(super) function: String,
    pub(super) class: String,
    pub(super) reason: String,
    /// Each sentence that it may be.
    pub(super) says: Vec<String>,
    /// Each advice that it may give.
    pub(super) advice: Vec<String>,
}

/// Every failure that the program makes, in the order of its files.
pub(super) fn failures(source: &Source) -> Vec<Told> {
    let mut told = Vec::new();
    for function in source.functions.iter().filter(|function| function.file != "shared/src/failure.rs") {
        for made in made_in(function) {
            told.extend(made.told(source, function));
        }
    }
    told
}

/// A call that makes a failure, and the advice that is given with it.
struct Made<'a> {
    call: &'a ExprCall,
    how: String,
    advice: Vec<&'a Expr>,
    /// The name it has, if it gets one: what is advised to that is advised to it.
    name: Option<String>,
    /// The closure it stands in, where that is what has the name.
    closure: Option<&'a syn::ExprClosure>,
    names: Vec<Name<'a>>,
}

impl Made<'_> {
    fn told(&self, source: &Source, function: &Function) -> Vec<Told> {
        let arguments: Vec<&Expr> = self.call.args.iter().collect();
        let scope = Scope::new(source, function, self.names.clone());
        let label = |expression: &Expr| {
            let labels: Vec<String> =
                scope.variants(expression).iter().map(|variant| label(variant)).collect();
            if labels.is_empty() { "of its cause".to_owned() } else { labels.join(" or ") }
        };
        let (class, reason, sentence) = match (self.how.as_str(), arguments.as_slice()) {
            ("new", [class, reason, sentence]) => (label(class), label(reason), *sentence),
            ("configuration", [sentence]) => ("systemic".to_owned(), "configuration".to_owned(), *sentence),
            ("interrupted", [sentence]) => ("interrupted".to_owned(), "stopped".to_owned(), *sentence),
            (class, [reason, sentence]) => (class.to_owned(), label(reason), *sentence),
            (how, _) => panic!("{} {}: {how}", function.file, function.name),
        };
        let of = |says: Vec<String>, advice: Vec<String>| Told {
            file: function.file.clone(),
            function: function.name.clone(),
            class: class.clone(),
            reason: reason.clone(),
            says: if says.is_empty() { vec!["…".to_owned()] } else { says },
            advice,
        };
        let own = advice_of(&scope, &self.advice);
        if matches!(sentence, Expr::Path(_)) && own.is_empty() && scope.texts(sentence).is_empty() {
            return Vec::new(); // a closure that passes another's words on
        }
        let (parameters, calls) = match (self.closure, &self.name) {
            (Some(closure), Some(name)) => {
                let parameters = closure.inputs.iter().map(|input| name_of(input).unwrap_or_default());
                (parameters.collect(), calls_in(function, name))
            }
            _ => (function.parameters.clone(), calls_of(source, function)),
        };
        if !parameters.iter().any(|parameter| mentions(sentence, parameter, &self.names)) || calls.is_empty()
        {
            return vec![of(scope.texts(sentence), own)];
        }
        if calls.len() > MOST_CALLS && !own.is_empty() {
            return vec![of(scope.texts(sentence), own)];
        }
        // The sentence is another's: it is told as each of these says it.
        let mut told: Vec<(bool, Told)> = Vec::new();
        for Call { caller, arguments, advice, names } in calls {
            let outer = Scope::new(source, caller, names);
            let mut inner = scope.clone();
            let short = parameters.len().saturating_sub(arguments.len());
            for (parameter, argument) in parameters.iter().skip(short).zip(&arguments) {
                let texts = outer.texts(argument);
                if !texts.is_empty() {
                    inner.given.insert(parameter.clone(), texts);
                }
            }
            let mut advised = advice_of(&outer, &advice);
            if advised.is_empty() {
                advised = advice_of(&inner, &self.advice);
            }
            told.push((inner.given.is_empty(), of(inner.texts(sentence), advised)));
        }
        // A closure that passes another's words on says nothing new.
        let known = told.iter().any(|(silent, _)| !silent);
        told.retain(|(silent, _)| !(known && *silent));
        told.into_iter().map(|(_, told)| told).collect()
    }
}

fn advice_of(scope: &Scope<'_>, advice: &[&Expr]) -> Vec<String> {
    let mut texts = Vec::new();
    for expression in advice {
        let known = scope.texts(expression);
        texts.extend(if known.is_empty() { vec!["…".to_owned()] } else { known });
    }
    texts.dedup();
    texts
}

/// `systemic` of `Systemic`, `bad_record` of `BadRecord`.
fn label(variant: &str) -> String {
    let mut label = String::new();
    for letter in variant.chars() {
        if letter.is_ascii_uppercase() && !label.is_empty() {
            label.push('_');
        }
        label.push(letter.to_ascii_lowercase());
    }
    label
}

/// Whether this name is in an expression, or in what a name in it stands for.
fn mentions(expression: &Expr, name: &str, names: &[Name<'_>]) -> bool {
    struct Search<'a>(&'a str, Vec<String>);
    impl<'ast> Visit<'ast> for Search<'_> {
        fn visit_ident(&mut self, ident: &'ast proc_macro2::Ident) {
            self.1.push(ident.to_string());
        }
        fn visit_macro(&mut self, call: &'ast syn::Macro) {
            let text = call.tokens.to_string();
            if text.contains(&format!("{{{}}}", self.0)) {
                self.1.push(self.0.to_owned());
            }
        }
    }
    let mut search = Search(name, Vec::new());
    search.visit_expr(expression);
    search.1.iter().any(|found| found == name)
        || names.iter().any(|known| {
            (search.1.contains(&known.called) || search.1.iter().any(|text| text.contains(&known.called)))
                && {
                    let mut deeper = Search(name, Vec::new());
                    deeper.visit_expr(known.value);
                    deeper.1.iter().any(|found| found == name)
                }
        })
}

/// A call of a function that makes a failure.
struct Call<'a> {
    caller: &'a Function,
    arguments: Vec<&'a Expr>,
    advice: Vec<&'a Expr>,
    names: Vec<Name<'a>>,
}

/// Who calls this function by name in its folder, or else its crate.
fn calls_of<'a>(source: &'a Source, function: &Function) -> Vec<Call<'a>> {
    let (folder, _) = function.file.rsplit_once('/').unwrap();
    let (member, _) = function.file.split_once('/').unwrap();
    let below = |folder: &str| {
        let mut found = Vec::new();
        for caller in source.functions.iter().filter(|other| other.file.starts_with(folder)) {
            found.extend(calls_in(caller, &function.name));
        }
        found
    };
    let namesakes =
        source.functions.iter().filter(|other| other.name == function.name && other.file != function.file);
    if namesakes.count() > 0 {
        return below(&function.file);
    }
    let near = below(folder);
    if near.is_empty() { below(member) } else { near }
}

fn calls_in<'a>(caller: &'a Function, name: &str) -> Vec<Call<'a>> {
    let mut walk = Walk::of(caller, Some(name));
    walk.visit_block(&caller.body);
    walk.calls
}

fn made_in(function: &Function) -> Vec<Made<'_>> {
    let mut walk = Walk::of(function, None);
    walk.visit_block(&function.body);
    for made in &mut walk.made {
        let own = walk.advised.iter().filter(|(name, _)| Some(name) == made.name.as_ref());
        made.advice.extend(own.map(|(_, advice)| *advice));
    }
    walk.made
}

/// Goes through a function with what has a name at each place.
struct Walk<'a, 'n> {
    function: &'a Function,
    /// The function whose calls are looked for.
    wanted: Option<&'n str>,
    calls: Vec<Call<'a>>,
    made: Vec<Made<'a>>,
    names: Vec<Name<'a>>,
    /// The advice behind the expression that is looked at, and the name that it gets.
    advice: Vec<&'a Expr>,
    name: Option<String>,
    closure: Option<&'a syn::ExprClosure>,
    /// What is advised to a failure by its name.
    advised: Vec<(String, &'a Expr)>,
}

impl<'a, 'n> Walk<'a, 'n> {
    fn of(function: &'a Function, wanted: Option<&'n str>) -> Self {
        Self {
            function,
            wanted,
            calls: Vec::new(),
            made: Vec::new(),
            names: Vec::new(),
            advice: Vec::new(),
            name: None,
            closure: None,
            advised: Vec::new(),
        }
    }

    fn called(&mut self, name: &syn::Ident, arguments: Vec<&'a Expr>, advice: Vec<&'a Expr>) {
        if self.wanted.is_some_and(|wanted| name == wanted) {
            self.calls.push(Call { caller: self.function, arguments, advice, names: self.names.clone() });
        }
    }
}

impl<'a> Visit<'a> for Walk<'a, '_> {
    fn visit_block(&mut self, block: &'a syn::Block) {
        let before = self.names.len();
        visit::visit_block(self, block);
        self.names.truncate(before);
    }

    fn visit_local(&mut self, local: &'a syn::Local) {
        let names = names_of(local);
        let outer = std::mem::replace(&mut self.name, names.first().map(|name| name.called.clone()));
        let closure = local.init.as_ref().and_then(|init| match &*init.expr {
            Expr::Closure(closure) => Some(closure),
            _ => None,
        });
        let around = std::mem::replace(&mut self.closure, closure);
        visit::visit_local(self, local);
        (self.name, self.closure) = (outer, around);
        self.names.extend(names);
    }

    fn visit_expr_call(&mut self, call: &'a ExprCall) {
        let advice = std::mem::take(&mut self.advice);
        if let Expr::Path(path) = &*call.func {
            let names: Vec<&syn::Ident> = path.path.segments.iter().map(|segment| &segment.ident).collect();
            if let [.., whose, how] = names.as_slice()
                && (*whose == "Failure" || (*whose == "Self" && self.function.of_failure))
                && MAKERS.iter().any(|maker| *how == maker)
            {
                self.made.push(Made {
                    call,
                    how: how.to_string(),
                    advice: advice.clone(),
                    name: self.name.clone(),
                    closure: self.closure,
                    names: self.names.clone(),
                });
            }
            if let Some(name) = names.last() {
                self.called(name, call.args.iter().collect(), advice);
            }
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'a ExprMethodCall) {
        let mut advice = std::mem::take(&mut self.advice);
        if call.method == "advise" {
            advice.extend(call.args.iter());
            if let Expr::Path(path) = &*call.receiver
                && let Some(name) = path.path.get_ident()
            {
                self.advised.extend(call.args.iter().map(|argument| (name.to_string(), argument)));
            }
        }
        self.called(&call.method, call.args.iter().collect(), advice.clone());
        self.advice = advice;
        self.visit_expr(&call.receiver);
        self.advice = Vec::new();
        for argument in &call.args {
            self.visit_expr(argument);
        }
    }
}
