//! Man pages and completions of the command, from its own table of arguments.

// What the command does with them is not called here.
#[allow(dead_code, unreachable_pub)]
#[path = "../../cli/src/args.rs"]
mod args;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_complete::aot::{Generator as _, generate};

/// The command as it is installed, and its short name.
const NAME: &str = "lb-log";
const SHORT: &str = "lb";

/// Where a shell looks below `share` for the completions of a command.
fn place(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => "bash-completion/completions",
        Shell::Fish => "fish/vendor_completions.d",
        _ => "zsh/site-functions",
    }
}

/// Writes everything below `share`, in the layout of an installation.
pub(crate) fn write(share: &Path) -> Result<()> {
    let pages = share.join("man/man1");
    fs::create_dir_all(&pages)
        .and_then(|()| clap_mangen::generate_to(command(NAME), &pages))
        .and_then(|()| fs::write(pages.join("lb.1"), format!(".so man1/{NAME}.1\n")))
        .with_context(|| pages.display().to_string())?;
    for name in [NAME, SHORT] {
        for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
            let folder = share.join(place(shell));
            // bash-completion looks for the command's bare name.
            let file = if shell == Shell::Bash { name.to_owned() } else { shell.file_name(name) };
            let mut text = Vec::new();
            generate(shell, &mut command(name), name, &mut text);
            fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
            let path = folder.join(file);
            fs::write(&path, text).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

fn command(name: &'static str) -> Command {
    args::Cli::command().name(name).bin_name(name)
}
