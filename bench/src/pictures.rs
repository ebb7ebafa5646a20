//! How much CPU it takes to make a picture as large as Odoo keeps it; with `--python` beside Pillow, which does the same to
//! the same files. Ratios below 1 say how much less ours takes.

use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use worker::image::{ImageLimits, Scaling, inspect};

use crate::report::Report;

const PART: &str = "pictures";
const ROUNDS: usize = 9;

/// What a plain worker would write: decode, turn, bound, encode; the third argument says how: as we do, or as Odoo does.
const PILLOW: &str = "
import io, sys, time
from PIL import Image, ImageOps
best = 1e9
data = open(sys.argv[1], 'rb').read()
for _ in range(int(sys.argv[2])):
    start = time.process_time()
    picture = Image.open(io.BytesIO(data))
    kind = picture.format
    picture = ImageOps.exif_transpose(picture)
    picture.thumbnail((1920, 1920), Image.LANCZOS, reducing_gap=None)
    out = io.BytesIO()
    how = {'quality': 90} if kind == 'JPEG' else {}
    if sys.argv[3] == 'odoo':
        how = {'quality': 95, 'optimize': True} if kind == 'JPEG' else {'optimize': True}
    picture.save(out, format=kind, **how)
    best = min(best, time.process_time() - start)
print(best * 1000)
";

pub(crate) fn measure(report: &mut Report, python: Option<&Path>) {
    report.part("Pictures, scaled to what Odoo keeps: CPU of one");
    let folder = tempfile::tempdir().unwrap();
    for (name, format, width, height) in
        [("JPEG", ImageFormat::Jpeg, 3_000, 2_000), ("PNG", ImageFormat::Png, 2_500, 1_000)]
    {
        let bytes = photograph(format, width, height);
        let image = inspect(&bytes, &ImageLimits::default()).unwrap();
        let mut ours = f64::MAX;
        for _ in 0..ROUNDS {
            let began = cpu_ms();
            let fitted = Scaling::default().fit(&image, &bytes).unwrap();
            ours = ours.min(cpu_ms() - began);
            assert!(fitted.bytes.len() < bytes.len());
        }
        let what = format!("{name} of {width} x {height}");
        match python {
            Some(python) => {
                let path = folder.path().join(name);
                std::fs::write(&path, &bytes).unwrap();
                let odoo = ("Pillow as Odoo calls it", pillow(python, &path, "odoo"));
                report.beside(PART, what.clone(), ours, "ms CPU", odoo);
                let plain = ("Pillow", pillow(python, &path, "plain"));
                report.beside(PART, format!("{what}, quality as ours"), ours, "ms CPU", plain);
            }
            None => report.add(PART, what, ours, "ms CPU"),
        }
    }
}

/// CPU time of this thread: the machine may be busy with other work.
fn cpu_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e6
}

/// Smooth shapes with a grain, as cameras see them.
fn photograph(format: ImageFormat, width: u32, height: u32) -> Vec<u8> {
    let mut noise = 12_345_u32;
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = f64::from(noise >> 28) - 8.0;
        let wave = |phase: f64| 128.0 + 90.0 * ((x * 9.0 + phase).sin() * (y * 7.0 - phase).cos()) + grain;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and 255")]
        Rgb([wave(0.0), wave(1.0), wave(2.0)].map(|value| value.clamp(0.0, 255.0) as u8))
    });
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(picture).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn pillow(python: &Path, file: &Path, how: &str) -> f64 {
    let mut command = Command::new(python);
    command.args(["-c", PILLOW]).arg(file).arg(ROUNDS.to_string()).arg(how);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}
