//! Files become tables, tables are judged, read and written out.

#[cfg(test)]
mod expectations;
#[cfg(test)]
mod import_bad;
#[cfg(test)]
mod import_columnar;
#[cfg(test)]
mod import_text;
#[cfg(test)]
mod scan;
#[cfg(test)]
mod tables;
