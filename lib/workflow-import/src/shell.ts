/** Command lines, words and variables for a shell. */
import type { Refusals } from './refusals.js';
import type { Located } from './text/located.js';
import type { Payload } from './workflow.types.js';

/** Texts that a shell takes as they are, divided at blanks. */
const plain = /^[\w@%+=:,./ -]*$/;

/** A program that runs a command line: without a shell where there is nothing for one to do. */
export function commandLine(line: string, shell: '/bin/sh' | '/bin/bash'): Payload {
  const words = line.trim().split(/ +/);
  const [command = '', ...rest] = words;
  if (plain.test(line) && command !== '' && !command.includes('='))
    return rest.length > 0 ? { command, arguments: rest } : { command };
  return { command: shell, arguments: ['-c', line] };
}

/** A word of a shell. */
export function shellQuoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** True for the name of a variable that a job may set; refuses others. */
export function isVariableName(name: string, at: Located, refusals: Refusals): boolean {
  if (/^(?!RHIZOME_)[A-Za-z_]\w*$/.test(name)) return true;
  refusals.refuse(at, `${JSON.stringify(name)} is not a name for a variable of a job`);
  return false;
}
