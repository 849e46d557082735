/** `rhizome login`: stores a gateway and a token once the gateway has accepted the token. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { createClient } from '@rhizome/client';
import type { Command } from 'commander';
import type { World } from '../command.js';
import { credentialsFile, readToken } from '../config.js';
import { CliError, exitCodes } from '../exit-codes.js';
import type { Finish } from '../flags.js';
import { CliViewerDocument } from '../operations.generated.js';

interface LoginFlags {
  readonly url?: string;
  readonly tokenFile?: string;
}

/** Adds the command. */
export function addLogin(program: Command, world: World, finish: Finish): void {
  program
    .command('login')
    .description(
      'store a gateway and a token for later commands; the token is read from --token-file or standard input',
    )
    .action((_flags: unknown, command: Command) =>
      finish(login(command.optsWithGlobals<LoginFlags>(), world)),
    );
}

async function login(flags: LoginFlags, world: World) {
  if (!flags.url)
    throw new CliError(exitCodes.usage, 'login needs --url, such as --url http://host:4000/graphql');
  const token = flags.tokenFile ? readToken(flags.tokenFile) : (await readAll(world)).trim();
  if (token === '')
    throw new CliError(
      exitCodes.usage,
      'No token: give --token-file FILE, or write the token to standard input',
    );
  const client = createClient({ url: flags.url, token });
  try {
    const { viewer } = await client.query(CliViewerDocument, {});
    const file = credentialsFile();
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, `${JSON.stringify({ url: flags.url, token }, null, 2)}\n`, { mode: 0o600 });
    chmodSync(file, 0o600);
    world.stdout.write(
      `Logged in as ${viewer.subject} (${viewer.kind}) until ${viewer.expiresAt}; stored in ${file}\n`,
    );
    return exitCodes.ok;
  } finally {
    await client.close();
  }
}

async function readAll({ stdin, stderr }: World): Promise<string> {
  if (stdin.isTTY) stderr.write('Paste the token, then Enter and Ctrl-D: ');
  let text = '';
  for await (const chunk of stdin) text += String(chunk);
  return text;
}
