/** Standard input: the end of a pipe, or a terminal at which somebody types a secret. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { World } from './command.js';
import { CliError, exitCodes } from './exit-codes.js';

/**
 * Reads standard input to its end. A terminal shows the prompt, and not what is typed.
 * @throws CliError if somebody interrupts the input
 */
export async function readStandardInput(world: World, prompt: string): Promise<string> {
  if (world.stdin.isTTY === true) return readTerminal(world, prompt);
  let text = '';
  for await (const chunk of world.stdin) text += String(chunk);
  return text;
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
