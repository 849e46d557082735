import type { World } from './command.js';

/** Reads standard input to its end. @param prompt shown to a person at a terminal */
export async function readStandardInput({ stdin, stderr }: World, prompt: string): Promise<string> {
  if (stdin.isTTY) stderr.write(prompt);
  let text = '';
  for await (const chunk of stdin) text += String(chunk);
  return text;
}
