//! The resources of the lasting sidecars, sampled once a second: resident memory, descriptors, threads.

use std::fmt::{self, Write};
use std::fs;
use std::sync::{Mutex, MutexGuard};

#[derive(Debug, Default)]
pub struct Gauge(Mutex<Vec<Vec<Sample>>>);

#[derive(Clone, Copy, Debug)]
struct Sample {
    resident_mib: f64,
    descriptors: usize,
    threads: usize,
}

/// With fewer samples of one process, most of them are from the first minutes, in which caches fill.
const ENOUGH: usize = 120;

impl Gauge {
    /// Samples the process `pid`, which is the sidecar `index`.
    pub fn look(&self, index: usize, pid: u32) {
        let Some(sample) = Sample::of(pid) else { return };
        let mut all = self.samples();
        while all.len() <= index {
            all.push(Vec::new());
        }
        all[index].push(sample);
    }

    /// No resource is ever held without a limit, and over a long day none grows.
    pub fn check(&self) {
        for samples in self.samples().iter() {
            let most = samples.iter().map(|sample| sample.descriptors).max().expect("it was looked at");
            let resident = samples.iter().map(|sample| sample.resident_mib).fold(0.0, f64::max);
            assert!(most < 100 && resident < 100.0, "{most} descriptors, {resident:.1} MiB");
            if samples.len() < ENOUGH {
                continue;
            }
            let (early, late) = (quarter(samples, 1), quarter(samples, 3));
            let middle = |of: &[Sample], what: fn(&Sample) -> f64| {
                let mut values: Vec<f64> = of.iter().map(what).collect();
                values.sort_by(f64::total_cmp);
                values[values.len() / 2]
            };
            let (before, after) = (middle(early, |s| s.resident_mib), middle(late, |s| s.resident_mib));
            assert!(after < before * 1.15 + 2.0, "resident memory grew from {before:.1} to {after:.1} MiB");
            let (before, after) =
                (middle(early, |s| s.descriptors as f64), middle(late, |s| s.descriptors as f64));
            assert!(after < before + 8.0, "descriptors grew from {before} to {after}");
            let (before, after) = (middle(early, |s| s.threads as f64), middle(late, |s| s.threads as f64));
            assert!(after < before + 8.0, "threads grew from {before} to {after}");
        }
    }

    /// Resident memory and descriptors over time, one line for each sidecar.
    pub fn svg(&self) -> String {
        let all = self.samples();
        let mut svg = String::from(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 400\" font-family=\"sans-serif\" font-size=\"12\">\n",
        );
        draw(&mut svg, &all, 20, "resident, MiB", |sample| sample.resident_mib);
        draw(&mut svg, &all, 210, "descriptors", |sample| sample.descriptors as f64);
        svg.push_str("</svg>\n");
        svg
    }

    fn samples(&self) -> MutexGuard<'_, Vec<Vec<Sample>>> {
        self.0.lock().expect("nobody panics while looking")
    }
}

impl Sample {
    /// `None` when the process has ended.
    fn of(pid: u32) -> Option<Sample> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let number = |name: &str| -> Option<f64> {
            status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
        };
        Some(Sample {
            resident_mib: number("VmRSS:")? / 1024.0,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count(),
            threads: number("Threads:")? as usize,
        })
    }
}

impl fmt::Display for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, samples) in self.samples().iter().enumerate() {
            let (Some(first), Some(last)) = (samples.first(), samples.last()) else { continue };
            let most = samples.iter().map(|sample| sample.resident_mib).fold(0.0, f64::max);
            writeln!(
                f,
                "sidecar {index}: {:.1} MiB at first, {:.1} at last, {most:.1} at most; descriptors {} and {}, threads {} and {}",
                first.resident_mib,
                last.resident_mib,
                first.descriptors,
                last.descriptors,
                first.threads,
                last.threads,
            )?;
        }
        Ok(())
    }
}

/// The nth quarter, from 0.
fn quarter(samples: &[Sample], nth: usize) -> &[Sample] {
    let size = samples.len() / 4;
    &samples[nth * size..(nth + 1) * size]
}

fn draw(svg: &mut String, all: &[Vec<Sample>], top: usize, title: &str, what: fn(&Sample) -> f64) {
    const COLOURS: [&str; 4] = ["#1b6ca8", "#c44e1a", "#3b8a3e", "#7a4fa3"];
    let (left, width, height) = (60.0, 560.0, 150.0);
    let most = all.iter().flatten().map(what).fold(1.0, f64::max);
    let bottom = top as f64 + height;
    let _ = writeln!(svg, "<text x=\"{left}\" y=\"{}\">{title}, at most {most:.1}</text>", top - 4);
    let _ =
        writeln!(svg, "<path d=\"M{left} {top}V{bottom}H{}\" stroke=\"#888\" fill=\"none\"/>", left + width);
    for (samples, colour) in all.iter().zip(COLOURS.iter().cycle()) {
        // More points than pixels only make the file larger.
        let step = samples.len().div_ceil(560).max(1);
        let points: Vec<String> = samples
            .iter()
            .enumerate()
            .step_by(step)
            .map(|(at, sample)| {
                let x = left + width * at as f64 / samples.len() as f64;
                format!("{x:.1},{:.1}", bottom - height * what(sample) / most)
            })
            .collect();
        let _ =
            writeln!(svg, "<polyline points=\"{}\" stroke=\"{colour}\" fill=\"none\"/>", points.join(" "));
    }
}
