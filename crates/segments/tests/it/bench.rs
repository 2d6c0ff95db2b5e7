//! What an append costs. Run with `--ignored --nocapture`, alone.

use mainstay_core::time::DataTime;
use mainstay_segments::log::{Durability, LogOptions};

use crate::scratch::open;

const RECORDS: u32 = 400_000;

/// Nanoseconds that this process has spent on a processor (Linux, proc(5), `schedstat`), all threads.
fn cpu_nanos() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let nanos = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0)
    };
    tasks.map(|task| nanos(task.unwrap().path())).sum()
}

#[test]
#[ignore = "a measurement"]
fn cost_of_an_append() {
    let payload = [0x5a; 300];
    for threads in [1, 2, 8] {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path(), LogOptions::default());
        let each = RECORDS / threads;
        let mut spent = Vec::new();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(|| {
                        for n in 0..each {
                            log.append(DataTime::from_micros(n.into()), &payload, Durability::Written)
                                .unwrap();
                        }
                        let own = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
                        own.split(' ').next().unwrap().parse::<u64>().unwrap()
                    })
                })
                .collect();
            spent.extend(workers.into_iter().map(|worker| worker.join().unwrap()));
        });
        let micros = spent.iter().sum::<u64>() as f64 / 1_000.0 / f64::from(each * threads);
        println!("append of 300 bytes, written, {threads} threads: {micros:.3} µs CPU each");
        let before = cpu_nanos();
        log.rotate();
        let sealed = log.seal_closed().unwrap();
        let bytes: u64 = sealed.iter().map(|segment| segment.bytes).sum();
        let nanos = (cpu_nanos() - before) as f64;
        println!("sealing {} segments: {:.2} ns CPU per byte", sealed.len(), nanos / bytes as f64);
    }
}
