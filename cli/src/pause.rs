//! `pause` and `resume`: a pipeline stands still for all processes, until a person says otherwise.

use shared::config::Config;
use shared::failure::Failure;
use shared::fleet::{Pause, Scope};

use crate::arguments::{PauseArguments, Resume};
use crate::exit::Exit;
use crate::output::Output;
use crate::state::open_state;

pub(crate) async fn pause(config: &Config, arguments: &PauseArguments) -> Result<Exit, Failure> {
    let scope = scope(arguments.images);
    for pipeline in config.choose(std::slice::from_ref(&arguments.pipeline))? {
        Pause::by_hand(&open_state(config).await?, &pipeline.name, scope, &arguments.why).await?;
        Output::new(false).line(format!(
            "{}: paused; `catalog-sync resume {}` lets it go on",
            what(&pipeline.name, scope),
            with_flag(&pipeline.name, scope)
        ));
    }
    Ok(Exit::Done)
}

pub(crate) async fn resume(config: &Config, arguments: &Resume) -> Result<Exit, Failure> {
    let scope = scope(arguments.images);
    for pipeline in config.choose(std::slice::from_ref(&arguments.pipeline))? {
        let was_paused = Pause::end(&open_state(config).await?, &pipeline.name, scope).await?;
        let says = if was_paused { "goes on" } else { "was not paused" };
        Output::new(false).line(format!("{}: {says}", what(&pipeline.name, scope)));
    }
    Ok(Exit::Done)
}

fn scope(images: bool) -> Scope {
    if images { Scope::Images } else { Scope::Pipeline }
}

fn what(pipeline: impl std::fmt::Display, scope: Scope) -> String {
    match scope {
        Scope::Pipeline => pipeline.to_string(),
        Scope::Images => format!("images of {pipeline}"),
    }
}

fn with_flag(pipeline: impl std::fmt::Display, scope: Scope) -> String {
    match scope {
        Scope::Pipeline => pipeline.to_string(),
        Scope::Images => format!("{pipeline} --images"),
    }
}
