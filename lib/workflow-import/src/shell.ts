/** Command lines for a shell. */
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
