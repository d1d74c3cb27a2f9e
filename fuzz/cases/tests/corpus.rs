//! Runs every case over its saved inputs.

use std::path::Path;

#[test]
fn saved_inputs_pass() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("cases lie in fuzz").join("corpus");
    for (name, case) in cases::ALL {
        let folder = corpus.join(name);
        let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut count = 0;
        for file in files {
            let path = file.expect("the folder can be read").path();
            let data = std::fs::read(&path).expect("the file can be read");
            std::panic::catch_unwind(|| case(&data)).unwrap_or_else(|_| panic!("{} fails", path.display()));
            count += 1;
        }
        assert!(count >= 5, "{name} has {count} inputs");
    }
}
