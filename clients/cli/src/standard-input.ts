/** Standard input: the end of a pipe, or a terminal at which somebody types a secret. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { World } from './command.js';
import { CliError, exitCodes } from './exit-codes.js';
import { utf8Text } from './files/utf8-text.js';

/**
 * Reads standard input to its end. A terminal shows the prompt, and not what is typed.
 * @throws CliError if somebody interrupts the input, or if a pipe has no UTF-8 text
 */
export async function readStandardInput(world: World, prompt: string): Promise<string> {
  if (world.stdin.isTTY === true) return readTerminal(world, prompt);
  // Decoded as a whole: a chunk may end within a character.
  return utf8Text(await buffer(world.stdin), 'Standard input');
}

async function readTerminal({ stdin, stderr, signal }: World, prompt: string): Promise<string> {
  // The terminal does not echo while the interface is open, and the interface itself echoes to nowhere.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output, terminal: true, historySize: 0, signal });
  let isInterrupted = false;
  lines.once('SIGINT', () => {
    isInterrupted = true;
    lines.close();
  });
  stderr.write(prompt);
  let text = '';
  try {
    for await (const line of lines) text += `${line}\n`;
  } finally {
    lines.close();
    stderr.write('\n');
  }
  if (isInterrupted || signal.aborted) throw new CliError(exitCodes.interrupted, 'Interrupted');
  return text;
}
