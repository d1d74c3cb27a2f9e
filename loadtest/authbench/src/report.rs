//! `authbench report`: every report of a run, rebuilt from its record.

use crate::cli;
use crate::exit::{Failure, Outcome};

pub(crate) fn run(asked: &cli::Report) -> Outcome {
    let record = engine::record::read(&asked.run).map_err(Failure::usage)?;
    let folder = if asked.run.is_dir() { asked.run.clone() } else { asked.run.with_file_name("") };
    ::report::write(&folder, &record)?;
    print!("{}", ::report::summary(&record)?);
    println!("{}", folder.display());
    Ok(())
}
