//! A file of the browser (picked by the person, or kept on this device) as something that can be read and sought at once.

use std::cell::Cell;
use std::io::{BufReader, Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::rc::Rc;

use js_sys::Uint8Array;
use web_sys::{Blob, FileReaderSync};

use crate::worker::host;

/// Small reads are gathered into one of this size.
const BUFFER: usize = 1 << 13;
/// How often progress is told, in milliseconds.
const INTERVAL: f64 = 100.0;

/// Tells how much is read of all files together, now and then.
#[derive(Clone)]
pub struct Meter(Rc<Reading>);

struct Reading {
    read: Cell<u64>,
    told_at: Cell<f64>,
    tell: Box<dyn Fn(u64)>,
}

impl Meter {
    /// Nothing is read yet.
    pub fn new(tell: impl Fn(u64) + 'static) -> Self {
        Self(Rc::new(Reading {
            read: Cell::new(0),
            told_at: Cell::new(f64::NEG_INFINITY),
            tell: Box::new(tell),
        }))
    }

    fn add(&self, bytes: usize) {
        let Reading { read, told_at, tell } = &*self.0;
        read.set(read.get() + bytes as u64);
        let now = host::now();
        if now - told_at.get() >= INTERVAL {
            told_at.set(now);
            tell(read.get());
        }
    }
}

/// Reads a blob piece by piece; only workers may.
pub struct BlobReader {
    meter: Meter,
    blob: Blob,
    reader: FileReaderSync,
    size: u64,
    at: u64,
}

impl BlobReader {
    /// A reader at the beginning.
    pub fn open(blob: Blob, meter: Meter) -> Result<BufReader<Self>> {
        let reader =
            FileReaderSync::new().map_err(|_error| Error::other("this browser can't read files in a worker"))?;
        let size = blob.size() as u64;
        let reader = Self {
            meter,
            blob,
            reader,
            size,
            at: 0,
        };
        Ok(BufReader::with_capacity(BUFFER, reader))
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let end = self.size.min(self.at + buffer.len() as u64);
        if end <= self.at {
            return Ok(0);
        }
        let gone = |_| Error::new(ErrorKind::NotFound, "the file has been moved, changed or deleted");
        let part = self
            .blob
            .slice_with_f64_and_f64(self.at as f64, end as f64)
            .map_err(gone)?;
        let bytes = Uint8Array::new(&self.reader.read_as_array_buffer(&part).map_err(gone)?.into());
        let count = bytes.length() as usize;
        bytes.copy_to(&mut buffer[..count]);
        host::free(&bytes);
        self.at += count as u64;
        self.meter.add(count);
        Ok(count)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = at.ok_or_else(|| Error::new(ErrorKind::InvalidInput, "a place before the beginning"))?;
        Ok(self.at)
    }
}
