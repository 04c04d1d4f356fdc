//! Conversion by ffmpeg, where there is one: sounds to Opus for Matrix, sounds and videos to what Instagram takes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::Semaphore;

use super::spool::{Spooled, empty_file};

/// Conversions at once: each keeps a core busy. Sounds take moments and do not wait for videos.
static SOUNDS: Semaphore = Semaphore::const_new(1);
static VIDEOS: Semaphore = Semaphore::const_new(1);
/// A conversion that takes longer is ended.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a voice message waits for its turn; after that it goes on as it is.
const TURN: Duration = Duration::from_secs(30);

/// The converter found at start.
#[derive(Clone, Debug)]
pub struct Converter {
    program: PathBuf,
}

/// Why a file was not converted.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// It could not be run, or took too long.
    #[error("the converter did not run: {0}")]
    Run(String),
    /// Others are being converted.
    #[error("the converter is busy")]
    Busy,
    /// It ran and did not like the file.
    #[error("the converter does not understand the file")]
    Refused,
}

/// What a sound or video is, as far as the converter says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Probe {
    /// How long it is.
    pub duration: Option<Duration>,
    /// ffmpeg's name of the moving pictures' codec, such as `h264`.
    pub video: Option<String>,
    /// Width and height in pixels, as they are to be shown.
    pub dimensions: Option<(u32, u32)>,
    /// ffmpeg's name of the sound's codec, such as `aac`.
    pub audio: Option<String>,
}

impl Converter {
    /// Finds the program: the configured one, else `ffmpeg` in the search path.
    pub fn find(configured: Option<&Path>) -> Option<Self> {
        if let Some(program) = configured {
            return program.is_file().then(|| Self { program: program.to_owned() });
        }
        let path = std::env::var_os("PATH")?;
        let program =
            std::env::split_paths(&path).map(|directory| directory.join("ffmpeg")).find(|file| file.is_file())?;
        Some(Self { program })
    }

    /// Sound as Ogg/Opus, as Matrix clients like their voice messages.
    pub async fn to_opus(&self, source: &Spooled, directory: &Path) -> Result<Spooled, ConvertError> {
        let turn = tokio::time::timeout(TURN, SOUNDS.acquire()).await.map_err(|_| ConvertError::Busy)?;
        let _permit = turn.ok();
        self.run(source, directory, &["-vn", "-c:a", "libopus", "-b:a", "48k", "-ar", "48000", "-f", "ogg"]).await
    }

    /// Sound as AAC in MP4, as Instagram takes it.
    pub async fn to_m4a(&self, source: &Spooled, directory: &Path) -> Result<Spooled, ConvertError> {
        let _permit = SOUNDS.acquire().await.ok();
        let arguments =
            ["-vn", "-c:a", "aac", "-b:a", "64k", "-ar", "44100", "-ac", "1", "-movflags", "+faststart", "-f", "ipod"];
        self.run(source, directory, &arguments).await
    }

    /// Moving pictures as MP4 with H.264 and AAC, as Instagram takes them.
    pub async fn to_mp4(&self, source: &Spooled, directory: &Path) -> Result<Spooled, ConvertError> {
        let _permit = VIDEOS.acquire().await.ok();
        let arguments = [
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-crf",
            "23",
            "-pix_fmt",
            "yuv420p",
            "-vf",
            "scale='min(1280,iw)':'min(1280,ih)':force_original_aspect_ratio=decrease:force_divisible_by=2",
            "-c:a",
            "aac",
            "-b:a",
            "128k",
            "-ac",
            "2",
            "-movflags",
            "+faststart",
            "-f",
            "mp4",
        ];
        self.run(source, directory, &arguments).await
    }

    /// Looks into a sound or video. What cannot be told is none.
    pub async fn probe(&self, source: &Spooled) -> Probe {
        let mut command = Command::new(&self.program);
        command
            .args(["-hide_banner", "-nostdin", "-protocol_whitelist", "file", "-i"])
            .arg(source.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        match tokio::time::timeout(TURN, command.output()).await {
            Ok(Ok(output)) => read_probe(&String::from_utf8_lossy(&output.stderr)),
            _ => Probe::default(),
        }
    }

    async fn run(&self, source: &Spooled, directory: &Path, arguments: &[&str]) -> Result<Spooled, ConvertError> {
        let target = empty_file(directory).map_err(|error| ConvertError::Run(error.to_string()))?;
        let mut command = Command::new(&self.program);
        command
            .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-y", "-threads", "1"])
            // Only files: a playlist from outside must not make it fetch addresses.
            .args(["-protocol_whitelist", "file", "-i"])
            .arg(source.path())
            .args(["-map_metadata", "-1"])
            .args(arguments)
            .arg(&target)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let status = tokio::time::timeout(PATIENCE, command.status())
            .await
            .map_err(|_| ConvertError::Run("it took too long".to_owned()))?
            .map_err(|error| ConvertError::Run(error.to_string()))?;
        let converted = Spooled::adopt(target).await.map_err(|error| ConvertError::Run(error.to_string()))?;
        if !status.success() || converted.size() == 0 {
            return Err(ConvertError::Refused);
        }
        Ok(converted)
    }
}

/// Reads what ffmpeg says about a file: a line with the length, and one for each stream.
fn read_probe(text: &str) -> Probe {
    let mut probe = Probe { duration: read_duration(text), ..Probe::default() };
    let mut lies = false;
    for line in text.lines() {
        let codec = |kind| {
            let (_, rest) = line.split_once(kind).filter(|_| line.trim_start().starts_with("Stream #"))?;
            Some(rest.split([' ', ',']).next()?.to_owned())
        };
        if let Some(codec) = codec("Video: ").filter(|_| probe.video.is_none()) {
            probe.video = Some(codec);
            probe.dimensions = line.split([' ', ',']).find_map(|word| {
                let (width, height) = word.split_once('x')?;
                Some((width.parse().ok()?, height.parse().ok()?))
            });
        }
        probe.audio = probe.audio.take().or_else(|| codec("Audio: "));
        lies |= line.contains("rotation of 90.") || line.contains("rotation of -90.");
    }
    if lies {
        probe.dimensions = probe.dimensions.map(|(width, height)| (height, width));
    }
    probe
}

/// Reads `Duration: 00:01:02.34` from what ffmpeg says about a file.
fn read_duration(text: &str) -> Option<Duration> {
    let (_, rest) = text.split_once("Duration: ")?;
    let mut parts = rest.split([',', '\n']).next()?.trim().split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let seconds: f64 = seconds.parse().ok()?;
    let whole: f64 = hours.parse::<f64>().ok()? * 3600.0 + minutes.parse::<f64>().ok()? * 60.0 + seconds;
    Duration::try_from_secs_f64(whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read() {
        let text = "Input #0, mov, from 'x':\n  Duration: 00:01:02.50, start: 0.000000, bitrate: 64 kb/s\n";
        assert_eq!(read_duration(text), Some(Duration::from_millis(62_500)));
        assert_eq!(read_duration("Duration: N/A, start"), None);
    }

    #[test]
    fn what_a_video_is_is_read() {
        let text = "  Duration: 00:00:02.00, start: 0.0\n  Stream #0:0[0x1](und): Video: hevc (Main) (hvc1 / 0x31637668), \
            yuv420p(tv, bt709), 1920x1080 [SAR 1:1 DAR 16:9], 60 kb/s\n    Side data:\n      displaymatrix: rotation of \
            -90.00 degrees\n  Stream #0:1[0x2](und): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, mono\n";
        let probe = read_probe(text);
        assert_eq!((probe.video.as_deref(), probe.audio.as_deref()), (Some("hevc"), Some("aac")));
        assert_eq!((probe.dimensions, probe.duration), (Some((1080, 1920)), Some(Duration::from_secs(2))));
        assert_eq!(read_probe("x: Invalid data found when processing input"), Probe::default());
    }

    #[test]
    fn a_configured_program_that_is_not_there_is_none() {
        assert!(Converter::find(Some(Path::new("/nowhere/ffmpeg"))).is_none());
    }
}
