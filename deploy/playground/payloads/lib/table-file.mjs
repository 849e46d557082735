// The programs' own file format: one line of JSON that says what follows, then 32-bit floats, little-endian,
// row by row.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fail } from './workplace.mjs';

/** Writes a table; the file appears under its name only when it is complete. Returns its size in bytes. */
export function writeTable(path, header, rows) {
  const head = Buffer.from(`${JSON.stringify({ ...header, rows: rows.length / header.columns.length })}\n`);
  const body = Buffer.alloc(rows.length * 4);
  rows.forEach((value, index) => body.writeFloatLE(value, index * 4));
  writeFileSync(`${path}.part`, Buffer.concat([head, body]));
  renameSync(`${path}.part`, path);
  return head.length + body.length;
}

/**
 * Reads a table of the wanted format whole; a file of another format or a cut one ends the program with the
 * reason.
 */
export function readTable(path, format) {
  let bytes;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    fail(`cannot read ${path}: ${error.message}`);
  }
  const end = bytes.indexOf(0x0a);
  const header = parseHeader(bytes.subarray(0, Math.max(end, 0)).toString('utf8'));
  if (header?.format !== format) fail(`${path} is not a file of format "${format}"`);
  const wanted = header.rows * header.columns.length * 4;
  const body = bytes.subarray(end + 1);
  if (body.length !== wanted)
    fail(`${path} has ${body.length} bytes of data instead of ${wanted}: it was cut or damaged`);
  const rows = new Float32Array(wanted / 4);
  for (let i = 0; i < rows.length; i += 1) rows[i] = body.readFloatLE(i * 4);
  return { header, rows };
}

function parseHeader(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
