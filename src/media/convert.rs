//! Conversion by ffmpeg, where there is one: sounds to Opus for Matrix, sounds and videos to what Instagram takes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::Semaphore;

use super::spool::{Spooled, empty_file};

/// Conversions at once: each keeps a core busy.
static WORKING: Semaphore = Semaphore::const_new(1);
/// A conversion that takes longer is ended.
const PATIENCE: Duration = Duration::from_secs(300);

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
    /// It ran and did not like the file.
    #[error("the converter does not understand the file")]
    Refused,
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
        self.run(source, directory, &["-vn", "-c:a", "libopus", "-b:a", "48k", "-ar", "48000", "-f", "ogg"]).await
    }

    /// Sound as AAC in MP4, as Instagram takes it.
    pub async fn to_m4a(&self, source: &Spooled, directory: &Path) -> Result<Spooled, ConvertError> {
        let arguments =
            ["-vn", "-c:a", "aac", "-b:a", "64k", "-ar", "44100", "-ac", "1", "-movflags", "+faststart", "-f", "ipod"];
        self.run(source, directory, &arguments).await
    }

    /// Moving pictures as MP4 with H.264 and AAC, as Instagram takes them.
    pub async fn to_mp4(&self, source: &Spooled, directory: &Path) -> Result<Spooled, ConvertError> {
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

    /// How long a sound or video is.
    pub async fn duration(&self, source: &Spooled) -> Option<Duration> {
        let mut command = Command::new(&self.program);
        command.args(["-hide_banner", "-nostdin", "-i"]).arg(source.path()).stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
        read_duration(&String::from_utf8_lossy(&output.stderr))
    }

    async fn run(&self, source: &Spooled, directory: &Path, arguments: &[&str]) -> Result<Spooled, ConvertError> {
        let _permit = WORKING.acquire().await.map_err(|error| ConvertError::Run(error.to_string()))?;
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
    fn a_configured_program_that_is_not_there_is_none() {
        assert!(Converter::find(Some(Path::new("/nowhere/ffmpeg"))).is_none());
    }
}
